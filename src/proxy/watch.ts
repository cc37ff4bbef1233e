/**
 * Whoever is told of each request when it is over: the access log and the taps. A worker has one
 * only while there is somebody, so that without it a request costs one comparison and no string.
 */
import type { RequestHead } from "../codec/http1/request-head.ts";
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import {
  TAP_METHOD_CHARS_MAX,
  TAP_TEXT_CHARS_MAX,
  type TapEvent,
  type TapProtocol,
} from "../mesh/tap.ts";
import { accessLine, describeRequest, latin1, type Requested } from "./access-log.ts";
import type { ClientOrigin } from "./client.ts";
import type { Outcome } from "./outcome.ts";
import type { Route } from "./router.ts";
import type { Tap } from "./tap.ts";
import type { Traffic } from "./tunnel.ts";

/** A request that is told of when it is over. */
export type Watched = Requested & {
  readonly protocol: TapProtocol;
  readonly taps: readonly Tap[];
};

/** Of a request, what its head does not say. */
export type Asked = {
  readonly origin: ClientOrigin;
  readonly protocol: TapProtocol;
  /** Where it was found to go. */
  readonly route: Route;
};

const NO_TAPS: readonly Tap[] = [];

export class Watch {
  readonly #access: ((line: string) => void) | null;
  readonly #taps: readonly Tap[];

  /** `access` takes a line of the access log. */
  constructor(access: ((line: string) => void) | null, taps: readonly Tap[]) {
    this.#access = access;
    this.#taps = taps;
  }

  /** Describes a request whose head is in `bytes` at `base`; null when nobody wants to know. */
  describe(bytes: Uint8Array, base: number, head: RequestHead, from: Asked): Watched | null {
    let taps = NO_TAPS;
    for (const tap of this.#taps) {
      if (isWanted(tap, bytes, base, head, from)) taps = [...taps, tap];
    }
    const isLogged = this.#access !== null;
    if (!isLogged && taps.length === 0) return null;
    // One more than is shown tells that it was cut.
    const charsMax = isLogged ? Number.POSITIVE_INFINITY : TAP_TEXT_CHARS_MAX + 1;
    return { ...describeRequest(bytes, base, head, charsMax), protocol: from.protocol, taps };
  }

  /** The request is over. `sends`: how often it went to an endpoint. */
  tell(watched: Watched, outcome: Outcome, origin: ClientOrigin, sends: number): void {
    this.#access?.(accessLine(watched, outcome, origin));
    const { status, latencyUs, endpoint } = outcome;
    for (const tap of watched.taps) {
      if (!tap.hasStatus(status)) continue;
      const { target } = watched;
      const query = tap.order.query ? -1 : target.indexOf("?");
      tap.tell({
        ...sides(origin, endpoint),
        protocol: watched.protocol,
        method: cut(watched.method, TAP_METHOD_CHARS_MAX),
        authority: cut(watched.authority, TAP_TEXT_CHARS_MAX),
        path: cut(query === -1 ? target : target.slice(0, query), TAP_TEXT_CHARS_MAX),
        status,
        latency_us: latencyUs,
        sends,
        read_bytes: null,
        written_bytes: null,
      });
    }
  }

  /** An opaque connection is over, after `lifeUs`. */
  tellTunnel(
    origin: ClientOrigin,
    authority: string,
    endpoint: Endpoint,
    client: Traffic,
    lifeUs: number,
  ): void {
    for (const tap of this.#taps) {
      const { method, path } = tap.order;
      // Who looks for a method, a path or a status looks for requests.
      if (method !== null || path !== null || !tap.isAnyStatus) continue;
      if (!tap.isTo(authority, null) || !tap.wants(origin)) continue;
      tap.tell({
        ...sides(origin, endpoint),
        protocol: "opaque",
        method: "",
        authority: cut(authority, TAP_TEXT_CHARS_MAX),
        path: "",
        status: 0,
        latency_us: lifeUs,
        sends: 1,
        read_bytes: client.bytesRead,
        written_bytes: client.bytesWritten,
      });
    }
  }
}

/** What is cheap to compare comes first. */
function isWanted(
  tap: Tap,
  bytes: Uint8Array,
  base: number,
  head: RequestHead,
  { origin, route }: Asked,
): boolean {
  const { method, path, to } = tap.order;
  if (method !== null) {
    if (head.methodEnd - head.methodStart !== method.length) return false;
    if (!beginsWith(bytes, base + head.methodStart, base + head.methodEnd, method)) return false;
  }
  if (path !== null && !beginsWith(bytes, base + head.targetStart, base + head.targetEnd, path)) {
    return false;
  }
  if (to !== null) {
    const authority = latin1(bytes, base + head.authorityStart, base + head.authorityEnd);
    if (!tap.isTo(authority, route.kind === "service" ? route.service.name : null)) return false;
  }
  return tap.wants(origin) && !tap.isFull();
}

/** Both ends of a request or connection that is over now. */
function sides(
  { client, kind, peer }: ClientOrigin,
  endpoint: Endpoint | null,
): Pick<
  TapEvent,
  "time_ms" | "direction" | "client" | "client_id" | "endpoint" | "server_id" | "mtls"
> {
  const server = endpoint?.peer?.identity ?? null;
  return {
    time_ms: Date.now(),
    direction: kind === "inbound" ? "inbound" : "outbound",
    client: peer,
    client_id: client?.name ?? null,
    endpoint: endpoint === null ? null : formatHostPort(formatIp(endpoint.ip), endpoint.port),
    server_id: server,
    mtls: kind === "inbound" ? client !== null : server !== null,
  };
}

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`;
}

function beginsWith(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (bytes[start + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}
