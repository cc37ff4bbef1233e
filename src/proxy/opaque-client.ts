/**
 * A client whose bytes are carried as they are, or who has said nothing yet. For the silent one the
 * target is dialled meanwhile and whoever speaks first decides: the server, and it is opaque; the
 * client, and its first bytes are looked at as the acceptor would have. So MySQL and SMTP need no
 * list of ports and wait for no timeout.
 */
import { CONTENT_TYPE_HANDSHAKE } from "../codec/tls/record.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { CONTENT, INPUT } from "../net/arena.ts";
import { BROKEN, Connection, END, type Io, WAIT } from "../net/connection.ts";
import { detect } from "../protocol/detect.ts";
import { type Denial, denialOf, isOpaque, unjudgedPort } from "./admit.ts";
import type { ClientOrigin } from "./client.ts";
import { ClientConnection } from "./client-connection.ts";
import { ClosingClient } from "./closing-client.ts";
import type { Context } from "./context.ts";
import { Downstream } from "./downstream.ts";
import { counterOfAnswer, type ProxyErrorCode } from "./errors.ts";
import { Http2Downstream } from "./http2-downstream.ts";
import { FAILFAST_MS, LATE_HELLO_MS } from "./limits.ts";
import { EndpointDial } from "./open-tunnel.ts";
import { recordClose } from "./outcome.ts";
import { routeTo } from "./router.ts";
import { Upstream } from "./upstream.ts";

/** The dialled server, while nobody has spoken. */
class Listening extends Connection {
  readonly #spoke: () => void;

  constructor(io: Io, from: Connection, spoke: () => void) {
    super(io, from.fd);
    this.#spoke = spoke;
    this.takeOver(from);
  }

  /** It has said something, or will not. Readiness alone can be TLS talking to itself. */
  get hasSpoken(): boolean {
    if (this.readable && this.tls !== null) this.readable = this.peek(CONTENT) !== WAIT;
    return this.readable;
  }

  protected override onReady(): void {
    if (this.hasSpoken) this.#spoke();
  }
  override onDeferred(): void {
    this.onReady();
  }
  override onFault(): void {
    this.#spoke();
  }
}

export class OpaqueClient extends ClientConnection {
  /** false: opaque for certain. */
  #isUndecided: boolean;
  #dial: EndpointDial | null = null;
  #server: Listening | null = null;
  #endpoint: Endpoint | null = null;
  /** Until then a server that speaks first is not believed: the client's hello may be on its way. */
  #heldUntilMs = 0;
  /** Then whatever the client has said decides. */
  #deadlineMs = 0;
  /** Who may not come in unless it proves who it is must have begun to do so by then. */
  #helloByMs = 0;

  constructor(context: Context, fd: number, origin: ClientOrigin, isUndecided: boolean) {
    super(context, fd, origin);
    this.#isUndecided = isUndecided;
  }

  begin(): void {
    const { detectTimeoutMs } = this.context;
    const { nowMs } = this.io.loop.clock;
    this.#helloByMs = nowMs + detectTimeoutMs;
    if (this.#mayBeTls) this.#heldUntilMs = nowMs + Math.min(LATE_HELLO_MS, detectTimeoutMs);
    this.#judge();
  }

  /** Dials, if this client may come in as of now. */
  #judge(): void {
    const isJudged = unjudgedPort(this.context, this.origin) === null;
    if (isJudged && !this.#isUndecided && this.#isHttpOnly) return this.#refuse("not-http");
    // Who must prove who it is may still do so; nothing is dialled for it before.
    if (this.#mayBeTls && this.#denial !== null) {
      this.arm(Math.max(this.#helloByMs - this.io.loop.clock.nowMs, 0));
      return;
    }
    this.arm(FAILFAST_MS);
    this.#lookUp();
  }

  /** Why this client may not come in as of now. Not that a policy has yet to come: that is waited for. */
  get #denial(): Denial | null {
    const isWaiting = unjudgedPort(this.context, this.origin) !== null;
    return isWaiting ? null : denialOf(this.context, this.origin);
  }

  /** What comes may be a hello for us that is late. */
  get #mayBeTls(): boolean {
    const isInbound = this.origin.kind === "inbound" && this.tls === null;
    return this.#isUndecided && isInbound && this.context.mesh.serverName !== null;
  }

  onDirectoryChange(): void {
    if (this.isOpen) this.io.loop.defer(this);
  }

  override onPolicyChange(): void {
    this.onDirectoryChange();
  }

  /** What was opened for a client that may not come in any more is closed; it may still prove itself. */
  override onDeferred(): void {
    const isUnderWay = this.#dial !== null || this.#server !== null;
    if (!this.isOpen || (isUnderWay && denialOf(this.context, this.origin) === null)) return;
    this.#callOff();
    this.#judge();
  }

  protected override onReady(): void {
    if (this.hasError) return this.close();
    if (this.readable && (this.#server !== null || this.#mayBeTls)) this.#lookAtClient(false);
  }

  override onFault(): void {
    this.close();
  }

  drain(): void {
    if (this.#isUndecided && !this.readable) this.close();
  }

  protected override onClosing(): void {
    this.#callOff();
  }

  #callOff(): void {
    this.context.directory.stopWaiting(this);
    this.#dial?.cancel();
    this.#dropServer();
  }

  #lookUp(): void {
    const { authority } = this.origin;
    if (authority === null) return this.#refuse("no-target");
    const route = routeTo(this.context, this.origin, authority);
    if (route.kind === "refused") return this.#refuse(route.code);
    if (route.kind === "unknown") {
      if (!this.waitFor(route.missing, this)) this.#refuse("overloaded");
      return;
    }
    this.endWait();
    if (!this.context.enter()) return this.#refuse(this.context.tooMany);
    this.#dial = new EndpointDial(
      this.context,
      route,
      (dial, endpoint) => this.#onOpen(dial, endpoint),
      (code) => {
        this.#dial = null;
        this.context.leave();
        this.#refuse(code);
      },
    );
    this.#dial.start();
  }

  #onOpen(dial: Connection, endpoint: Endpoint): void {
    this.#dial = null;
    this.#endpoint = endpoint;
    this.#server = new Listening(this.io, dial, () => this.#onServerSpoke());
    if (!this.#isUndecided || (this.#isOpaquePort && !this.#mayBeTls)) return this.#join();
    this.#deadlineMs = this.io.loop.clock.nowMs + this.context.detectTimeoutMs;
    this.arm(this.context.detectTimeoutMs);
    // What was too little to tell the protocol by is enough where none is looked for.
    if (this.readable || this.#isOpaquePort) this.#lookAtClient(false);
    if (this.#server?.hasSpoken) this.#onServerSpoke();
  }

  #onServerSpoke(): void {
    const heldMs = this.#heldUntilMs - this.io.loop.clock.nowMs;
    if (heldMs > 0) return this.arm(heldMs);
    const { target } = this.origin;
    const { clock } = this.io.loop;
    if (target !== null) this.context.learned.remember(target.ip, target.port, clock.nowMs);
    this.context.count("server_spoke_first");
    this.#join();
  }

  /** What the target speaks was said, and it is HTTP: other bytes are not for it. */
  get #isHttpOnly(): boolean {
    const { speaks } = this.origin;
    return (speaks === "http1" || speaks === "http2") && !this.#isOpaquePort;
  }

  /** By policy no bytes are looked at, but for those of a hello that asks for us. */
  get #isOpaquePort(): boolean {
    return isOpaque(this.context, this.origin);
  }

  /** The client spoke before the server did. */
  #lookAtClient(isFinal: boolean): void {
    const { arena } = this.io;
    const count = this.peek(INPUT);
    if (count === BROKEN) return this.close();
    if (count === END) return this.#join();
    if (count < 0) {
      this.readable = false;
      if (isFinal) this.#join();
      return;
    }
    const isHello = this.#mayBeTls && arena.bytes[INPUT] === CONTENT_TYPE_HANDSHAKE;
    const isLast = isFinal || (this.#isOpaquePort && !isHello);
    const verdict = detect(arena.bytes, INPUT, INPUT + count, isLast);
    if (verdict.kind === "incomplete") {
      this.readable = false;
      return;
    }
    if (this.#mayBeTls) {
      if (this.context.mesh.isOurs(verdict.sni)) return this.#become(this.context.terminateTls);
      const denial = this.#denial;
      if (denial !== null) return this.#refuse(denial);
      // It is looked at again when there is a server.
      if (this.#server === null) return;
    }
    this.context.count("client_spoke_first");
    if (this.#isOpaquePort) return this.#join();
    const isHttp = verdict.protocol === "http1" || verdict.reason === "malformed-request-line";
    if (verdict.protocol === "http2") return this.#become(http2Client);
    if (!isHttp) return this.#isHttpOnly ? this.#refuse("not-http") : this.#join();
    // A transport header has said already what is spoken, and it was not HTTP.
    if ((this.#endpoint?.peer?.port ?? null) === null) this.#keepServer();
    this.#become(http1Client);
  }

  /** The dialled connection serves the first request, out of the pool. */
  #keepServer(): void {
    const server = this.#server;
    const endpoint = this.#endpoint;
    if (server === null || endpoint === null) return;
    this.context.balancer.release(endpoint, true);
    this.context.leave();
    this.#server = null;
    new Upstream(this.context, server, endpoint, true).finish(true);
  }

  #become(make: Context["terminateTls"]): void {
    this.retire();
    this.#callOff();
    const client = make(this.context, this.fd, this.origin);
    client.takeOver(this);
    this.context.clients.add(client);
    client.begin();
  }

  #join(): void {
    const server = this.#server;
    const endpoint = this.#endpoint;
    if (server === null || endpoint === null) return;
    this.#server = null;
    this.joinTunnel(server, endpoint, null);
  }

  protected override onTimer(): void {
    const denial = this.#denial;
    if (this.#mayBeTls && denial !== null) return this.#refuse(denial);
    if (this.#server === null) return this.#refuse(this.endWait());
    const leftMs = this.#deadlineMs - this.io.loop.clock.nowMs;
    if (leftMs <= 0) return this.#lookAtClient(true);
    // The hold is over: what the server said meanwhile counts.
    this.arm(leftMs);
    if (this.#server.hasSpoken) this.#onServerSpoke();
  }

  #refuse(code: ProxyErrorCode): void {
    this.context.count(counterOfAnswer(code));
    // Nothing failed, it is only not for us: a FIN, also over bytes that nobody has read.
    if (code === "not-http" || code === "no-target") new ClosingClient(this, true).begin();
    else this.close();
  }

  #dropServer(): void {
    if (this.#dial !== null) this.context.leave();
    this.#dial = null;
    if (this.#server === null || this.#endpoint === null) return;
    this.context.leave();
    this.context.balancer.release(this.#endpoint, true);
    recordClose(this.context, this.#endpoint.series, 0, 0);
    this.#server.close();
    this.#server = null;
  }
}

function http1Client(context: Context, fd: number, origin: ClientOrigin): ClientConnection {
  return new Downstream(context, fd, origin);
}

function http2Client(context: Context, fd: number, origin: ClientOrigin): ClientConnection {
  return new Http2Downstream(context, fd, origin);
}
