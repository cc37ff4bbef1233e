/**
 * TLS on one connection: an SSL object on the connection's own socket. OpenSSL reads and writes the
 * descriptor itself, so there is one copy less and errno is looked at where it is certain.
 *
 *   new ──handshake: waiting──▶ … ──done──▶ open ──close_notify──▶ END, still writable
 *                       └─failed─▶ `failure` says why
 *
 * A stream that ends without close_notify was cut (RFC 8446 §6.1) and reads as BROKEN, not END.
 */
import { assert } from "../lib/assert.ts";
import { ARGUMENTS, type Arena, CHUNK_BYTES, OUTPUT } from "./arena.ts";
import { libc } from "./libc.ts";
import { type OpenSsl, openssl } from "./openssl.ts";
import { RecordCount } from "./record-count.ts";
import type { TlsContext } from "./tls-context.ts";
import { failureOf, type TlsFailure } from "./tls-failure.ts";

export type Handshake = "waiting" | "done" | "failed";

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

/**
 * What a peer may send in a row that yields no data, beyond a record that is on its way: some 2,000
 * KeyUpdates (RFC 8446 §4.6.3), each of which costs us as much as a small request. OpenSSL itself
 * bounds empty records, alerts and the rest.
 */
const IDLE_BYTES_MAX = 65_536;
/** Bytes on the wire for a byte of data at the most: a record of one byte has 22 around it. */
const WIRE_BYTES_MAX = 24;
/** Then another turn goes on. */
const IDLE_CALLS_MAX = 2;
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
  /** close_notify is on its way. */
  #isEnded = false;
  /** What ended the last read after it had bytes to return: told by the next one. */
  #pending = WAIT;
  /** The last read stopped although there may be more. */
  #isFull = false;
  readonly #rbio: number;
  readonly #records = new RecordCount();
  /** Bytes that came from the socket, modulo 2^32. */
  #receivedBytes = 0;
  /** Of these, those that yielded nothing yet. */
  #idleBytes = 0;
  /** Plaintext that `peek` showed. */
  #ahead: Uint8Array = NOTHING;

  /** `serverName` (RFC 6066 §3) is what a client asks for; null for none, and for servers. */
  constructor(arena: Arena, context: TlsContext, fd: number, serverName: string | null) {
    const ssl = openssl();
    this.#arena = arena;
    this.#ssl = ssl;
    this.#isServer = context.role === "server";
    assert(context.address !== 0, "the TLS context was freed");
    this.#address = ssl.SSL_new(context.address);
    assert(this.#address !== 0, "SSL_new");
    ssl.SSL_set_fd(this.#address, fd);
    this.#rbio = ssl.SSL_get_rbio(this.#address);
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

  /** The stream's end has come, or it broke: what `peek` shows is all that there will be. */
  get isOver(): boolean {
    return this.#pending !== WAIT;
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
   * WAIT or BROKEN as `Connection.read` does. `mayEnd`: the socket has something to say besides.
   */
  read(at: number, max: number, mayEnd: boolean): number {
    if (this.#ahead.length > 0) return this.#readAhead(at, max);
    this.#isFull = false;
    if (this.#pending !== WAIT) return this.#pending;
    const { address } = this.#arena;
    const records = this.#records;
    records.begin();
    let total = 0;
    for (let idleCalls = 0, wasQuiet = false; total < max; ) {
      const count = this.#ssl.SSL_read(this.#address, address + at + total, max - total);
      const came = this.#received();
      if (count > 0) {
        this.#idleBytes = Math.max(0, this.#idleBytes + came - count * WIRE_BYTES_MAX);
        const isAll = records.took(came, count, max - total);
        total += count;
        if (isAll && !mayEnd) return total;
        wasQuiet = false;
        continue;
      }
      records.tookNone(came);
      this.#pending = this.#statusOf(count);
      // A KeyUpdate that OpenSSL held, or still had to answer, ends a read too, without a look at the
      // socket: once more.
      const isUnsure = came === 0 && !wasQuiet && (records.isToBeLearned || total === 0);
      const isEmpty = this.#pending !== WAIT || (came === 0 && !isUnsure);
      wasQuiet = came === 0;
      if (!isUnsure && records.isToBeLearned && this.#ssl.SSL_has_pending(this.#address) === 0) {
        records.learnEmpty();
      }
      if (!isEmpty && this.#isIdle(came)) this.#pending = BROKEN;
      if (isEmpty || this.#pending === BROKEN) return total > 0 ? total : this.#pending;
      if (!isUnsure && ++idleCalls === IDLE_CALLS_MAX) break;
    }
    this.#isFull = true;
    return total > 0 ? total : WAIT;
  }

  /** Bytes that came from the socket since the last call. */
  #received(): number {
    const before = this.#receivedBytes;
    this.#receivedBytes = this.#ssl.BIO_number_read(this.#rbio);
    return (this.#receivedBytes - before) >>> 0;
  }

  /** Counts bytes that yielded no data: a part of a record, or none at all. True: too many. */
  #isIdle(came: number): boolean {
    this.#idleBytes += came;
    if (this.#idleBytes <= IDLE_BYTES_MAX) return false;
    this.failure ??= "protocol";
    return true;
  }

  /** As `read`, but the bytes are there again for the next call. Shows a chunk at the most. */
  peek(at: number): number {
    const had = this.#ahead.length;
    const { bytes } = this.#arena;
    bytes.set(this.#ahead, at);
    this.#ahead = NOTHING;
    const room = CHUNK_BYTES - had;
    const count = room > 0 ? this.read(at + had, room, true) : 0;
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
    // The edge of what has come since the peek may be used up: the socket is to be looked at.
    this.#isFull = true;
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

  /**
   * Sends close_notify: we write no more. False: the socket is full, call it again when it is not. A
   * FIN without it would tell the peer that the stream was cut.
   */
  end(): boolean {
    if (this.#isEnded || !this.#isOpen || this.failure !== null) return true;
    const result = this.#ssl.SSL_shutdown(this.#address);
    const isBlocked =
      result < 0 && this.#ssl.SSL_get_error(this.#address, result) === SSL_ERROR_WANT_WRITE;
    if (result < 0) this.#ssl.ERR_clear_error();
    // Called once more it would read.
    this.#isEnded = !isBlocked;
    return this.#isEnded;
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

  /**
   * What the peer presented, DER, its leaf first; empty when it presented none, null when it was more
   * than is looked at.
   */
  peerChain(): Uint8Array[] | null {
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
    return isUsable ? chain : null;
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
    const result = ssl.SSL_get_verify_result(this.#address);
    this.failure ??= error === SSL_ERROR_SSL ? failureOf(reason, result) : "closed";
  }
}

/** Copies native memory to scratch. */
function copyFrom(arena: Arena, from: number, count: number): void {
  libc.memcpy(arena.address + OUTPUT, from, count);
}
