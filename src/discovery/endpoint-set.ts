/**
 * The endpoints of one service as a control plane tells them, call after call. What was known before
 * a call began stays for a while though the new call has not named it yet: a control plane that was
 * itself restarted learns of its endpoints one by one, and must not shrink anybody's list by that.
 */
import type { Update } from "../proto/destination_pb.ts";
import { ENDPOINTS_MAX } from "../shared/layout.ts";
import type { EndpointAddress } from "./endpoint-table.ts";
import { endpointOf, keyOf, keyOfTold } from "./mesh-address.ts";

/** Sidecars are back within their backoff of 10 s, three times over. */
export const RECONCILE_MS = 30_000;

/**
 * Those of one service that are used: whoever announces more takes rows of shared memory from the
 * others. The rest is known, and takes the place of those that go.
 */
export const USED_MAX = ENDPOINTS_MAX / 4;

type Entry = {
  readonly address: EndpointAddress;
  /** By the call that is under way. */
  readonly isConfirmed: boolean;
};

export class EndpointSet {
  readonly #entries = new Map<string, Entry>();
  /** Until then, by a monotonic clock, what is not confirmed stays. */
  #keptUntilMs = Number.POSITIVE_INFINITY;
  /** Endpoints that made no sense, or were too many, ever. */
  leftOut = 0;

  /** `remembered` is from before this process was started: confirmed by nobody. */
  constructor(remembered: readonly EndpointAddress[]) {
    for (const address of remembered) {
      this.#entries.set(keyOf(address), { address, isConfirmed: false });
    }
  }

  /** Those that are used. */
  get addresses(): readonly EndpointAddress[] {
    return [...this.#entries.values()].slice(0, USED_MAX).map(({ address }) => address);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A call was begun anew: what comes from now on is all there is. */
  begin(nowMs: number): void {
    this.#keptUntilMs = nowMs + RECONCILE_MS;
    for (const [key, { address }] of this.#entries) {
      this.#entries.set(key, { address, isConfirmed: false });
    }
  }

  apply({ update }: Update): void {
    switch (update.case) {
      case "add":
        for (const each of update.value.addrs) this.#add(keyOfTold(each.addr), endpointOf(each));
        break;
      case "remove":
        for (const each of update.value.addrs) this.#entries.delete(keyOfTold(each) ?? "");
        break;
      case "noEndpoints":
        this.#drop(({ isConfirmed }) => isConfirmed);
    }
  }

  /** Lets go of what nobody has confirmed in time. Returns whether there was something. */
  expire(nowMs: number): boolean {
    if (nowMs < this.#keptUntilMs) return false;
    return this.#drop(({ isConfirmed }) => !isConfirmed);
  }

  clear(): void {
    this.#entries.clear();
  }

  #add(key: string | null, address: EndpointAddress | null): void {
    // What it was before is not what it is now, whether that makes sense or not.
    if (key !== null && address === null) this.#entries.delete(key);
    const isFull = this.#entries.size >= ENDPOINTS_MAX && !this.#entries.has(key ?? "");
    if (key === null || address === null || isFull) {
      this.leftOut += 1;
      return;
    }
    this.#entries.set(key, { address, isConfirmed: true });
  }

  #drop(isGone: (entry: Entry) => boolean): boolean {
    const before = this.#entries.size;
    for (const [key, entry] of this.#entries) if (isGone(entry)) this.#entries.delete(key);
    return this.#entries.size < before;
  }
}
