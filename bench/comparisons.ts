/** The comparisons that the command line names: what each measures, and how long it takes. */
import { raiseDescriptorLimit } from "./descriptors.ts";
import type { Setting } from "./interleave.ts";
import { type ComparisonName, isComparison, type Options } from "./options.ts";
import type { AnswerSize } from "./origin.ts";
import type { Scenario } from "./scenario.ts";
import { bodies } from "./scenarios/bodies.ts";
import { burstMemory } from "./scenarios/burst-memory.ts";
import { http2Chain, oneHttp2Proxy } from "./scenarios/http2.ts";
import { idleConnections } from "./scenarios/idle.ts";
import { keepAlive, newConnections } from "./scenarios/keepalive.ts";
import { bursts, evenRate } from "./scenarios/latency.ts";
import { mtlsChain, mtlsHandshakes, mtlsKeepAlive } from "./scenarios/mtls.ts";
import { start } from "./scenarios/start.ts";
import { mtlsTcp, opaqueTcp } from "./scenarios/tcp.ts";

const SIZES: readonly AnswerSize[] = ["100", "1k", "64k"];

/** Returns the scenarios of one name, in order. `half` measures the rate, or knows it already. */
export async function scenariosOf(
  name: ComparisonName,
  options: Options,
  setting: Setting,
  half: () => Promise<number>,
): Promise<readonly Scenario[]> {
  switch (name) {
    case "keepalive":
      return [keepAlive(options.load)];
    case "connections":
      return [newConnections()];
    case "bodies":
      return SIZES.map(bodies);
    case "tcp":
      return [await opaqueTcp()];
    case "http2":
      return [oneHttp2Proxy(setting.origin.http2Port)];
    case "chain":
      return [http2Chain()];
    case "mtls-chain":
      return [mtlsChain()];
    case "mtls-keepalive":
      return [mtlsKeepAlive(setting.identities)];
    case "handshakes":
      return [mtlsHandshakes(setting.identities)];
    case "mtls-tcp":
      return [await mtlsTcp()];
    case "idle":
      return [idleConnections(raiseDescriptorLimit())];
    case "burst-memory":
      return [burstMemory()];
    case "start":
      return [start()];
    case "latency": {
      const scenarios: Scenario[] = [];
      for (const rate of options.rates) {
        scenarios.push(evenRate(rate, rate === "half" ? await half() : rate));
      }
      return scenarios;
    }
    case "burst":
      return [bursts(await half())];
  }
}

const START_AND_STOP_S = 0.5; // a process until it answers, and until it has gone
const CROWD_S = 17; // 10,000 connections: opening and closing them, and the rests between
const RECOVERY_S = 13; // after a burst, and the burst before

/** Returns about how many seconds one contender takes in all scenarios of a name, once. */
function secondsOf(name: ComparisonName, options: Options): number {
  const { seconds, warmUpSeconds } = options;
  const once = seconds + warmUpSeconds + START_AND_STOP_S;
  switch (name) {
    case "latency":
      return options.rates.length * once;
    case "bodies":
      return SIZES.length * (once + seconds);
    case "idle":
      return once + CROWD_S;
    case "burst-memory":
      return once + RECOVERY_S;
    case "start":
      return START_AND_STOP_S;
    case "tcp":
    case "mtls-tcp":
      return once + seconds + warmUpSeconds;
    default:
      return once;
  }
}

/** Returns about how long a run takes, in seconds. Who is not available takes no time, which only
 * starting it can tell: so it is rather too much. */
export function estimateSeconds(options: Options): number {
  let total = 0;
  for (const name of options.scenarios.filter(isComparison)) {
    total += secondsOf(name, options) * options.contenders.length;
  }
  return total * options.repeats;
}
