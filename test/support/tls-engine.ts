/**
 * One end of TLS between two memory buffers, for hostile peers: OpenSSL with everything allowed that
 * the sidecar forbids (old versions, tickets, early data, any certificate), and the bytes of each
 * record in the hands of the test. Nothing here checks anybody.
 */
import { Arena, CONTENT, INPUT, INPUT_BYTES, OUTPUT } from "../../src/net/arena.ts";
import { type CFunction, type CSignature, type CType, runtime } from "../../src/net/runtime.ts";

const f = (result: CType, ...args: CType[]): CSignature => ({ args, result });

const SSL_FUNCTIONS = {
  TLS_method: f("address"),
  SSL_CTX_new: f("address", "address"),
  SSL_CTX_ctrl: f("i32", "address", "i32", "i64", "address"),
  SSL_CTX_set_options: f("size", "address", "size"),
  SSL_CTX_set_num_tickets: f("i32", "address", "size"),
  SSL_CTX_set_max_early_data: f("i32", "address", "u32"),
  SSL_CTX_set_security_level: f("i32", "address", "i32"),
  SSL_CTX_set_cipher_list: f("i32", "address", "address"),
  SSL_CTX_use_certificate_ASN1: f("i32", "address", "i32", "address"),
  SSL_CTX_use_PrivateKey: f("i32", "address", "address"),
  SSL_CTX_set_alpn_protos: f("i32", "address", "address", "u32"),
  SSL_CTX_set_verify: f("i32", "address", "i32", "address"),
  SSL_CTX_set_cert_verify_callback: f("i32", "address", "address", "address"),
  SSL_new: f("address", "address"),
  SSL_free: f("i32", "address"),
  SSL_set_bio: f("i32", "address", "address", "address"),
  SSL_set_accept_state: f("i32", "address"),
  SSL_set_connect_state: f("i32", "address"),
  SSL_ctrl: f("i32", "address", "i32", "i64", "address"),
  SSL_do_handshake: f("i32", "address"),
  SSL_read: f("i32", "address", "address", "i32"),
  SSL_write: f("i32", "address", "address", "i32"),
  SSL_write_early_data: f("i32", "address", "address", "size", "address"),
  SSL_get_early_data_status: f("i32", "address"),
  SSL_shutdown: f("i32", "address"),
  SSL_key_update: f("i32", "address", "i32"),
  SSL_renegotiate: f("i32", "address"),
  SSL_get_error: f("i32", "address", "i32"),
  SSL_version: f("i32", "address"),
  SSL_get1_session: f("address", "address"),
  SSL_set_session: f("i32", "address", "address"),
  SSL_SESSION_is_resumable: f("i32", "address"),
  SSL_get1_peer_certificate: f("address", "address"),
} as const satisfies Record<string, CSignature>;

const CRYPTO_FUNCTIONS = {
  BIO_s_mem: f("address"),
  BIO_new: f("address", "address"),
  BIO_read: f("i32", "address", "address", "i32"),
  BIO_write: f("i32", "address", "address", "i32"),
  d2i_X509: f("address", "address", "address", "i64"),
  i2d_X509: f("i32", "address", "address"),
  X509_free: f("i32", "address"),
  d2i_AutoPrivateKey: f("address", "address", "address", "i64"),
  EVP_PKEY_free: f("i32", "address"),
  ERR_peek_error: f("u32"),
  ERR_clear_error: f("i32"),
} as const satisfies Record<string, CSignature>;

type Names = keyof typeof SSL_FUNCTIONS | keyof typeof CRYPTO_FUNCTIONS;

const SSL_CTRL_EXTRA_CHAIN_CERT = 14;
const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
const SSL_OP_ALL_OLD = 0x00040004;
const SSL_ERROR_SSL = 1;
const SSL_ERROR_ZERO_RETURN = 6;
const REASON_MASK = 0x7fffff;

export const TLS1_0 = 0x0301;
export const TLS1_1 = 0x0302;
export const TLS1_2 = 0x0303;
export const TLS1_3 = 0x0304;

const ssl = {
  ...runtime.openLibrary("libcrypto.so.3", CRYPTO_FUNCTIONS),
  ...runtime.openLibrary("libssl.so.3", SSL_FUNCTIONS),
} as unknown as Readonly<Record<Names, CFunction>>;

const arena = new Arena(1);
const { bytes, view, address } = arena;
/** A pointer, or a length. */
const POINTER = CONTENT;

/** Whoever has no certificate presents none. */
export type PartyOptions = {
  readonly role: "client" | "server";
  /** DER, leaf first. */
  readonly certificates?: readonly Uint8Array[];
  /** PKCS#8 DER, of any kind of key. */
  readonly key?: Uint8Array;
  readonly alpn?: readonly string[];
  /** TLS 1.0 to 1.3 unless said. */
  readonly minVersion?: number;
  readonly maxVersion?: number;
  /** Servers: gives tickets out that allow so much early data. */
  readonly earlyDataBytes?: number;
};

/** What the connections of one peer have in common; lives as long as the process. */
export class TlsParty {
  readonly options: PartyOptions;
  readonly #context: number;

  constructor(options: PartyOptions) {
    this.options = options;
    this.#context = ssl.SSL_CTX_new(ssl.TLS_method());
    const { minVersion = TLS1_0, maxVersion = TLS1_3 } = options;
    ssl.SSL_CTX_set_security_level(this.#context, 0);
    ssl.SSL_CTX_set_options(this.#context, SSL_OP_ALL_OLD);
    ssl.SSL_CTX_set_cipher_list(this.#context, putText("ALL:@SECLEVEL=0"));
    this.#control(SSL_CTRL_SET_MIN_PROTO_VERSION, minVersion, 0);
    this.#control(SSL_CTRL_SET_MAX_PROTO_VERSION, maxVersion, 0);
    const early = options.earlyDataBytes ?? 0;
    ssl.SSL_CTX_set_num_tickets(this.#context, early > 0 ? 2 : 0);
    if (early > 0) ssl.SSL_CTX_set_max_early_data(this.#context, early);
    this.#present();
    const names = (options.alpn ?? []).flatMap((name) => [name.length, ...Buffer.from(name)]);
    if (names.length > 0) {
      ssl.SSL_CTX_set_alpn_protos(this.#context, put(Uint8Array.from(names)), names.length);
    }
  }

  #present(): void {
    const { certificates: [leaf, ...others] = [], key } = this.options;
    if (leaf === undefined || key === undefined) return;
    check(ssl.SSL_CTX_use_certificate_ASN1(this.#context, leaf.length, put(leaf)), "certificate");
    for (const other of others) {
      view.setBigUint64(POINTER, BigInt(put(other)), true);
      const certificate = ssl.d2i_X509(0, address + POINTER, other.length);
      check(this.#control(SSL_CTRL_EXTRA_CHAIN_CERT, 0, certificate), "chain");
    }
    view.setBigUint64(POINTER, BigInt(put(key)), true);
    const parsed = ssl.d2i_AutoPrivateKey(0, address + POINTER, key.length);
    check(parsed === 0 ? 0 : 1, "key");
    check(ssl.SSL_CTX_use_PrivateKey(this.#context, parsed), "key");
    ssl.EVP_PKEY_free(parsed);
  }

  #control(command: number, number: number, pointer: number): number {
    return ssl.SSL_CTX_ctrl(this.#context, command, number, pointer);
  }

  /** A new connection; `sni` is what a client asks for. */
  engine(sni: string | null = null): TlsEngine {
    return new TlsEngine(this.#context, this.options.role, sni);
  }
}

export class TlsEngine {
  state: "waiting" | "done" | "failed" = "waiting";
  /** How the peer's stream ended, as far as TLS tells. */
  end: "open" | "close_notify" | "failed" = "open";
  /** OpenSSL's number of what went wrong; from 1,000 on an alert that came. */
  reason = 0;
  #address: number;
  readonly #in: number;
  readonly #out: number;

  constructor(context: number, role: "client" | "server", sni: string | null) {
    this.#address = ssl.SSL_new(context);
    this.#in = ssl.BIO_new(ssl.BIO_s_mem());
    this.#out = ssl.BIO_new(ssl.BIO_s_mem());
    ssl.SSL_set_bio(this.#address, this.#in, this.#out);
    if (role === "server") ssl.SSL_set_accept_state(this.#address);
    else ssl.SSL_set_connect_state(this.#address);
    if (sni !== null) {
      ssl.SSL_ctrl(this.#address, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, putText(sni));
    }
  }

  /** Takes what came from the peer. */
  feed(received: Uint8Array): void {
    for (let at = 0; at < received.length; at += INPUT_BYTES) {
      const part = received.subarray(at, at + INPUT_BYTES);
      bytes.set(part, INPUT);
      ssl.BIO_write(this.#in, address + INPUT, part.length);
    }
  }

  /** What is to be sent to the peer. */
  drain(): Buffer {
    const parts: Uint8Array[] = [];
    for (;;) {
      const count = ssl.BIO_read(this.#out, address + INPUT, INPUT_BYTES);
      if (count <= 0) return Buffer.concat(parts);
      parts.push(bytes.slice(INPUT, INPUT + count));
    }
  }

  handshake(): void {
    if (this.state !== "waiting") return;
    const result = ssl.SSL_do_handshake(this.#address);
    if (result === 1) this.state = "done";
    else if (this.#isFatal(result)) this.state = "failed";
  }

  /** Plaintext that has come. */
  read(): Buffer {
    const parts: Uint8Array[] = [];
    while (this.end === "open") {
      const count = ssl.SSL_read(this.#address, address + INPUT, INPUT_BYTES);
      if (count > 0) {
        parts.push(bytes.slice(INPUT, INPUT + count));
        continue;
      }
      if (ssl.SSL_get_error(this.#address, count) === SSL_ERROR_ZERO_RETURN) {
        this.end = "close_notify";
      } else if (this.#isFatal(count)) this.end = "failed";
      break;
    }
    return Buffer.concat(parts);
  }

  write(plaintext: Uint8Array): void {
    for (let at = 0; at < plaintext.length; at += INPUT_BYTES) {
      const part = plaintext.subarray(at, at + INPUT_BYTES);
      bytes.set(part, OUTPUT);
      const count = ssl.SSL_write(this.#address, address + OUTPUT, part.length);
      if (count !== part.length) throw new Error(`SSL_write: ${count} of ${part.length}`);
    }
  }

  /** Early data (RFC 8446 §2.3): needs a session that allows it, and comes before all else. */
  writeEarly(plaintext: Uint8Array): boolean {
    bytes.set(plaintext, OUTPUT);
    const at = address + OUTPUT;
    return ssl.SSL_write_early_data(this.#address, at, plaintext.length, address + POINTER) === 1;
  }

  get wasEarlyDataTaken(): boolean {
    return ssl.SSL_get_early_data_status(this.#address) === 2;
  }

  /** Puts close_notify into the output. */
  shutdown(): void {
    ssl.SSL_shutdown(this.#address);
    ssl.ERR_clear_error();
  }

  /** Puts a KeyUpdate into the output; `isRequest` asks the peer for one too. */
  keyUpdate(isRequest: boolean): void {
    ssl.SSL_key_update(this.#address, isRequest ? 1 : 0);
    ssl.SSL_do_handshake(this.#address);
  }

  /** As in 0x0304. */
  get version(): number {
    return ssl.SSL_version(this.#address);
  }

  /** A session to resume, or 0 when the peer gave no ticket. Lives as long as the process. */
  session(): number {
    const session = ssl.SSL_get1_session(this.#address);
    return session !== 0 && ssl.SSL_SESSION_is_resumable(session) === 1 ? session : 0;
  }

  resume(session: number): void {
    check(ssl.SSL_set_session(this.#address, session), "session");
  }

  /** The peer's certificate, DER; null without one. */
  peerCertificate(): Buffer | null {
    const certificate = ssl.SSL_get1_peer_certificate(this.#address);
    if (certificate === 0) return null;
    view.setBigUint64(POINTER, BigInt(address + OUTPUT), true);
    const length = ssl.i2d_X509(certificate, address + POINTER);
    ssl.X509_free(certificate);
    return Buffer.from(bytes.slice(OUTPUT, OUTPUT + length));
  }

  free(): void {
    if (this.#address !== 0) ssl.SSL_free(this.#address);
    this.#address = 0;
  }

  #isFatal(result: number): boolean {
    const error = ssl.SSL_get_error(this.#address, result);
    if (error !== SSL_ERROR_SSL) return false;
    this.reason = ssl.ERR_peek_error() & REASON_MASK;
    ssl.ERR_clear_error();
    return true;
  }
}

function put(what: Uint8Array): number {
  bytes.set(what, OUTPUT);
  return address + OUTPUT;
}

function putText(text: string): number {
  return put(new TextEncoder().encode(`${text}\0`));
}

function check(result: number, what: string): void {
  if (Number(result) !== 1) throw new Error(`OpenSSL: ${what}`);
}
