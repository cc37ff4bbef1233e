/**
 * TLS on one connection: an SSL object on the connection's own socket. OpenSSL reads and writes the
 * descriptor itself, so there is one copy less and errno is looked at where it is certain.
 *
 *   new ──handshake: waiting──▶ … ──done──▶ open ──close_notify──▶ END, still writable
 *                       └─failed─▶ `failure` says why
 *
 * A stream that ends without close_notify was cut (RFC 8446 §6.1) and reads as BROKEN, not END.
 */
import { ARGUMENTS, type Arena, CHUNK_BYTES, OUTPUT } from "./arena.ts";
import { libc } from "./libc.ts";
import { type OpenSsl, openssl } from "./openssl.ts";
import type { TlsContext } from "./tls-context.ts";

export type Handshake = "waiting" | "done" | "failed";

/**
 * Why a handshake failed, or a stream broke; a bounded set, for metric labels. `refused`: the peer
 * sent an alert, so it was us that it did not take.
 */
export type TlsFailure =
  | "closed"
  | "refused"
  | "no-certificate"
  | "untrusted"
  | "expired"
  | "not-yet-valid"
  | "wrong-usage"
  | "version"
  | "protocol";

/** The results of `read`: connection.ts has the same. */
const END = 0;
const WAIT = -1;
const BROKEN = -2;

const SSL_ERROR_SSL = 1;
const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;
const SSL_ERROR_ZERO_RETURN = 6;
const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
const REASON_MASK = 0x7fffff;
const SSL_R_CERTIFICATE_VERIFY_FAILED = 134;
const SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE = 199;
const SSL_R_UNEXPECTED_EOF_WHILE_READING = 294;
const SSL_R_UNSUPPORTED_PROTOCOL = 258;
const SSL_R_WRONG_VERSION_NUMBER = 267;
/** Reasons from here on are 1,000 + the alert that came. */
const SSL_R_ALERT_FIRST = 1_000;
const X509_V_ERR_NOT_YET_VALID = 9;
const X509_V_ERR_EXPIRED = 10;
const X509_V_ERR_INVALID_PURPOSE = 26;

/** Certificates of a chain that are looked at, and the size of each (RFC 8446 allows 16 MiB). */
const CHAIN_MAX = 8;
const CERTIFICATE_BYTES_MAX = 16_384;
const POINTER = ARGUMENTS + 3_072;
const NOTHING: Uint8Array = new Uint8Array(0);

export class TlsSession {
  /** Why it failed, once it has. */
  failure: TlsFailure | null = null;
  /** The peer's certificate was valid until then, milliseconds since 1970; set by who checked it. */
  peerNotAfterMs = Number.POSITIVE_INFINITY;
  readonly #arena: Arena;
  readonly #ssl: OpenSsl;
  readonly #isServer: boolean;
  /** `SSL *`. */
  #address: number;
  #isOpen = false;
  /** What ended the last read after it had bytes to return: told by the next one. */
  #pending = WAIT;
  /** The last read was as long as it was allowed to be. */
  #isFull = false;
  /** Plaintext that `peek` showed. */
  #ahead: Uint8Array = NOTHING;

  /** `serverName` (RFC 6066 §3) is what a client asks for; null for none, and for servers. */
  constructor(arena: Arena, context: TlsContext, fd: number, serverName: string | null) {
    const ssl = openssl();
    this.#arena = arena;
    this.#ssl = ssl;
    this.#isServer = context.role === "server";
    this.#address = ssl.SSL_new(context.address);
    ssl.SSL_set_fd(this.#address, fd);
    if (this.#isServer) ssl.SSL_set_accept_state(this.#address);
    else ssl.SSL_set_connect_state(this.#address);
    if (serverName !== null) {
      const text = new TextEncoder().encode(`${serverName}\0`);
      arena.bytes.set(text, OUTPUT);
      ssl.SSL_ctrl(this.#address, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, arena.address + OUTPUT);
    }
  }

  /** Another read may return something: bytes, or how the stream ended. */
  get hasMore(): boolean {
    return this.#isFull || this.#pending !== WAIT || this.#ahead.length > 0;
  }

  /** Goes on with the handshake; call it upon each readiness until it is over. */
  handshake(): Handshake {
    const result = this.#ssl.SSL_do_handshake(this.#address);
    if (result === 1) {
      this.#isOpen = true;
      return "done";
    }
    const error = this.#ssl.SSL_get_error(this.#address, result);
    if (error === SSL_ERROR_WANT_READ || error === SSL_ERROR_WANT_WRITE) return "waiting";
    this.#fail(error);
    return "failed";
  }

  /**
   * Reads plaintext to `arena.bytes[at, at + max)`, as much as there is. Returns the bytes, or END,
   * WAIT or BROKEN as `Connection.read` does.
   */
  read(at: number, max: number): number {
    if (this.#ahead.length > 0) return this.#readAhead(at, max);
    this.#isFull = false;
    if (this.#pending !== WAIT) return this.#pending;
    const { address } = this.#arena;
    let total = 0;
    while (total < max) {
      const count = this.#ssl.SSL_read(this.#address, address + at + total, max - total);
      if (count <= 0) {
        this.#pending = this.#statusOf(count);
        return total > 0 ? total : this.#pending;
      }
      total += count;
    }
    this.#isFull = true;
    return total;
  }

  /** As `read`, but the bytes are there again for the next call. Shows a chunk at the most. */
  peek(at: number): number {
    const had = this.#ahead.length;
    const { bytes } = this.#arena;
    bytes.set(this.#ahead, at);
    this.#ahead = NOTHING;
    const room = CHUNK_BYTES - had;
    const count = room > 0 ? this.read(at + had, room) : 0;
    if (count > 0) this.#ahead = bytes.slice(at, at + had + count);
    else this.#ahead = bytes.slice(at, at + had);
    return this.#ahead.length > 0 ? this.#ahead.length : count;
  }

  /** Uses up bytes that `peek` has shown. */
  skip(count: number): void {
    this.#ahead = this.#ahead.length > count ? this.#ahead.subarray(count) : NOTHING;
  }

  #readAhead(at: number, max: number): number {
    const count = Math.min(max, this.#ahead.length);
    this.#arena.bytes.set(this.#ahead.subarray(0, count), at);
    this.skip(count);
    return count;
  }

  /**
   * Writes plaintext of `count` bytes at `address`. Returns how many were taken, 0 when the socket
   * is full (the same bytes must come first next time), or BROKEN.
   */
  write(address: number, count: number): number {
    const taken = this.#ssl.SSL_write(this.#address, address, count);
    if (taken > 0) return taken;
    return this.#statusOf(taken) === WAIT ? 0 : BROKEN;
  }

  /** Sends close_notify: we write no more. */
  end(): void {
    if (!this.#isOpen || this.failure !== null) return;
    if (this.#ssl.SSL_shutdown(this.#address) < 0) this.#ssl.ERR_clear_error();
  }

  free(): void {
    if (this.#address !== 0) this.#ssl.SSL_free(this.#address);
    this.#address = 0;
  }

  /** The application protocol that was agreed on, or null. */
  alpn(): string | null {
    const { bytes, view, address } = this.#arena;
    view.setBigUint64(POINTER, 0n, true);
    view.setUint32(POINTER + 8, 0, true);
    const at = address + POINTER;
    this.#ssl.SSL_get0_alpn_selected(this.#address, at, at + 8);
    const length = view.getUint32(POINTER + 8, true);
    if (length === 0 || length > 255) return null;
    copyFrom(this.#arena, Number(view.getBigUint64(POINTER, true)), length);
    return String.fromCharCode(...bytes.subarray(OUTPUT, OUTPUT + length));
  }

  /** Whether OpenSSL has checked a chain, and found it good. Not a statement about whose it is. */
  get isChainValid(): boolean {
    return this.#ssl.SSL_get_verify_result(this.#address) === 0;
  }

  /** What the peer presented, DER, its leaf first; empty when it presented none, or too much. */
  peerChain(): Uint8Array[] {
    const ssl = this.#ssl;
    const leaf = ssl.SSL_get1_peer_certificate(this.#address);
    if (leaf === 0) return [];
    const chain = [this.#der(leaf)];
    ssl.X509_free(leaf);
    // Only at a client the list has the leaf too.
    const list = ssl.SSL_get_peer_cert_chain(this.#address);
    const count = list === 0 ? 0 : ssl.OPENSSL_sk_num(list);
    for (let i = this.#isServer ? 0 : 1; i < count; i++) {
      chain.push(this.#der(ssl.OPENSSL_sk_value(list, i)));
    }
    const isUsable = chain.length <= CHAIN_MAX && chain.every((der) => der.length > 0);
    return isUsable ? chain : [];
  }

  /** Empty when it is too large. */
  #der(certificate: number): Uint8Array {
    const { bytes, view, address } = this.#arena;
    const length = this.#ssl.i2d_X509(certificate, 0);
    if (length <= 0 || length > CERTIFICATE_BYTES_MAX) return NOTHING;
    view.setBigUint64(POINTER, BigInt(address + OUTPUT), true);
    this.#ssl.i2d_X509(certificate, address + POINTER);
    return bytes.slice(OUTPUT, OUTPUT + length);
  }

  #statusOf(result: number): number {
    const error = this.#ssl.SSL_get_error(this.#address, result);
    if (error === SSL_ERROR_WANT_READ || error === SSL_ERROR_WANT_WRITE) return WAIT;
    if (error === SSL_ERROR_ZERO_RETURN) return END;
    this.#fail(error);
    return BROKEN;
  }

  #fail(error: number): void {
    const ssl = this.#ssl;
    const reason = error === SSL_ERROR_SSL ? ssl.ERR_peek_error() & REASON_MASK : 0;
    // Every later call would take the queue's oldest entry for its own.
    ssl.ERR_clear_error();
    this.failure ??= error === SSL_ERROR_SSL ? this.#failureOf(reason) : "closed";
  }

  #failureOf(reason: number): TlsFailure {
    if (reason >= SSL_R_ALERT_FIRST) return "refused";
    switch (reason) {
      case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return "closed";
      case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "no-certificate";
      case SSL_R_UNSUPPORTED_PROTOCOL:
      case SSL_R_WRONG_VERSION_NUMBER:
        return "version";
      case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return this.#verifyFailure();
      default:
        return "protocol";
    }
  }

  #verifyFailure(): TlsFailure {
    switch (this.#ssl.SSL_get_verify_result(this.#address)) {
      case X509_V_ERR_EXPIRED:
        return "expired";
      case X509_V_ERR_NOT_YET_VALID:
        return "not-yet-valid";
      case X509_V_ERR_INVALID_PURPOSE:
        return "wrong-usage";
      default:
        return "untrusted";
    }
  }
}

/** Copies native memory to scratch. */
function copyFrom(arena: Arena, from: number, count: number): void {
  libc.memcpy(arena.address + OUTPUT, from, count);
}
