/**
 * A client whose bytes are carried as they are, or who has said nothing yet. For the silent one the
 * target is dialled meanwhile and whoever speaks first decides: the server, and it is opaque; the
 * client, and its first bytes are looked at as the acceptor would have, however late they come. So
 * MySQL and SMTP need no list of ports and wait for no timeout.
 *
 *   dialling ──▶ both silent ──server──▶ tunnel
 *                 │   │ └──server, HTTP──▶ let go of it, the client is silent ──client, opaque──▶ dialling
 *                 │   └──client, too little──▶ deadline ──▶ as if that were all
 *                 └──client──▶ HTTP/1, HTTP/2, TLS for us, or tunnel
 *
 * A server of HTTP may speak first too (protocol/server-words.ts). Were that a tunnel, a client that waits
 * would get past all that is looked at in requests, and could say itself who it is.
 */
import { CONTENT_TYPE_HANDSHAKE } from "../codec/tls/record.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { INPUT } from "../net/arena.ts";
import { BROKEN, type Connection, END } from "../net/connection.ts";
import { detect } from "../protocol/detect.ts";
import { type Denial, denialOf, isOpaque, unjudgedPort } from "./admit.ts";
import type { ClientOrigin } from "./client.ts";
import { ClientConnection } from "./client-connection.ts";
import { ClosingClient } from "./closing-client.ts";
import type { Context } from "./context.ts";
import { counterOfAnswer, type ProxyErrorCode } from "./errors.ts";
import { http1Client, http2Client } from "./http-clients.ts";
import { FAILFAST_MS, LATE_HELLO_MS } from "./limits.ts";
import { ListeningServer } from "./listening-server.ts";
import { EndpointDial } from "./open-tunnel.ts";
import { routeTo } from "./router.ts";
import { Upstream } from "./upstream.ts";

export class OpaqueClient extends ClientConnection {
  /** false: opaque for certain. */
  #isUndecided: boolean;
  #dial: EndpointDial | null = null;
  #server: ListeningServer | null = null;
  /** Its server spoke first and speaks HTTP: it was let go of until the client speaks. */
  #isHttpServer = false;
  /** Until then a server that speaks first is not believed: the client's hello may be on its way. */
  #heldUntilMs = 0;
  /** Then what the client has said decides, if it was too little; it may also stay silent. */
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
    if (!this.isOpen) return;
    const isUnderWay = this.#dial !== null || this.#server !== null || this.#isHttpServer;
    if (isUnderWay && denialOf(this.context, this.origin) === null) {
      // Or TLS has more to be looked at.
      this.readable ||= this.tls?.hasMore === true;
      return this.onReady();
    }
    this.#callOff();
    this.#judge();
  }

  protected override onReady(): void {
    if (this.hasError) return this.close();
    const isHeard = this.#server !== null || this.#isHttpServer || this.#mayBeTls;
    if (this.readable && isHeard) this.#lookAtClient(false);
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
    this.#isHttpServer = false;
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
    this.#server = new ListeningServer(this.context, dial, endpoint, () => this.#onServerSpoke());
    if (!this.#isUndecided || (this.#isOpaquePort && !this.#mayBeTls)) return this.#join();
    // What was too little to tell the protocol by is enough where none is looked for.
    if (this.readable || this.#isOpaquePort) this.#lookAtClient(false);
    this.#onServerSpoke();
  }

  /** From what was too little to tell the protocol by on. */
  #startDeadline(): void {
    const { nowMs } = this.io.loop.clock;
    if (this.#deadlineMs !== 0 || (this.#server === null && !this.#isHttpServer)) return;
    const { detectTimeoutMs } = this.context;
    this.#deadlineMs = nowMs + detectTimeoutMs;
    this.arm(this.#heldUntilMs > nowMs ? this.#heldUntilMs - nowMs : detectTimeoutMs);
  }

  #onServerSpoke(): void {
    const words = this.#server?.hear() ?? null;
    if (words === null) return;
    if (words === "http" && !this.#isOpaquePort) return this.#awaitClient();
    const heldMs = this.#heldUntilMs - this.io.loop.clock.nowMs;
    if (heldMs > 0) return this.arm(heldMs);
    if (words === "unsure" && !this.#isOpaquePort) return this.#startDeadline();
    const { target } = this.origin;
    const { clock } = this.io.loop;
    if (target !== null) this.context.learned.remember(target.ip, target.port, clock.nowMs);
    this.context.count("server_spoke_first");
    this.#join();
  }

  /** The server waits for a request, or would not any more: the client has not asked for anything. */
  #awaitClient(): void {
    this.#isHttpServer = true;
    this.#dropServer();
    if (this.readable) this.#lookAtClient(false);
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

  /** The client has spoken, before the server did or to one of HTTP. */
  #lookAtClient(isFinal: boolean): void {
    const { arena } = this.io;
    const count = this.peek(INPUT);
    if (count === BROKEN) return this.close();
    if (count === END) return this.#isHttpServer ? this.close() : this.#join();
    if (count < 0) {
      this.readable = false;
      return;
    }
    const isHello = this.#mayBeTls && arena.bytes[INPUT] === CONTENT_TYPE_HANDSHAKE;
    const isLast = isFinal || this.hasEnded || (this.#isOpaquePort && !isHello);
    const verdict = detect(arena.bytes, INPUT, INPUT + count, isLast);
    if (verdict.kind === "incomplete") {
      this.readable = false;
      return this.#startDeadline();
    }
    if (this.#mayBeTls) {
      if (this.context.mesh.isOurs(verdict.sni)) return this.#become(this.context.terminateTls);
      const denial = this.#denial;
      if (denial !== null) return this.#refuse(denial);
      // It is looked at again when there is a server.
      if (this.#server === null && !this.#isHttpServer) return;
    }
    this.context.count("client_spoke_first");
    if (this.#isOpaquePort) return this.#join();
    const isHttp = verdict.protocol === "http1" || verdict.reason === "malformed-request-line";
    if (verdict.protocol === "http2") return this.#become(http2Client);
    if (!isHttp) return this.#isHttpOnly ? this.#refuse("not-http") : this.#join();
    // A transport header has said already what is spoken, and it was not HTTP.
    if ((this.#server?.endpoint.peer?.port ?? null) === null) this.#keepServer();
    this.#become(http1Client);
  }

  /** The dialled connection serves the first request, out of the pool. */
  #keepServer(): void {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    server.release();
    new Upstream(this.context, server, server.endpoint, true).finish(true);
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
    if (this.#isHttpServer) return this.#dialAgain();
    if (server === null) return;
    this.#server = null;
    this.joinTunnel(server, server.endpoint, null);
  }

  /** Opaque after all: it goes to a server of HTTP as it is, as it would have without the silence. */
  #dialAgain(): void {
    this.#isHttpServer = false;
    this.#isUndecided = false;
    this.#judge();
  }

  protected override onTimer(): void {
    const denial = this.#denial;
    if (this.#mayBeTls && denial !== null) return this.#refuse(denial);
    if (this.#server === null && !this.#isHttpServer) return this.#refuse(this.endWait());
    const leftMs = this.#deadlineMs - this.io.loop.clock.nowMs;
    if (this.#deadlineMs === 0 || leftMs > 0) {
      // The hold is over: what the server said meanwhile counts.
      if (leftMs > 0) this.arm(leftMs);
      return this.#onServerSpoke();
    }
    this.#deadlineMs = 0;
    this.#lookAtClient(true);
    if (this.#server?.hear() === "unsure") this.#join();
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
    this.#server?.letGo();
    this.#server = null;
  }
}
