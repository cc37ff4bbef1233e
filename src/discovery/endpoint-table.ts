/**
 * Which endpoint has which row of shared memory, and which number of labels. An endpoint (service,
 * address) keeps both while it stays; they go to another only once no worker can touch them.
 */
import { formatHostPort, formatIp, type SocketAddress } from "../mesh/address.ts";
import type { Endpoint, EndpointPeer, Speaks } from "../mesh/snapshot.ts";
import { EndpointRows } from "../shared/endpoint-rows.ts";
import { ENDPOINTS_MAX } from "../shared/layout.ts";
import type { Memory } from "../shared/memory.ts";
import { Retired } from "./retired.ts";
import type { SeriesAllocator } from "./series-allocator.ts";

export type EndpointAddress = SocketAddress & {
  readonly speaks: Speaks;
  readonly peer: EndpointPeer | null;
  /** See Endpoint. */
  readonly weight?: number;
};

export type Assigned = {
  readonly endpoints: readonly Endpoint[];
  /** Addresses for which there was no row. */
  readonly leftOut: number;
};

export class EndpointTable {
  readonly #rows: EndpointRows;
  readonly #series: SeriesAllocator;
  /** Returns the least version of a snapshot that all workers have taken. */
  readonly #acknowledged: () => number;
  /** By service, then by address. */
  readonly #assigned = new Map<string, Map<string, Endpoint>>();
  readonly #retired = new Retired<Endpoint>();
  readonly #freeRows: number[] = [];
  #rowsUsed = 0;

  constructor(memory: Memory, series: SeriesAllocator, acknowledged: () => number) {
    this.#rows = new EndpointRows(memory);
    this.#series = series;
    this.#acknowledged = acknowledged;
  }

  /**
   * Makes `addresses` the endpoints of a service from snapshot `version` on, in their order, each
   * once. Those that were among them before are the same objects.
   */
  assign(service: string, addresses: readonly EndpointAddress[], version: number): Assigned {
    const former = this.#assigned.get(service);
    const next = new Map<string, Endpoint>();
    let leftOut = 0;
    for (const address of addresses) {
      const target = targetOf(address);
      if (next.has(target)) continue;
      const endpoint = former?.get(target) ?? this.#obtain(service, target, address);
      if (endpoint === null) leftOut++;
      else next.set(target, weighted(endpoint, address));
    }
    for (const [target, endpoint] of former ?? []) {
      if (!next.has(target)) this.#retired.put(keyOf(service, target), endpoint, version);
    }
    if (next.size === 0) this.#assigned.delete(service);
    else this.#assigned.set(service, next);
    return { endpoints: [...next.values()], leftOut };
  }

  /** Frees the rows and labels of retired endpoints that no worker can touch any more. */
  collect(): void {
    if (this.#retired.size === 0) return;
    this.#retired.collect(
      this.#acknowledged(),
      ({ row }) => this.#rows.pending(row) === 0,
      ({ row, series }) => {
        this.#rows.reset(row);
        this.#freeRows.push(row);
        this.#series.free(series);
      },
    );
  }

  #obtain(service: string, target: string, address: EndpointAddress): Endpoint | null {
    const revived = this.#retired.revive(keyOf(service, target));
    if (revived !== null) return revived;
    const row = this.#takeRow();
    if (row === null) return null;
    const series = this.#series.allocate({
      direction: "outbound",
      authority: service,
      target: formatHostPort(formatIp(address.ip), address.port),
      ...(address.peer === null ? {} : { peer: address.peer.identity }),
    });
    return { row, series, ...address };
  }

  #takeRow(): number | null {
    if (this.#freeRows.length === 0 && this.#rowsUsed === ENDPOINTS_MAX) this.collect();
    const freed = this.#freeRows.pop();
    if (freed !== undefined) return freed;
    return this.#rowsUsed < ENDPOINTS_MAX ? this.#rowsUsed++ : null;
  }
}

/** The weight of an endpoint may change; it is the same one all the same. */
function weighted(endpoint: Endpoint, { weight }: EndpointAddress): Endpoint {
  if (endpoint.weight === weight) return endpoint;
  const { weight: _, ...rest } = endpoint;
  return weight === undefined ? rest : { ...rest, weight };
}

/**
 * Another identity at the same address is another endpoint, and so is one that is spoken to in another
 * way: nothing of the old one is its.
 */
function targetOf({ ip, port, speaks, peer }: EndpointAddress): string {
  const address = `${formatHostPort(formatIp(ip), port)} ${speaks}`;
  return peer === null ? address : `${address} ${peer.identity} ${peer.serverName} ${peer.port}`;
}

/** No service name has a space. */
function keyOf(service: string, target: string): string {
  return `${service} ${target}`;
}
