/** Who is compared: how each proxy is started on a port, and when it counts as available. */
import { PROXY_CORE, startChild } from "./child.ts";
import { BODY_BYTES } from "./origin.ts";
import { freePort } from "./ports.ts";
import { haproxy } from "./proxies/haproxy.ts";
import { nginx } from "./proxies/nginx.ts";
import { outriggerOn, SERVICE } from "./proxies/outrigger.ts";
import { untilAnswering, untilListening } from "./ready.ts";
import { RUNTIMES } from "./runtimes.ts";

/** All ratios are to this one. */
export const REFERENCE = "haproxy";

const PROXY_LIFE_MS = 15 * 60_000; // longer than any one measurement

export type Mode = "http" | "tcp";

export interface Task {
  readonly mode: Mode;
  readonly port: number;
  readonly originPort: number;
  /** For its configuration and whatever it writes. */
  readonly directory: string;
}

export type Plan =
  | { readonly kind: "command"; readonly command: readonly string[] }
  | { readonly kind: "direct" }
  | { readonly kind: "absent"; readonly reason: string };

export interface Contender {
  readonly name: string;
  version(): string;
  plan(task: Task): Plan;
}

/** No proxy at all: what the load generator and the origin need by themselves. */
const direct: Contender = {
  name: "direct",
  version: () => "no proxy",
  plan: () => ({ kind: "direct" }),
};

export const CONTENDERS: readonly Contender[] = [
  direct,
  ...RUNTIMES.map(outriggerOn),
  haproxy,
  nginx,
];

export interface RunningProxy {
  readonly kind: "running";
  readonly port: number;
  readonly pid: number | null;
  stop(): Promise<void>;
}

export interface Absent {
  readonly kind: "absent";
  readonly reason: string;
}

/** Starts a contender on the proxies' core in front of the origin, and waits until it is ready. */
export async function startContender(
  contender: Contender,
  mode: Mode,
  originPort: number,
  directory: string,
): Promise<RunningProxy | Absent> {
  const port = await freePort();
  const plan = contender.plan({ mode, port, originPort, directory });
  if (plan.kind === "absent") {
    return plan;
  }
  if (plan.kind === "direct") {
    return { kind: "running", port: originPort, pid: null, stop: () => Promise.resolve() };
  }
  const child = startChild(plan.command, { core: PROXY_CORE, killAfterMs: PROXY_LIFE_MS });
  const problem =
    (await untilListening(child, port)) ??
    (mode === "http" ? await untilAnswering(child, port, SERVICE, BODY_BYTES["/"]) : null);
  if (problem !== null) {
    await child.stop();
    return { kind: "absent", reason: problem };
  }
  return { kind: "running", port, pid: child.pid, stop: () => child.stop() };
}

/** Returns a contender's version, or "not installed". */
export function versionOf(contender: Contender): string {
  try {
    return contender.version();
  } catch {
    return "not installed";
  }
}
