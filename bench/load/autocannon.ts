/** autocannon, closed loop or with a rate. It keeps a rate by sending a second's requests as fast as
 * they are answered and then pausing until the next second begins, and its clock has whole
 * milliseconds: with a rate it is a burst each second, not an even stream (that is open-loop.ts). */
import { LOAD_CORE, runChild } from "../child.ts";
import { numberAt, parseObject } from "../json.ts";
import { findProgram } from "../programs.ts";
import { ROOT } from "../runtimes.ts";
import { CONNECTIONS, LOAD_GRACE_MS, type LoadRequest, type LoadResult } from "./load.ts";

const PROGRAM = `${ROOT}node_modules/autocannon/autocannon.js`;

/** Runs autocannon on Node for the given time; a rate of null is a closed loop. */
export async function runAutocannon(
  request: LoadRequest,
  ratePerSecond: number | null,
): Promise<LoadResult> {
  const node = findProgram("node");
  if (node === null) {
    throw new Error("autocannon needs node, which is not on the PATH");
  }
  const printed = await runChild(
    [
      ...[node, PROGRAM, "--json", "--no-progress"],
      ...["--connections", String(CONNECTIONS), "--duration", String(request.seconds)],
      ...(ratePerSecond === null ? [] : ["--overallRate", String(ratePerSecond)]),
      ...["--headers", `Host=${request.host}`, `http://127.0.0.1:${request.port}/`],
    ],
    { core: LOAD_CORE, killAfterMs: request.seconds * 1_000 + LOAD_GRACE_MS },
  );
  const result = parseObject(printed);
  if (result === null) {
    throw new Error(`autocannon printed no result: ${printed.slice(0, 300)}`);
  }
  const requests = numberAt(result, "2xx");
  return {
    requests,
    requestsPerSecond: requests / numberAt(result, "duration"),
    p50Ms: numberAt(result, "latency.p50"),
    p99Ms: numberAt(result, "latency.p99"),
    p999Ms: numberAt(result, "latency.p99_9"),
    maxMs: numberAt(result, "latency.max"),
    errors: ["errors", "timeouts", "non2xx"].reduce((sum, kind) => sum + numberAt(result, kind), 0),
  };
}
