/** What every HTTP load generator is asked for and answers. */

export const CONNECTIONS = 64;

/** A load that has not ended this long after it should have is killed. */
export const LOAD_GRACE_MS = 15_000;

export interface LoadRequest {
  readonly port: number;
  readonly host: string;
  readonly seconds: number;
}

export interface LoadTotals {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Answers that are not 2xx, connections refused or broken, and requests without an answer. */
  readonly errors: number;
}

export interface LoadResult extends LoadTotals {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}
