/** Destination.Get: a service's endpoints, all of them and then what changes. */

import type { ServiceName } from "../../mesh/service-name.ts";
import { GetDestinationSchema } from "../../proto/destination_pb.ts";
import type { CallInfo } from "../../rpc/server-handle.ts";
import { RpcError, Status } from "../../rpc/status.ts";
import { type Caller, callerOf } from "./caller.ts";
import { noEndpoints, updateFor } from "./destination-messages.ts";
import { exists, type Mesh, parse, serviceIn } from "./mesh.ts";
import { Watch } from "./watch.ts";

export function getDestination(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): AsyncIterable<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  const { path } = parse(GetDestinationSchema, request);
  const { service } = serviceIn(path, caller, mesh);
  return new EndpointsWatch(mesh, caller, service);
}

class EndpointsWatch extends Watch {
  readonly #service: ServiceName;
  /** What was removed before the watcher came is nothing to it. */
  readonly #start: number;
  #cursor = 0;
  /** What was said of there being no endpoints; null: there are some. */
  #saidExists: boolean | null = null;

  constructor(mesh: Mesh, caller: Caller, service: ServiceName) {
    super(mesh, caller, "endpoints", service.canonical);
    const known = mesh.directory.get(service.canonical);
    // The directory's own, so that a thousand watchers keep one.
    this.#service = known?.name ?? service;
    this.#start = known?.log.last ?? 0;
  }

  protected take(): Uint8Array | null {
    const { directory, nowMs, watches } = this.mesh;
    const { canonical } = this.#service;
    const log = directory.get(canonical)?.log ?? null;
    const [cursor, start] = [this.#cursor, this.#start];
    if (log !== null && !log.reaches(cursor, start)) {
      watches.counts.left_behind += 1;
      throw new RpcError(Status.unavailable, "too far behind: begin anew");
    }
    const batch = log?.after(cursor, start) ?? null;
    if (log !== null && batch !== null) {
      const isNews = cursor >= start;
      this.#cursor = batch.cursor;
      this.#saidExists = null;
      if (isNews) watches.told(nowMs() - batch.sinceMs);
      const from = isNews ? `${cursor}` : `${cursor} ${start}`;
      return updateFor(log, batch, from, this.#service);
    }
    const isThere = exists(this.mesh, canonical);
    if ((log?.size ?? 0) > 0 || this.#saidExists === isThere) return null;
    this.#saidExists = isThere;
    return noEndpoints(isThere);
  }
}
