/** h2load of nghttp2, closed loop, HTTP/2 without TLS by prior knowledge (RFC 9113, section 3.3): each
 * of 80 streams is followed by the next when it is answered. With a duration h2load does not count
 * requests whose connection broke, so only the warm-up has one. What is measured is as many requests
 * as the warm-up's rate makes of the time, and each that has no good answer is an error. */
import { LOAD_CORE, runChild } from "../child.ts";
import { LOAD_GRACE_MS, type LoadRequest, type LoadTotals } from "./load.ts";

/** Together about as many requests at a time as the 64 connections of the HTTP/1 loads. */
export const HTTP2_CONNECTIONS = 8;
export const HTTP2_STREAMS = 10;

const MS_PER_UNIT: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 };

export interface H2loadResult extends LoadTotals {
  readonly meanMs: number;
  readonly maxMs: number;
}

/** Runs h2load for the given time; with `ratePerSecond`, for as many requests as that makes of the
 * time. Throws if there was no good answer at all, or if it takes 15 s longer than it should. */
export async function runH2load(
  request: LoadRequest,
  ratePerSecond: number | null,
): Promise<H2loadResult> {
  const requestsMin = HTTP2_CONNECTIONS * HTTP2_STREAMS; // one for each stream; h2load refuses fewer than connections
  const length =
    ratePerSecond === null
      ? ["-D", String(request.seconds)]
      : ["-n", String(Math.max(requestsMin, Math.round(ratePerSecond * request.seconds)))];
  const printed = await runChild(
    [
      ...["h2load", "-c", String(HTTP2_CONNECTIONS), "-m", String(HTTP2_STREAMS), ...length],
      ...[`--connect-to=127.0.0.1:${request.port}`, `http://${request.host}/`],
    ],
    { core: LOAD_CORE, killAfterMs: request.seconds * 1_000 + LOAD_GRACE_MS },
  );
  return figuresOf(printed);
}

/** Reads the lines that h2load ends with. */
function figuresOf(printed: string): H2loadResult {
  const counts = /^requests: (\d+) total, .* (\d+) failed,/m.exec(printed);
  const redirects = /^status codes: \d+ 2xx, (\d+) 3xx,/m.exec(printed);
  const rate = /^finished in \S+, ([\d.]+) req\/s,/m.exec(printed);
  const times = /^time for request: +\S+ +(\S+) +(\S+) /m.exec(printed);
  if (counts === null || redirects === null || rate === null || times === null) {
    throw new Error(`h2load printed no result: ${printed.slice(-300)}`);
  }
  const errors = Number(counts[2]) + Number(redirects[1]); // h2load takes a 3xx for a success
  const requests = Number(counts[1]) - errors;
  if (requests <= 0) {
    throw new Error(`h2load got no good answer: ${counts[0]}…`);
  }
  return {
    requests,
    requestsPerSecond: Number(rate[1]),
    meanMs: milliseconds(times[2]),
    maxMs: milliseconds(times[1]),
    errors,
  };
}

/** Reads a time such as `36us`, `5.47ms` or `1.20s`. */
function milliseconds(text = ""): number {
  const [, digits, unit = ""] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  const scale = MS_PER_UNIT[unit];
  if (scale === undefined) {
    throw new Error(`h2load printed ${JSON.stringify(text)} for a time`);
  }
  return Number(digits) * scale;
}
