/**
 * What the service manager (systemd, or whoever sets $NOTIFY_SOCKET) is told of this program: that it
 * is ready, how it is in one line, that it is ending, and that it still turns. Of a manager that is
 * away, full or gone the program takes no notice: what could not be said is said at the next look.
 *
 *   starting ── READY=1 ──▶ up, WATCHDOG=1 now and then ── STOPPING=1 ──▶ draining, WATCHDOG=1 …
 */

import type { Logger } from "../lib/log.ts";
import { escapeUnsafe } from "../lib/log-line.ts";
import { Arena } from "../net/arena.ts";
import { NotifySocket } from "../net/notify-socket.ts";
import type { Environment } from "./config.ts";

/** Whoever waits for us to be ready waits for no longer than this on top. */
const LOOK_STARTING_MS = 100;
/** For a person who asks how it is, and what could not be said. */
const LOOK_MS = 1_000;
/** A watchdog's period is heard of twice, as sd_watchdog_enabled(3) recommends. */
const BEATS_PER_PERIOD = 2;
/** Below this a loaded machine alone would end the program. */
const WATCHDOG_MIN_MS = 200;
/** Of a year's microseconds and of no more a number is exact enough. */
const WATCHDOG = /^[1-9][0-9]{0,14}$/;
/** The line is for a terminal. */
const STATUS_CHARS_MAX = 200;
/** On top of what a drain may take by the flags: what comes before and after it. */
const DRAIN_EXTRA_MS = 15_000;

export type Noticed = {
  /** Why it is not ready, one line each; empty when it is. */
  reasons(): readonly string[];
  /** Whether each of its threads still turns. */
  isTurning(): boolean;
};

export type NoticesOptions = {
  readonly env: Environment;
  readonly log: Pick<Logger, "warn">;
  /** Milliseconds that ending may take by the flags. */
  readonly drainMs: number;
};

export class ServiceNotices {
  readonly #socket: NotifySocket;
  readonly #log: Pick<Logger, "warn">;
  readonly #drainMs: number;
  /** Between two beats; null: nobody watches. */
  readonly #beatMs: number | null;
  #noticed: Noticed | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDraining = false;
  #isReadyTold = false;
  #isStoppingTold = false;
  #status = "";
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #isFailing = false;

  private constructor(socket: NotifySocket, { env, log, drainMs }: NoticesOptions) {
    this.#socket = socket;
    this.#log = log;
    this.#drainMs = drainMs;
    this.#beatMs = beatMs(env);
  }

  /** Tells the manager at `address`; returns null, and logs why, when that cannot be one's. */
  static open(address: string, options: NoticesOptions): ServiceNotices | null {
    const socket = NotifySocket.open(new Arena(0), address);
    if (!("error" in socket)) return new ServiceNotices(socket, options);
    options.log.warn("NOTIFY_SOCKET cannot be used", { reason: socket.error });
    return null;
  }

  /** Tells of `noticed` from now on. */
  begin(noticed: Noticed): void {
    this.#noticed = noticed;
    this.#look();
  }

  /** It has begun to end. */
  drain(): void {
    this.#isDraining = true;
    this.#look();
  }

  /** Says no more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#noticed = null;
    this.#socket.close();
  }

  #look(): void {
    const noticed = this.#noticed;
    if (noticed === null) return;
    clearTimeout(this.#timer);
    const isStarting = !this.#isReadyTold && !this.#isDraining;
    const nextMs = Math.min(isStarting ? LOOK_STARTING_MS : LOOK_MS, this.#beatMs ?? LOOK_MS);
    this.#tellState(noticed.reasons());
    const dueMs = this.#beatAtMs + (this.#beatMs ?? Number.POSITIVE_INFINITY);
    const nowMs = performance.now();
    if (nowMs + nextMs > dueMs && noticed.isTurning() && this.#send("WATCHDOG=1")) {
      this.#beatAtMs = nowMs;
    }
    this.#timer = setTimeout(() => this.#look(), nextMs);
  }

  #tellState(reasons: readonly string[]): void {
    const lines: string[] = [];
    const isReady = reasons.length === 0 && !this.#isDraining;
    if (isReady && !this.#isReadyTold) lines.push("READY=1");
    if (this.#isDraining && !this.#isStoppingTold) {
      // However long the unit lets it take: the grace is the program's to know.
      lines.push("STOPPING=1", `EXTEND_TIMEOUT_USEC=${(this.#drainMs + DRAIN_EXTRA_MS) * 1e3}`);
    }
    const notReady = `not ready: ${reasons.join("; ")}`;
    const status = this.#isDraining ? "draining" : isReady ? "ready" : notReady;
    if (status !== this.#status) {
      lines.push(`STATUS=${escapeUnsafe(status.slice(0, STATUS_CHARS_MAX))}`);
    }
    if (lines.length === 0 || !this.#send(lines.join("\n"))) return;
    this.#status = status;
    this.#isReadyTold ||= isReady;
    this.#isStoppingTold ||= this.#isDraining;
  }

  #send(text: string): boolean {
    const failure = this.#socket.send(text);
    if (failure !== null && !this.#isFailing) {
      this.#log.warn("the service manager cannot be told", { reason: failure });
    }
    this.#isFailing = failure !== null;
    return failure === null;
  }
}

/** How often a manager that watches this very process wants to hear of it; null: it does not. */
function beatMs({
  WATCHDOG_USEC: periodUs = "",
  WATCHDOG_PID: pid = "",
}: Environment): number | null {
  if (!WATCHDOG.test(periodUs) || (pid !== "" && pid !== String(process.pid))) return null;
  return Math.max(WATCHDOG_MIN_MS, Math.floor(Number(periodUs) / 1e3)) / BEATS_PER_PERIOD;
}
