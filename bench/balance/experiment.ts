/** One experiment with real requests: backends, sidecars and load as processes of their own. */
import { fileURLToPath } from "node:url";
import type { BalancerName } from "../../src/balancer/tuning.ts";
import { type Child, LOAD_CORE, PROXY_CORE, startChild, startScript } from "../child.ts";
import { freePort } from "../ports.ts";
import { untilListening } from "../ready.ts";
import { ROOT, type Runtime, scriptCommand } from "../runtimes.ts";
import { figuresOf, type RunFigures } from "../sim/figures.ts";
import { GIVE_UP_MS, type Told } from "../sim/simulate.ts";
import { WORLDS, type WorldName } from "../sim/worlds.ts";
import type { BackendsSettings } from "./backends.ts";
import type { LoadReport, LoadSettings } from "./load.ts";

export interface Experiment {
  readonly world: WorldName;
  readonly balancer: BalancerName;
  readonly runtime: Runtime;
  /** Length of what is measured; the experiment's clock runs faster if this is less than published. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly seed: number;
}

export interface Measured extends RunFigures {
  readonly latenessP99Ms: number;
}

const SERVICE = "bench";
const LEAD_MS = 500; // from the order to begin to the first request
const GRACE_MS = 15_000;

/** Runs it; throws if a process does not start or does not end. */
export async function measure(experiment: Experiment): Promise<Measured> {
  const { seconds, warmUpSeconds, world: name } = experiment;
  const world = WORLDS[name];
  const speed = world.seconds / seconds;
  const killAfterMs = (seconds + warmUpSeconds) * 1_000 + GIVE_UP_MS + 3 * GRACE_MS;
  const ports: number[] = [];
  while (ports.length < world.backends) ports.push(await freePort());
  const running: Child[] = [];
  try {
    const settings: BackendsSettings = { world: name, ports, seed: experiment.seed, speed };
    const { child: backends, lines } = await startTalking(
      (onLine) =>
        startScript(script("backends.ts"), [JSON.stringify(settings)], {
          ...{ core: LOAD_CORE, killAfterMs, onLine },
        }),
      "ready",
    );
    running.push(backends);
    const sidecars = await startSidecars(experiment, ports, killAfterMs, running);
    const warmUpMs = warmUpSeconds * 1_000;
    const beginEpochMs = Date.now() + LEAD_MS + warmUpMs;
    backends.send(`begin ${beginEpochMs}`);
    const joining = join(experiment, sidecars, beginEpochMs, speed);
    const report = await load({
      ...{ ports: sidecars.map(({ port }) => port), host: SERVICE, beginEpochMs, warmUpMs },
      ...{ measuredMs: seconds * 1_000, ratePerSecond: world.ratePerSecond, seed: experiment.seed },
    });
    await joining;
    backends.send("end");
    await backends.exited;
    const hits = JSON.parse(lines.at(-1) ?? "") as [number, number][];
    return { ...summed(report, hits, world.backends, speed), latenessP99Ms: report.latenessP99Ms };
  } finally {
    await Promise.all(running.map((child) => child.stop()));
  }
}

function summed(
  report: LoadReport,
  hits: readonly (readonly [number, number])[],
  backends: number,
  speed: number,
): RunFigures {
  const told = report.told.map(([sentMs, latencyMs, status]): Told => {
    return { sentMs, latencyMs, backend: -1, isFailure: status !== 200 };
  });
  const seen = hits.filter(([atMs]) => atMs >= 0).map(([sentMs, backend]) => ({ sentMs, backend }));
  return figuresOf(told, backends, seen, speed);
}

interface Sidecar {
  readonly child: Child;
  readonly port: number;
}

async function startSidecars(
  { balancer, runtime, world }: Experiment,
  ports: readonly number[],
  killAfterMs: number,
  running: Child[],
): Promise<Sidecar[]> {
  const started: Sidecar[] = [];
  for (let i = 0; i < WORLDS[world].sidecars; i++) {
    if (isListed(world)) {
      const words = [balancer, SERVICE, ...ports.map(String)];
      const command = scriptCommand(runtime, script("listed-sidecar.ts"), words);
      const { child, lines } = await startTalking(
        (onLine) => startChild(command, { core: PROXY_CORE, killAfterMs, onLine }),
        "port",
      );
      running.push(child);
      started.push({ child, port: Number(lines.at(-1)?.split(" ")[1]) });
      continue;
    }
    const port = await freePort();
    const endpoints = ports.map((each) => `127.0.0.1:${each}`).join(",");
    const command = scriptCommand(runtime, `${ROOT}src/cli/main.ts`, [
      ...["run", "--workers", "1", "--balancer", balancer, "--admin", "127.0.0.1:0"],
      ...["--inbound", "127.0.0.1:0", "--outbound", `127.0.0.1:${port}`],
      ...["--upstream", `${SERVICE}=${endpoints}`],
    ]);
    const child = startChild(command, { core: PROXY_CORE, killAfterMs });
    running.push(child);
    const problem = await untilListening(child, port);
    if (problem !== null) throw new Error(`${balancer} on ${runtime}: ${problem}`);
    started.push({ child, port });
  }
  return started;
}

/** Endpoints that come and go, or that have weights, cannot be said by flags. */
function isListed(world: WorldName): boolean {
  return world === "joining" || world === "weighted";
}

/** Tells the sidecars who is there, at the beginning and when that changes. */
async function join(
  { world: name, warmUpSeconds }: Experiment,
  sidecars: readonly Sidecar[],
  beginEpochMs: number,
  speed: number,
): Promise<void> {
  if (!isListed(name)) return;
  const world = WORLDS[name];
  const list = (atMs: number): string => {
    const places = Array.from({ length: world.backends }, (_, i) => i);
    const there = places.filter((i) => world.isThere(i, atMs));
    return `list ${there.map((i) => `${i}:${world.weight(i) ?? ""}`).join(" ")}`;
  };
  const tell = (atMs: number): void => {
    for (const { child } of sidecars) child.send(list(atMs));
  };
  tell(-warmUpSeconds * 1_000);
  const waitMs = beginEpochMs + world.joinsMs / speed - Date.now();
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  tell(world.joinsMs);
}

async function load(settings: LoadSettings): Promise<LoadReport> {
  const lines: string[] = [];
  const child = startScript(script("load.ts"), [JSON.stringify(settings)], {
    core: LOAD_CORE,
    killAfterMs: settings.measuredMs + settings.warmUpMs + GIVE_UP_MS + GRACE_MS,
    onLine: (line) => lines.push(line),
  });
  await child.exited;
  if (lines.length === 0) throw new Error(`the load printed nothing: ${child.complaint()}`);
  return JSON.parse(lines.at(-1) ?? "") as LoadReport;
}

/** Starts a process and waits until it prints a line that begins with `word`. */
async function startTalking(
  start: (onLine: (line: string) => void) => Child,
  word: string,
): Promise<{ child: Child; lines: string[] }> {
  const lines: string[] = [];
  let heard = (): void => {};
  const isHeard = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const child = start((line) => {
    lines.push(line);
    if (line.startsWith(word)) heard();
  });
  await Promise.race([isHeard, child.exited]);
  if (child.hasExited()) throw new Error(`no "${word}": ${child.complaint()}`);
  return { child, lines };
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
