/** The even, open-loop load at a fixed rate; the work is done in open-loop-client.ts. */
import { fileURLToPath } from "node:url";
import { LOAD_CORE, startScript } from "../child.ts";
import { type JsonObject, numberAt, parseObject } from "../json.ts";
import type { Distribution } from "../percentiles.ts";
import { CONNECTIONS, LOAD_GRACE_MS, type LoadRequest, type LoadTotals } from "./load.ts";

const CLIENT = fileURLToPath(new URL("open-loop-client.ts", import.meta.url));

export interface OpenLoopSettings extends JsonObject {
  readonly port: number;
  readonly host: string;
  readonly bodyBytes: number;
  readonly connections: number;
  readonly ratePerSecond: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

export interface OpenLoopResult extends LoadTotals {
  readonly latenciesMs: Distribution;
  /** How late the generator itself was at its 99th percentile: latencies cannot be finer than that. */
  readonly latenessP99Ms: number;
}

/** Runs the load; `onBegin` is called when the warm-up is over. */
export async function runOpenLoop(
  request: LoadRequest,
  ratePerSecond: number,
  warmUpSeconds: number,
  bodyBytes: number,
  onBegin: () => void,
): Promise<OpenLoopResult> {
  const settings: OpenLoopSettings = {
    port: request.port,
    host: request.host,
    bodyBytes,
    connections: CONNECTIONS,
    ratePerSecond,
    warmUpMs: warmUpSeconds * 1_000,
    measuredMs: request.seconds * 1_000,
  };
  let result: JsonObject | null = null;
  const child = startScript(CLIENT, [JSON.stringify(settings)], {
    core: LOAD_CORE,
    killAfterMs: (warmUpSeconds + request.seconds) * 1_000 + LOAD_GRACE_MS,
    onLine: (line) => {
      if (line === "begin") {
        onBegin();
      } else {
        result = parseObject(line);
      }
    },
  });
  await child.exited;
  if (result === null) {
    throw new Error(`the open-loop load printed no result: ${child.complaint()}`);
  }
  const printed: JsonObject = result;
  return {
    requests: numberAt(printed, "requests"),
    requestsPerSecond: numberAt(printed, "requests") / request.seconds,
    latenciesMs: pairsIn(printed["latenciesMs"]),
    latenessP99Ms: numberAt(printed, "latenessP99Ms"),
    errors: numberAt(printed, "errors"),
  };
}

function pairsIn(value: unknown): Distribution {
  const pairs: unknown[] = Array.isArray(value) ? value : [];
  return pairs.map((pair) => {
    const [percent, ms] = Array.isArray(pair) ? pair.map(Number) : [];
    if (percent === undefined || ms === undefined || Number.isNaN(percent + ms)) {
      throw new Error(`the open-loop load printed no percentile: ${JSON.stringify(pair)}`);
    }
    return [percent, ms];
  });
}
