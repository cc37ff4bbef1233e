/** Taking over what the acceptor handed on: from a slot of the ring to a client of the proxy. */
import { formatHostPort, formatIp, type SocketAddress } from "../mesh/address.ts";
import type { ListenerKind, ThreadStart } from "../mesh/snapshot.ts";
import { INBOUND_SERIES, INBOUND_TLS_SERIES, OUTBOUND_SERIES } from "../metrics/series.ts";
import { isOpaque, unjudgedPort } from "../proxy/admit.ts";
import type { ClientOrigin } from "../proxy/client.ts";
import type { ClientConnection } from "../proxy/client-connection.ts";
import type { Context } from "../proxy/context.ts";
import { http1Client, http2Client } from "../proxy/http-clients.ts";
import { OpaqueClient } from "../proxy/opaque-client.ts";
import { recordOpen } from "../proxy/outcome.ts";
import { terminateTls } from "../proxy/tls-client.ts";
import { UnjudgedClient } from "../proxy/unjudged-client.ts";
import { emptyHandOff, type HandOff, type HandOffRing } from "../shared/hand-off-ring.ts";

/** Connections adopted per turn, so that those that live get theirs. */
const ADOPT_MAX = 64;

export class Adopter {
  readonly #context: Context;
  readonly #ring: HandOffRing;
  readonly #start: ThreadStart;
  readonly #handOff = emptyHandOff();

  constructor(context: Context, ring: HandOffRing, start: ThreadStart) {
    this.#context = context;
    this.#ring = ring;
    this.#start = start;
  }

  /** Adopts what waits in the ring. Returns whether anything is left there. */
  adopt(): boolean {
    for (let count = 0; count < ADOPT_MAX; count++) {
      if (!this.#ring.peek(this.#handOff)) return false;
      const { fd, ticket } = this.#handOff;
      const isOurs = this.#context.io.descriptors.adopt(fd, ticket);
      this.#ring.free();
      if (isOurs) this.#serve(this.#handOff);
      else this.#context.count("hand_off_stale");
    }
    return this.#ring.length() > 0;
  }

  #serve(handOff: HandOff): void {
    const context = this.#context;
    const origin = this.#originOf(handOff);
    const client = this.#clientFor(handOff, origin);
    context.rows.add(context.worker, "connections", 1);
    recordOpen(context, origin.series);
    if (!client.register()) return;
    context.clients.add(client);
    client.begin();
  }

  #clientFor({ fd, protocol }: HandOff, origin: ClientOrigin): ClientConnection {
    if (origin.series === INBOUND_TLS_SERIES) {
      return terminateTls(this.#context, fd, origin);
    }
    const isHttp = protocol === "http1" || protocol === "http2";
    if (origin.kind === "forward" || !isHttp) {
      return new OpaqueClient(this.#context, fd, origin, protocol === null);
    }
    const context = this.#context;
    if (unjudgedPort(context, origin) === null) return httpClient(context, fd, origin, protocol);
    return new UnjudgedClient(context, fd, origin, (late) =>
      httpClient(context, fd, late, protocol),
    );
  }

  /** TLS that asks for our name ends here; for another it is the application's. */
  #isOurTls({ protocol, sni }: HandOff, kind: ListenerKind): boolean {
    return kind === "inbound" && protocol === "tls" && this.#context.mesh.isOurs(sni);
  }

  #originOf(handOff: HandOff): ClientOrigin {
    const listener = this.#start.listeners[handOff.listener];
    const kind = listener?.kind ?? "outbound";
    const original = address(handOff.origFamily, handOff.origIp, handOff.origPort);
    const target = original ?? (kind === "inbound" ? this.#start.app : null);
    const peer = address(handOff.peerFamily, handOff.peerIp, handOff.peerPort);
    return {
      kind,
      series: this.#isOurTls(handOff, kind)
        ? INBOUND_TLS_SERIES
        : kind === "inbound"
          ? INBOUND_SERIES
          : OUTBOUND_SERIES,
      authority: listener?.service ?? (target === null ? null : textOf(target)),
      target,
      speaks: original === null && kind === "inbound" ? (this.#start.app?.speaks ?? null) : null,
      peer: peer === null ? "-" : textOf(peer),
      peerIp: peer?.ip ?? null,
      isRedirected: original !== null,
      client: null,
      hasWaited: false,
    };
  }
}

/** What was recognised as HTTP is not HTTP to a port whose policy says that it is opaque. */
function httpClient(
  context: Context,
  fd: number,
  origin: ClientOrigin,
  protocol: "http1" | "http2",
): ClientConnection {
  if (isOpaque(context, origin)) return new OpaqueClient(context, fd, origin, false);
  return protocol === "http1" ? http1Client(context, fd, origin) : http2Client(context, fd, origin);
}

function address(family: 0 | 4 | 6, ip: Uint8Array, port: number): SocketAddress | null {
  return family === 0 ? null : { ip: ip.slice(0, family === 4 ? 4 : 16), port };
}

function textOf(address: SocketAddress): string {
  return formatHostPort(formatIp(address.ip), address.port);
}
