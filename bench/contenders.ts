/** Who is compared: how each proxy, or a row of two, is started, and when it counts as available. */
import { mkdirSync } from "node:fs";
import { type Child, PROXY_CORE, startChild } from "./child.ts";
import type { Identities } from "./identities.ts";
import { BODY_BYTES } from "./origin.ts";
import { freePort, isListening } from "./ports.ts";
import { haproxy } from "./proxies/haproxy.ts";
import { nginx } from "./proxies/nginx.ts";
import { outriggerOn, SERVICE } from "./proxies/outrigger.ts";
import { untilAnswering, untilAnsweringHttp2, untilAnsweringTls, untilListening } from "./ready.ts";
import { RUNTIMES } from "./runtimes.ts";

/** All ratios are to this one. */
export const REFERENCE = "haproxy";

const PROXY_LIFE_MS = 15 * 60_000; // longer than any one measurement

/** What one proxy does: HTTP/1 on both of its sides, HTTP/2 without TLS on both, or opaque TCP. In a
 * chain there are two: `chain-client` takes HTTP/1 and speaks HTTP/2 to the one behind it,
 * `chain-origin` the reverse. With `mtls-` there is mutual TLS: in `mtls-http` to clients of HTTP/1,
 * in a chain between the two. */
export type Mode =
  | "http"
  | "http2"
  | "tcp"
  | "chain-client"
  | "chain-origin"
  | "mtls-http"
  | "mtls-chain-client"
  | "mtls-chain-origin"
  | "mtls-tcp-client"
  | "mtls-tcp-origin";

export interface Task {
  readonly mode: Mode;
  readonly port: number;
  /** What is behind this proxy: the origin, or the next proxy of a chain. */
  readonly originPort: number;
  /** The origin behind the last proxy. */
  readonly applicationPort: number;
  /** Who the proxies are to each other, in the modes with mutual TLS. */
  readonly identities: Identities;
  /** For its configuration and whatever it writes. */
  readonly directory: string;
}

export type Plan =
  | {
      readonly kind: "command";
      readonly command: readonly string[];
      /** Where it listens, if that is not the task's port. */
      readonly port?: number;
    }
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
  plan: ({ mode }) =>
    mode === "mtls-http"
      ? { kind: "absent", reason: "the origin speaks no TLS" }
      : { kind: "direct" },
};

export const CONTENDERS: readonly Contender[] = [
  direct,
  ...RUNTIMES.map((runtime) => outriggerOn(runtime)),
  haproxy,
  nginx,
];

/** What is in front of which origin. */
export interface Place {
  /** What each proxy of a row does, the client's side first. */
  readonly modes: readonly Mode[];
  readonly originPort: number;
  readonly identities: Identities;
}

export interface RunningProxy {
  readonly kind: "running";
  /** Where the load goes: the first proxy, or the origin if there is none. */
  readonly port: number;
  /** All proxies in the row; empty if there is none. */
  readonly pids: readonly number[];
  /** From the start of the first until all accept connections, and until the first good answer, in ms. */
  readonly listeningMs: number;
  readonly readyMs: number;
  stop(): Promise<void>;
}

export interface Absent {
  readonly kind: "absent";
  readonly reason: string;
}

/** Starts a contender on the proxies' core in front of the origin, one process for each mode, and
 * waits until the whole row is ready. */
export async function startContender(
  contender: Contender,
  place: Place,
  directory: string,
): Promise<RunningProxy | Absent> {
  const { modes, originPort, identities } = place;
  const children: Child[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.stop()));
  };
  let port = originPort;
  const begunMs = performance.now();
  for (const mode of modes.toReversed()) {
    const own = `${directory}/${mode}`; // two of a chain must not write over each other's configuration
    mkdirSync(own);
    const started = await startProxy(contender, {
      ...{ mode, port: await freePort(), originPort: port, applicationPort: originPort },
      ...{ identities, directory: own },
    });
    if (started === "direct") {
      continue;
    }
    if ("reason" in started) {
      await stop();
      return started;
    }
    children.push(started.child);
    port = started.port;
  }
  const listeningMs = performance.now() - begunMs;
  const [mode = "tcp"] = modes;
  const first = children.at(-1);
  const problem = first === undefined ? null : await untilReady(first, mode, port, identities);
  if (problem !== null) {
    await stop();
    return { kind: "absent", reason: problem };
  }
  const readyMs = performance.now() - begunMs;
  const pids = children.map((child) => child.pid);
  return { kind: "running", port, pids, listeningMs, readyMs, stop };
}

async function startProxy(
  contender: Contender,
  task: Task,
): Promise<{ child: Child; port: number } | "direct" | Absent> {
  const plan = contender.plan(task);
  if (plan.kind !== "command") {
    return plan.kind === "direct" ? "direct" : plan;
  }
  const { port = task.port } = plan;
  if (await isListening(port)) {
    return { kind: "absent", reason: `something else listens on its port ${port}` };
  }
  const child = startChild(plan.command, { core: PROXY_CORE, killAfterMs: PROXY_LIFE_MS });
  const problem = await untilListening(child, port);
  if (problem !== null) {
    await child.stop();
    return { kind: "absent", reason: problem };
  }
  return { child, port };
}

/** Opaque TCP has no request by which it could be told that the way to the origin is open. */
async function untilReady(
  child: Child,
  mode: Mode,
  port: number,
  identities: Identities,
): Promise<string | null> {
  switch (mode) {
    case "tcp":
    case "mtls-tcp-client":
    case "mtls-tcp-origin":
      return null;
    case "http":
    case "chain-client":
    case "mtls-chain-client":
      return await untilAnswering(child, port, SERVICE, BODY_BYTES["/"]);
    case "http2":
    case "chain-origin":
      return await untilAnsweringHttp2(child, port, SERVICE, BODY_BYTES["/"]);
    case "mtls-http":
    case "mtls-chain-origin":
      return await untilAnsweringTls(child, port, SERVICE, BODY_BYTES["/"], identities);
  }
}

/** Returns a contender's version, or "not installed". */
export function versionOf(contender: Contender): string {
  try {
    return contender.version();
  } catch {
    return "not installed";
  }
}
