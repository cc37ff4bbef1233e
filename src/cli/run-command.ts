/**
 * `outrigger run -- COMMAND`: the application as the sidecar's child. It is started when the sidecar is
 * ready, so its first request goes through the mesh, and while it runs the sidecar does.
 *
 *   waiting ── ready ──▶ running ─┬─ it ends ──────────────────────────────────┬──▶ drain ──▶ its status
 *                                 └─ SIGTERM ──▶ inbound drains ──▶ SIGTERM ───┘
 *
 * Upon SIGTERM or SIGINT what comes to the application is finished while it still serves; then it is
 * told to end itself, and what it sends on its way out goes through the sidecar until it has ended. All
 * of that has the grace, then it is killed. Its status is ours.
 */
import { formatDuration } from "../lib/duration.ts";
import type { Logger } from "../lib/log.ts";
import { writeStderr } from "../lib/stderr.ts";
import { Application, type Ended, signalStatus } from "./application.ts";
import { applicationEnvironment } from "./application-environment.ts";
import { within } from "./drain.ts";
import type { Sidecar } from "./run.ts";
import { StartError } from "./start-error.ts";

/** A control plane that is there answers in milliseconds; whoever restarts us tries again. */
const READY_WITHIN_MS = 30_000;
const READY_LOOK_MS = 10;

/**
 * Requests in flight get so long before the application is told: whoever sends SIGKILL after 30 s, as
 * Kubernetes does, must not come first because of one stream that never ends.
 */
const INBOUND_FIRST_MS = 10_000;
/** For the same reason of a short grace no more than this, so that the application has the rest. */
const INBOUND_SHARE = 0.5;

/** When the application has ended there are only answers that clients have not read yet. */
const LAST_WORDS_MS = 5_000;

/** A process that waits for a disk that is gone outlives SIGKILL. */
const KILL_MS = 2_000;

/** They mean nothing to a sidecar: the application's configuration, its dumps, its terminal. */
const PASSED_ON: readonly NodeJS.Signals[] = [
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
];

export type CommandOptions = {
  /** The command and its arguments. */
  readonly command: readonly string[];
  /** From the signal to the end, what the last answers take aside. */
  readonly graceMs: number;
  readonly sidecar: Pick<Sidecar, "reasons" | "outboundUrl" | "drainInbound" | "stop">;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Resolves with the signal that asks both to end. */
  readonly asked: Promise<NodeJS.Signals>;
  /** READY_WITHIN_MS unless given. */
  readonly readyWithinMs?: number;
};

/** Returns the status to exit with. Throws StartError when the sidecar does not get ready. */
export async function runCommand(options: CommandOptions): Promise<number> {
  const { command, graceMs, sidecar, log, asked } = options;
  const { readyWithinMs = READY_WITHIN_MS } = options;
  const stopped = await untilReady(sidecar, asked, readyWithinMs);
  if (stopped !== null) {
    await sidecar.stop();
    return signalStatus(stopped);
  }
  const env = applicationEnvironment(process.env, sidecar.outboundUrl);
  let application: Application | null = null;
  // Before it starts: what it tells of may be answered with a signal at once.
  for (const signal of PASSED_ON) process.on(signal, () => application?.signal(signal));
  application = new Application(command, env, (line) => writeStderr(`${line}\n`));
  const first = await Promise.race([application.ended, asked]);
  const ended = typeof first === "string" ? await end(application, options) : first;
  if (ended.how !== null) log.info("the application has ended", { how: ended.how });
  await sidecar.stop(Math.min(graceMs, LAST_WORDS_MS));
  return ended.status;
}

/** Resolves with null when the sidecar is ready, or with the signal that came before. */
async function untilReady(
  sidecar: CommandOptions["sidecar"],
  asked: Promise<NodeJS.Signals>,
  readyWithinMs: number,
): Promise<NodeJS.Signals | null> {
  let signal: NodeJS.Signals | null = null;
  void asked.then((each) => {
    signal = each;
  });
  const startMs = performance.now();
  for (;;) {
    const reasons = sidecar.reasons();
    if (signal !== null || reasons.length === 0) return signal;
    if (performance.now() - startMs >= readyWithinMs) {
      await sidecar.stop(0);
      const why = `not ready within ${formatDuration(readyWithinMs)}: ${reasons.join("; ")}`;
      throw new StartError(`${why}; the application was not started`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_LOOK_MS));
  }
}

/** Ends the application within the grace. Resolves when it has ended. */
async function end(
  application: Application,
  { graceMs, sidecar, log }: CommandOptions,
): Promise<Ended> {
  const startMs = performance.now();
  const firstMs = Math.min(INBOUND_FIRST_MS, graceMs * INBOUND_SHARE);
  // On a terminal it was told by Ctrl-C too, and may end before that.
  await Promise.race([sidecar.drainInbound(firstMs), application.ended]);
  application.signal("SIGTERM");
  const leftMs = Math.max(0, graceMs - (performance.now() - startMs));
  const isInTime = await within(
    application.ended.then(() => {}),
    leftMs,
  );
  if (isInTime) return await application.ended;
  log.warn("the grace is over; the application is killed");
  application.signal("SIGKILL");
  const killed = new Promise<Ended>((resolve) => {
    const status = signalStatus("SIGKILL");
    setTimeout(() => resolve({ status, how: "it does not even die" }), KILL_MS);
  });
  return await Promise.race([application.ended, killed]);
}
