/** What a worker is started with: what every thread gets, and its own number and port. */
import type { MessagePort } from "node:worker_threads";
import type { BalancerName } from "../balancer/tuning.ts";
import type { ThreadStart } from "../mesh/snapshot.ts";

export type WorkerStart = {
  readonly start: ThreadStart;
  /** What its buffers may take, in chunks of the arena. */
  readonly chunks: number;
  readonly worker: number;
  /** eventfd that wakes it. */
  readonly wakeFd: number;
  readonly port: MessagePort;
  /** Addresses of this host, to know a loop when it sees one; 4 or 16 bytes each. */
  readonly ownIps: readonly Uint8Array[];
  readonly balancer: BalancerName;
  readonly accessLog: boolean;
};
