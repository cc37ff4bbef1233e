/**
 * A client that speaks TLS for our own name: handshake, then who is it, then what is it for.
 *
 *   handshake ──done──▶ known ──header──▶ HTTP/1 or HTTP/2, as the header says; if it says opaque:
 *     │                   └─no header──▶ HTTP/1, HTTP/2 or opaque by its first bytes; silent: opaque
 *     └─failed, late, nobody we know: closed, and counted by its reason
 *
 * A port that is opaque by its policy is so whatever the header and the bytes say: before the first of
 * them is looked at, the policy is waited for.
 *
 * Nothing of the plaintext is looked at before the client is known.
 */
import { decodeTransportHeader } from "../codec/transport-header.ts";
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { CounterName } from "../metrics/catalog.ts";
import { INPUT } from "../net/arena.ts";
import { BROKEN, END } from "../net/connection.ts";
import type { TlsFailure } from "../net/tls-failure.ts";
import { detect } from "../protocol/detect.ts";
import { isOpaque, unjudgedPort } from "./admit.ts";
import type { ClientOrigin } from "./client.ts";
import { ClientConnection } from "./client-connection.ts";
import { ClosingClient } from "./closing-client.ts";
import type { Context } from "./context.ts";
import type { Handshaking } from "./handshake-gate.ts";
import { http1Client, http2Client } from "./http-clients.ts";
import { HANDSHAKE_TIMEOUT_MS, TLS_SILENCE_MS } from "./limits.ts";
import { TRANSPORT_ALPN } from "./mesh-tls.ts";
import { OpaqueClient } from "./opaque-client.ts";

const Phase = { handshake: 0, header: 1, policy: 2, bytes: 3, over: 4 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

const COUNTERS: Readonly<Record<TlsFailure, CounterName>> = {
  closed: "tls_server_closed",
  refused: "tls_server_refused",
  "no-certificate": "tls_server_no_certificate",
  untrusted: "tls_server_untrusted",
  expired: "tls_server_expired",
  "not-yet-valid": "tls_server_not_yet_valid",
  "wrong-usage": "tls_server_wrong_usage",
  version: "tls_server_version",
  protocol: "tls_server_protocol",
};

/** Takes a client that asks for our name by TLS. */
export function terminateTls(context: Context, fd: number, origin: ClientOrigin): ClientConnection {
  return new TlsClient(context, fd, origin);
}

class TlsClient extends ClientConnection implements Handshaking {
  isInLine = false;
  #phase: Phase = Phase.handshake;
  #isInGate = false;
  #isSilent = true;
  #deadlineMs = 0;
  /** What the transport header says that is spoken; null without one. */
  #said: "http1" | "http2" | "opaque" | null = null;
  /** What is known of the client from its handshake on. */
  #origin: ClientOrigin;

  constructor(context: Context, fd: number, origin: ClientOrigin) {
    super(context, fd, origin);
    this.#origin = origin;
  }

  begin(): void {
    const { serverContext } = this.context.mesh;
    if (serverContext === null || !this.context.handshakes.enter()) {
      this.context.count("tls_server_shed");
      return this.close();
    }
    this.#isInGate = true;
    this.arm(HANDSHAKE_TIMEOUT_MS);
    this.startTls(serverContext, null);
    this.context.handshakes.request(this);
  }

  protected override onReady(): void {
    this.#step();
  }

  override onDeferred(): void {
    if (this.isOpen) this.#step();
  }

  override onFault(): void {
    this.close();
  }

  /** A handshake under way goes on, for the request behind it; the response will say close. */
  drain(): void {
    const isLookedAt = this.#phase === Phase.header || this.#phase === Phase.bytes;
    if (isLookedAt && this.#isSilent) this.close();
  }

  protected override onTimer(): void {
    const { clock } = this.io.loop;
    if (this.#phase === Phase.handshake) this.#refuse("tls_server_timeout");
    else if (this.#phase === Phase.header) this.#refuse("tls_server_transport_header");
    else if (this.#phase === Phase.policy) this.#admitUnjudged();
    else if (this.#isSilent)
      this.#become(new OpaqueClient(this.context, this.fd, this.#origin, true));
    else if (clock.nowMs >= this.#deadlineMs) this.#decide(true);
    else this.arm(this.#deadlineMs - clock.nowMs);
  }

  protected override onClosing(): void {
    this.context.directory.stopWaiting(this);
    this.#leaveGate();
  }

  #leaveGate(): void {
    if (this.#isInGate) this.context.handshakes.leave();
    this.#isInGate = false;
  }

  #step(): void {
    if (this.#phase === Phase.handshake) this.context.handshakes.request(this);
    else if (this.#phase === Phase.header) this.#readHeader();
    else if (this.#phase === Phase.policy) this.#admit();
    else if (this.#phase === Phase.bytes) this.#decide(false);
  }

  onDirectoryChange(): void {
    if (this.#phase === Phase.policy) this.io.loop.defer(this);
  }

  stepHandshake(): void {
    if (this.#phase !== Phase.handshake) return;
    const state = this.handshake();
    const { tls } = this;
    if (state === "waiting" || tls === null) return;
    if (state === "failed") return this.#refuse(COUNTERS[tls.failure ?? "protocol"]);
    const client = this.context.mesh.clientOf(tls);
    if (client === null) return this.#refuse("tls_server_identity");
    this.#leaveGate();
    this.context.count("tls_server_handshakes");
    this.#origin = { ...this.origin, client };
    if (tls.alpn() !== TRANSPORT_ALPN) return this.#admit();
    this.#phase = Phase.header;
    this.arm(this.context.detectTimeoutMs);
    // What came behind the handshake may be here already.
    this.#step();
  }

  /** linkerd2-proxy's transport header: the port behind us, and what is spoken to it. */
  #readHeader(): void {
    const count = this.#peek();
    if (count <= 0) return;
    const result = decodeTransportHeader(this.io.arena.bytes, INPUT, INPUT + count);
    if (result === "incomplete" && this.tls?.isOver !== true) return;
    const isHeader = result !== "incomplete" && !("error" in result);
    const target = isHeader ? this.#targetOf(result.port, result.name) : null;
    if (!isHeader || target === null) return this.#refuse("tls_server_transport_header");
    this.tls?.skip(result.end - INPUT);
    this.#origin = { ...this.#origin, ...target };
    this.#said = result.protocol ?? "opaque";
    this.#admit();
  }

  /** Client and target are known: what the port's policy says counts before what the client says. */
  #admit(): void {
    const port = unjudgedPort(this.context, this.#origin);
    if (port !== null) {
      this.#phase = Phase.policy;
      if (!this.waitFor({ kind: "port", port }, this)) this.#admitUnjudged();
      return;
    }
    const { context } = this;
    context.directory.stopWaiting(this);
    if (isOpaque(context, this.#origin)) return this.#become(this.#opaque());
    if (this.#said === "http1") return this.#become(this.#http1());
    if (this.#said === "http2") return this.#become(this.#http2());
    this.#phase = Phase.bytes;
    const { detectTimeoutMs } = context;
    this.#deadlineMs = this.io.loop.clock.nowMs + detectTimeoutMs;
    this.arm(Math.min(TLS_SILENCE_MS, detectTimeoutMs));
    // Called opaque, it is looked at all the same: what is HTTP to the application is HTTP to us, or
    // whoever is in the mesh could write `l5d-client-id` as he likes. The silent need not wait first.
    if (this.#said === null || this.peek(INPUT) > 0) this.#decide(false);
    else this.#become(new OpaqueClient(context, this.fd, this.#origin, true));
  }

  /** The policy did not come: whatever this client turns out to speak, it is told so. */
  #admitUnjudged(): void {
    this.#origin = { ...this.#origin, hasWaited: true };
    this.#admit();
  }

  /**
   * What was redirected to us keeps its address, and the header its port. Otherwise the port must be
   * the application's: whoever is in the mesh is not thereby let in to all that listens on loopback.
   */
  #targetOf(port: number, name: string): Pick<ClientOrigin, "target" | "authority"> | null {
    const { target, authority, isRedirected } = this.origin;
    if (target === null || name !== "") return null;
    if (target.port === port) return { target, authority };
    if (!isRedirected) return null;
    const moved = { ip: target.ip, port };
    return { target: moved, authority: formatHostPort(formatIp(moved.ip), port) };
  }

  #decide(isLate: boolean): void {
    const count = this.#peek();
    if (count <= 0) return;
    const isFinal = isLate || this.tls?.isOver === true;
    const verdict = detect(this.io.arena.bytes, INPUT, INPUT + count, isFinal);
    if (verdict.kind === "incomplete") return;
    // Refused where HTTP is parsed, with a 400: it must not reach a backend as opaque bytes.
    const isHttp1 = verdict.protocol === "http1" || verdict.reason === "malformed-request-line";
    if (isHttp1) this.#become(this.#http1());
    else if (verdict.protocol === "http2") this.#become(this.#http2());
    else this.#become(this.#opaque());
  }

  /** Shows at INPUT what came so far. Without any, this connection waits, or is over. */
  #peek(): number {
    const count = this.peek(INPUT);
    if (count > 0) this.#isSilent = false;
    if (count === END || count === BROKEN) {
      this.context.count("detect_closed");
      this.close();
    }
    return count;
  }

  #http1(): ClientConnection {
    return http1Client(this.context, this.fd, this.#origin);
  }

  #http2(): ClientConnection {
    return http2Client(this.context, this.fd, this.#origin);
  }

  #opaque(): ClientConnection {
    return new OpaqueClient(this.context, this.fd, this.#origin, false);
  }

  #become(client: ClientConnection): void {
    this.#phase = Phase.over;
    this.retire();
    client.takeOver(this);
    // Of a silent client there is nothing to be read: then the server is looked at.
    client.readable = !this.#isSilent || client.tls?.hasMore === true;
    this.context.clients.add(client);
    client.begin();
  }

  /** An alert may be on its way; bytes that nobody read must not have a reset overtake it. */
  #refuse(counter: CounterName): void {
    this.context.count(counter);
    this.#phase = Phase.over;
    this.#leaveGate();
    this.dropTls();
    new ClosingClient(this, true).begin();
  }
}
