/** The streams that are open, counted: by what is watched, and for limits by who watches. */
import { STREAMS_MAX } from "../../rpc/limits.ts";
import { RpcError, Status } from "../../rpc/status.ts";
import * as limits from "../directory/limits.ts";
import type { Caller } from "./caller.ts";

export const WATCH_KINDS = ["endpoints", "profile", "outbound", "inbound", "lease"] as const;
export type WatchKind = (typeof WATCH_KINDS)[number];

/** Upper bounds of the buckets in milliseconds. */
export const LAG_BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000] as const;

export class Watches {
  readonly open = { endpoints: 0, profile: 0, outbound: 0, inbound: 0, lease: 0 };
  readonly counts = { begun: 0, refused: 0, left_behind: 0 };
  /** From a change to its message's being given to the connection's thread, see LAG_BOUNDS_MS. */
  readonly lags: number[] = Array(LAG_BOUNDS_MS.length + 1).fill(0);
  lagSumMs = 0;
  readonly #perConnection = new Map<string, number>();
  readonly #perIdentity = new Map<string, number>();

  /** A stream begins. Throws RESOURCE_EXHAUSTED when there are too many. */
  enter(kind: WatchKind, caller: Caller): void {
    const { connection, identity } = caller;
    const ofConnection = this.#perConnection.get(connection) ?? 0;
    const ofIdentity = this.#perIdentity.get(identity) ?? 0;
    if (ofConnection >= STREAMS_MAX) {
      this.counts.refused += 1;
      throw new RpcError(Status.resourceExhausted, "too many streams on this connection");
    }
    if (ofIdentity >= limits.WATCHES_PER_IDENTITY_MAX) {
      this.counts.refused += 1;
      throw new RpcError(Status.resourceExhausted, `too many streams of ${identity}`);
    }
    this.counts.begun += 1;
    this.open[kind] += 1;
    change(this.#perConnection, connection, 1);
    change(this.#perIdentity, identity, 1);
  }

  /** One that has entered is over. */
  leave(kind: WatchKind, { connection, identity }: Caller): void {
    this.open[kind] -= 1;
    change(this.#perConnection, connection, -1);
    change(this.#perIdentity, identity, -1);
  }

  told(lagMs: number): void {
    const at = LAG_BOUNDS_MS.findIndex((bound) => lagMs <= bound);
    const bucket = at === -1 ? LAG_BOUNDS_MS.length : at;
    this.lags[bucket] = (this.lags[bucket] ?? 0) + 1;
    this.lagSumMs += lagMs;
  }
}

function change(counts: Map<string, number>, key: string, difference: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + difference;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
