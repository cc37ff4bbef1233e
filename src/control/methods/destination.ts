/** Destination.Get: a service's endpoints, all of them and then what changes. */
import { GetDestinationSchema } from "../../proto/destination_pb.ts";
import type { CallInfo } from "../../rpc/server-handle.ts";
import { RpcError, Status } from "../../rpc/status.ts";
import { follow } from "../feed.ts";
import { callerOf } from "./caller.ts";
import { noEndpoints, updateFor } from "./destination-messages.ts";
import { endsOf, exists, type Mesh, parse, serviceIn } from "./mesh.ts";

export function getDestination(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): AsyncIterable<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  const { path } = parse(GetDestinationSchema, request);
  const { service } = serviceIn(path, caller, mesh);
  const { canonical } = service;
  const { directory, nowMs, topics, watches } = mesh;
  const log = () => directory.get(canonical)?.log ?? null;
  // What was removed before the watcher came is nothing to it.
  const start = log()?.last ?? 0;
  let cursor = 0;
  /** What was said of there being no endpoints; null: there are some. */
  let saidExists: boolean | null = null;
  const next = (): Uint8Array | null => {
    const current = log();
    if (current !== null && !current.reaches(cursor, start)) {
      watches.counts.left_behind += 1;
      throw new RpcError(Status.unavailable, "too far behind: begin anew");
    }
    const batch = current?.after(cursor, start) ?? null;
    if (current !== null && batch !== null) {
      const from = cursor < start ? `${cursor} ${start}` : `${cursor}`;
      const message = updateFor(current, batch, from, service);
      const isNews = cursor >= start;
      cursor = batch.cursor;
      saidExists = null;
      if (isNews) watches.told(nowMs() - batch.sinceMs);
      return message;
    }
    const isThere = exists(mesh, canonical);
    if ((current?.size ?? 0) > 0 || saidExists === isThere) return null;
    saidExists = isThere;
    return noEndpoints(isThere);
  };
  const subscribe = (wake: () => void) => topics.subscribe(canonical, wake);
  return watches.count("endpoints", caller, follow(next, subscribe, endsOf(mesh, call)));
}
