/**
 * Idle HTTP/1 connections, per endpoint, last in first out: the warmest is used again, the rest
 * grow old and close. A connection in the pool watches for the server's close by itself
 * (upstream.ts), so what lies here was alive a turn ago.
 */
import type { Endpoint } from "../mesh/snapshot.ts";
import { POOL_SIZE_MAX } from "./limits.ts";

export interface Poolable {
  readonly endpoint: Endpoint;
  /** It is not so old that the server may be closing it. `mayRepeat`: that would do no harm. */
  isUsable(mayRepeat: boolean): boolean;
  close(): void;
}

/** Whether two values of different snapshots are the same endpoint. */
export function isSame(a: Endpoint, b: Endpoint): boolean {
  return a === b || hasSameAddress(a, b);
}

/** Apart from `isSame`, which every request asks, and mostly with one object twice: no closure there. */
function hasSameAddress(a: Endpoint, b: Endpoint): boolean {
  if (a.peer?.identity !== b.peer?.identity || a.peer?.port !== b.peer?.port) return false;
  return a.port === b.port && a.ip.length === b.ip.length && a.ip.every((x, i) => x === b.ip[i]);
}

export class Pools<T extends Poolable = Poolable> {
  /** By endpoint row; a row that serves another endpoint by now has another `endpoint` object. */
  readonly #idle = new Map<number, T[]>();
  #count = 0;

  /** Takes the connection that was used last, or null: there is none, or none that is usable. */
  take(endpoint: Endpoint, mayRepeat: boolean): T | null {
    const idle = this.#idle.get(endpoint.row);
    const connection = idle?.[idle.length - 1] ?? null;
    if (idle === undefined || connection === null) return null;
    if (!isSame(connection.endpoint, endpoint)) {
      // The row has a new owner: what was kept for the old one goes nowhere any more.
      connection.close();
      return this.take(endpoint, mayRepeat);
    }
    // All others are older. They stay, and tell how long the server keeps them.
    if (!connection.isUsable(mayRepeat)) return null;
    idle.pop();
    this.#count--;
    return connection;
  }

  /** Keeps a connection. False: there are enough, close it. */
  put(connection: T): boolean {
    let idle = this.#idle.get(connection.endpoint.row);
    if (idle === undefined) {
      idle = [];
      this.#idle.set(connection.endpoint.row, idle);
    }
    if (idle.length >= POOL_SIZE_MAX) return false;
    idle.push(connection);
    this.#count++;
    return true;
  }

  /** Takes a connection out that closed or grew too old. */
  remove(connection: T): void {
    const idle = this.#idle.get(connection.endpoint.row);
    const index = idle?.indexOf(connection) ?? -1;
    if (idle === undefined || index === -1) return;
    idle.splice(index, 1);
    this.#count--;
    if (idle.length === 0) this.#idle.delete(connection.endpoint.row);
  }

  get count(): number {
    return this.#count;
  }

  /** Closes the connections to endpoints that a new snapshot does not have. */
  keepOnly(isKnown: (endpoint: Endpoint) => boolean): void {
    for (const idle of [...this.#idle.values()]) {
      for (const connection of [...idle]) {
        if (!isKnown(connection.endpoint)) connection.close();
      }
    }
  }
}
