/** h2load of nghttp2, a load generator that speaks HTTP/2 by prior knowledge, and what it reports. */
import { runTool } from "../support/tool.ts";

export type Load = {
  readonly requests: number;
  readonly connections: number;
  /** Requests at a time on each connection. */
  readonly streams: number;
};

export type Result = {
  readonly total: number;
  readonly succeeded: number;
  /** Answers with a status from 200 to 299. */
  readonly status2xx: number;
  readonly requestsPerSecond: number;
};

/** Runs the load against `http://127.0.0.1:PORT/`. Throws with the output when there is no report. */
export async function runH2load(
  path: string,
  port: number,
  load: Load,
  args: readonly string[] = [],
): Promise<Result> {
  const { output } = await runTool(path, [
    `-n${load.requests}`,
    `-c${load.connections}`,
    `-m${load.streams}`,
    ...args,
    `http://127.0.0.1:${port}/`,
  ]);
  return readResult(output);
}

/** Reads the closing lines of h2load's output. */
export function readResult(output: string): Result {
  const counts = /^requests: (\d+) total, .* (\d+) succeeded,/m.exec(output);
  const status = /^status codes: (\d+) 2xx,/m.exec(output);
  const rate = /^finished in [^,]+, ([0-9.]+) req\/s/m.exec(output);
  if (counts === null || status === null) throw new Error(`h2load gave no report: ${output}`);
  return {
    total: Number(counts[1]),
    succeeded: Number(counts[2]),
    status2xx: Number(status[1]),
    requestsPerSecond: Number(rate?.[1] ?? 0),
  };
}
