/**
 * A new connection to an endpoint. One with an identity is spoken to by mutual TLS, and only if it
 * proves to be who it should; there is no way back to plaintext.
 */
import { encodeTransportHeader } from "../codec/transport-header.ts";
import type { Endpoint, EndpointPeer } from "../mesh/snapshot.ts";
import { OUTPUT } from "../net/arena.ts";
import { Dial, type DialFailure, type DialTls } from "../net/dial.ts";
import type { Context } from "./context.ts";
import { TRANSPORT_ALPN } from "./mesh-tls.ts";

/** What will be spoken, as the transport header tells; null: whatever it is, it is not looked at. */
export type SessionProtocol = "http1" | "http2" | null;

/** Starts it. One of the callbacks is called once, never before this has returned. */
export function dialEndpoint(
  context: Context,
  endpoint: Endpoint,
  timeoutMs: number,
  protocol: SessionProtocol,
  opened: (dial: Dial) => void,
  failed: (why: DialFailure) => void,
): Dial {
  const dial = new Dial(context.io, opened, failed);
  const { peer } = endpoint;
  if (peer === null) {
    dial.start(endpoint, timeoutMs);
    return dial;
  }
  if (context.mesh.clientContext(false) === null) dial.refuse("no-identity");
  else dial.start(endpoint, timeoutMs, secure(context, peer, protocol));
  return dial;
}

function secure(context: Context, peer: EndpointPeer, protocol: SessionProtocol): DialTls {
  const { mesh } = context;
  return {
    context: () => mesh.clientContext(peer.port !== null),
    serverName: peer.serverName,
    isPeer: (tls) => {
      const isPeer = mesh.isServer(tls, peer.identity);
      if (isPeer) context.count("tls_client_handshakes");
      return isPeer;
    },
    greet: (dial) => greet(dial, context, peer, protocol),
  };
}

/** Who did not select the protocol is sent no header, and speaks the inner protocol at once. */
function greet(dial: Dial, context: Context, peer: EndpointPeer, protocol: SessionProtocol): void {
  if (peer.port === null || dial.tls?.alpn() !== TRANSPORT_ALPN) return;
  const header = { port: peer.port, name: "", protocol };
  dial.write(OUTPUT, encodeTransportHeader(header, context.io.arena.bytes, OUTPUT));
}
