/** wrk, closed loop: each of 64 connections (or as many as asked for) sends its next request when the last is answered, so the
 * latencies are those of a saturated proxy. (wrk corrects them for coordinated omission with the mean
 * interval of a connection.) */
import { fileURLToPath } from "node:url";
import { LOAD_CORE, runChild } from "../child.ts";
import { type JsonObject, numberAt, parseObject } from "../json.ts";
import { CONNECTIONS, LOAD_GRACE_MS, type LoadRequest, type LoadResult } from "./load.ts";

const SCRIPT = fileURLToPath(new URL("wrk.lua", import.meta.url));

export interface WrkRequests {
  /** Opens a new connection for each request. */
  readonly isClosing?: boolean;
  readonly connections?: number;
  readonly path?: string;
  /** Sends them by POST with a body of so many bytes. */
  readonly bodyBytes?: number;
}

/** Runs wrk for the given time. */
export async function runWrk(
  request: LoadRequest,
  { isClosing = false, connections = CONNECTIONS, path = "/", bodyBytes }: WrkRequests = {},
): Promise<LoadResult> {
  const printed = await runChild(
    [
      ...["wrk", "-t1", `-c${connections}`, `-d${request.seconds}s`, "-s", SCRIPT],
      ...["-H", `Host: ${request.host}`],
      ...(isClosing ? ["-H", "Connection: close"] : []),
      `http://127.0.0.1:${request.port}${path}`,
      ...(bodyBytes === undefined ? [] : ["--", String(bodyBytes)]),
    ],
    { core: LOAD_CORE, killAfterMs: request.seconds * 1_000 + LOAD_GRACE_MS },
  );
  const line = /^RESULT (.*)$/m.exec(printed)?.[1] ?? "";
  const result = parseObject(line);
  if (result === null) {
    throw new Error(`wrk printed no result: ${printed.slice(0, 300)}`);
  }
  return figuresOf(result);
}

function figuresOf(result: JsonObject): LoadResult {
  const requests = numberAt(result, "requests");
  const kinds = ["connectErrors", "readErrors", "writeErrors", "statusErrors", "timeouts"];
  return {
    requests,
    requestsPerSecond: requests / (numberAt(result, "durationUs") / 1e6),
    p50Ms: numberAt(result, "p50Us") / 1_000,
    p99Ms: numberAt(result, "p99Us") / 1_000,
    p999Ms: numberAt(result, "p999Us") / 1_000,
    maxMs: numberAt(result, "maxUs") / 1_000,
    errors: kinds.reduce((sum, kind) => sum + numberAt(result, kind), 0),
  };
}
