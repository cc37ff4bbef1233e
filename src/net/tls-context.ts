/**
 * What the TLS connections of one role have in common: our certificate, the anchors that peers are
 * checked against, TLS 1.3 and nothing else. No session tickets, no early data, no renegotiation
 * (RFC 8446 §2.2, §2.3): what a connection is allowed was proved on it, not on another one before.
 * A context is replaced when certificates change; connections made with the old one live on.
 */
import { type Arena, CHUNK_BYTES, OUTPUT } from "./arena.ts";
import { type OpenSsl, openssl } from "./openssl.ts";
import { alpnSelection, wireForm } from "./tls-alpn.ts";

export type TlsRole = "server" | "client";

/** Whether a server asks its clients who they are. What they show is checked in any case. */
export type ClientCertificate = "required" | "optional" | "none";

export type TlsOptions = {
  /** DER, leaf first; none for a client that has no identity yet. */
  readonly certificates: readonly Uint8Array[];
  /** PKCS#8 DER; unused without certificates. */
  readonly key: Uint8Array;
  /** Trust anchors, DER. null: OpenSSL checks nothing, because the caller does. */
  readonly roots: readonly Uint8Array[] | null;
  /** Application protocols (RFC 7301): what a client offers, or what a server takes, best first. */
  readonly alpn: readonly string[];
  /** Servers only. */
  readonly clientCertificate: ClientCertificate;
};

/** Something in the certificates or the key that OpenSSL does not take. */
export class TlsContextError extends Error {}

const TLS1_3_VERSION = 0x0304;
const EVP_PKEY_EC = 408;
const SSL_CTRL_MODE = 33;
const SSL_CTRL_CLEAR_MODE = 78;
const SSL_CTRL_SET_READ_AHEAD = 41;
const SSL_CTRL_SET_SESS_CACHE_MODE = 44;
const SSL_CTRL_CHAIN_CERT = 89;
const SSL_CTRL_SET_GROUPS_LIST = 92;
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
/** A write may take less than it is given, and be repeated from another place: a queue's chunk. */
const SSL_MODE_ENABLE_PARTIAL_WRITE = 0x01;
const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x02;
/** With it a read goes on for as long as the peer sends what is no data: KeyUpdate, for ever. */
const SSL_MODE_AUTO_RETRY = 0x04;
/** We send the chain that we were given, not one that OpenSSL makes of the anchors it trusts. */
const SSL_MODE_NO_AUTO_CHAIN = 0x08;
/** An idle connection holds no buffers. */
const SSL_MODE_RELEASE_BUFFERS = 0x10;
const MODES =
  SSL_MODE_ENABLE_PARTIAL_WRITE |
  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
  SSL_MODE_NO_AUTO_CHAIN |
  SSL_MODE_RELEASE_BUFFERS;
const SSL_OP_NO_TICKET = 0x4000;
const SSL_OP_NO_COMPRESSION = 0x20000;
const SSL_OP_NO_RENEGOTIATION = 0x40000000;
/** The suite is the first of ours that the client has too. */
const SSL_OP_CIPHER_SERVER_PREFERENCE = 0x400000;
const OPTIONS =
  SSL_OP_NO_TICKET |
  SSL_OP_NO_COMPRESSION |
  SSL_OP_NO_RENEGOTIATION |
  SSL_OP_CIPHER_SERVER_PREFERENCE;
const SSL_VERIFY_NONE = 0;
const SSL_VERIFY_PEER = 1;
const SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;
/** An anchor need not be self-signed: whoever names an intermediate one trusts just that. */
const X509_V_FLAG_PARTIAL_CHAIN = 0x80000;
/** Intermediates between a leaf and its anchor. */
const DEPTH_MAX = 4;
/** At least 112 bits (NIST SP 800-57): no RSA of 1,024, no SHA-1. */
const SECURITY_LEVEL = 2;

/** Linkerd's suites in its order (linkerd2-proxy, rustls/src/crypto.rs). */
const SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/** With the hybrid group where OpenSSL has it (3.5 and later): what is recorded today stays secret. */
const GROUPS = ["X25519MLKEM768:X25519:P-256:P-384", "X25519:P-256:P-384"];

export class TlsContext {
  readonly role: TlsRole;
  /** `SSL_CTX *`; 0 once freed. */
  #address: number;

  private constructor(role: TlsRole, address: number) {
    this.role = role;
    this.#address = address;
  }

  /** Throws TlsContextError, or OpenSslMissing. */
  static create(arena: Arena, role: TlsRole, options: TlsOptions): TlsContext {
    const ssl = openssl();
    const address = ssl.SSL_CTX_new(ssl.TLS_method());
    const context = new TlsContext(role, address);
    try {
      new Builder(arena, ssl, address).build(role, options);
      return context;
    } catch (error) {
      context.free();
      throw error;
    } finally {
      // The key went through here.
      arena.bytes.fill(0, OUTPUT, OUTPUT + CHUNK_BYTES);
    }
  }

  get address(): number {
    return this.#address;
  }

  /** Connections that use it keep it alive. */
  free(): void {
    if (this.#address !== 0) openssl().SSL_CTX_free(this.#address);
    this.#address = 0;
  }
}

class Builder {
  readonly #arena: Arena;
  readonly #ssl: OpenSsl;
  readonly #context: number;

  constructor(arena: Arena, ssl: OpenSsl, context: number) {
    this.#arena = arena;
    this.#ssl = ssl;
    this.#context = context;
  }

  build(role: TlsRole, options: TlsOptions): void {
    const ssl = this.#ssl;
    const context = this.#context;
    this.#control(SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_3_VERSION, 0);
    this.#control(SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_3_VERSION, 0);
    ssl.SSL_CTX_set_options(context, OPTIONS);
    ssl.SSL_CTX_set_num_tickets(context, 0);
    ssl.SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    this.#control(SSL_CTRL_SET_SESS_CACHE_MODE, 0, 0);
    this.#control(SSL_CTRL_MODE, MODES, 0);
    this.#control(SSL_CTRL_CLEAR_MODE, SSL_MODE_AUTO_RETRY, 0);
    this.#control(SSL_CTRL_SET_READ_AHEAD, 1, 0);
    this.#check(ssl.SSL_CTX_set_ciphersuites(context, this.#text(SUITES)), "the cipher suites");
    this.#setGroups();
    this.#setVerification(role, options);
    if (options.certificates.length > 0) this.#setCertificate(options);
    if (role === "client" && options.alpn.length > 0) this.#offer(options.alpn);
    if (role === "server" && options.alpn.length > 0) this.#take(options.alpn);
  }

  #control(command: number, number: number, pointer: number): number {
    return this.#ssl.SSL_CTX_ctrl(this.#context, command, number, pointer);
  }

  #setGroups(): void {
    for (const groups of GROUPS) {
      if (this.#control(SSL_CTRL_SET_GROUPS_LIST, 0, this.#text(groups)) === 1) return;
      this.#ssl.ERR_clear_error();
    }
    throw new TlsContextError("OpenSSL has none of the key exchange groups");
  }

  #setVerification(role: TlsRole, { roots, clientCertificate }: TlsOptions): void {
    const ssl = this.#ssl;
    const isAsked = role === "client" ? roots !== null : clientCertificate !== "none";
    const isRequired = role === "server" && clientCertificate === "required";
    const mode = isAsked ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
    const required = isRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    ssl.SSL_CTX_set_verify(this.#context, mode | required, 0);
    ssl.SSL_CTX_set_verify_depth(this.#context, DEPTH_MAX);
    const store = ssl.SSL_CTX_get_cert_store(this.#context);
    ssl.X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    for (const root of roots ?? []) {
      const certificate = this.#parse(root, "a trust anchor");
      const added = ssl.X509_STORE_add_cert(store, certificate);
      ssl.X509_free(certificate);
      this.#check(added, "a trust anchor");
    }
  }

  #setCertificate({ certificates: [leaf, ...intermediates], key }: TlsOptions): void {
    const ssl = this.#ssl;
    const context = this.#context;
    if (leaf === undefined) return;
    const at = this.#put(leaf);
    this.#check(ssl.SSL_CTX_use_certificate_ASN1(context, leaf.length, at), "the certificate");
    for (const intermediate of intermediates) {
      const certificate = this.#parse(intermediate, "an intermediate certificate");
      // With a number of 0 the context becomes its owner.
      const added = this.#control(SSL_CTRL_CHAIN_CERT, 0, certificate);
      this.#check(added, "an intermediate certificate");
    }
    const keyAt = this.#put(key);
    const used = ssl.SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_EC, context, keyAt, key.length);
    this.#check(used, "the private key");
    this.#check(ssl.SSL_CTX_check_private_key(context), "a private key for this certificate");
  }

  #offer(alpn: readonly string[]): void {
    const list = wireForm(alpn);
    const failed = this.#ssl.SSL_CTX_set_alpn_protos(this.#context, this.#put(list), list.length);
    this.#check(failed === 0 ? 1 : 0, "the application protocols");
  }

  #take(alpn: readonly string[]): void {
    const { callback, list } = alpnSelection(this.#arena, alpn);
    this.#ssl.SSL_CTX_set_alpn_select_cb(this.#context, callback, list);
  }

  /** Returns the certificate that `der` is, which the caller owns. */
  #parse(der: Uint8Array, what: string): number {
    const { view, address } = this.#arena;
    const at = this.#put(der, POINTER_BYTES);
    view.setBigUint64(OUTPUT, BigInt(at), true);
    const certificate = this.#ssl.d2i_X509(0, address + OUTPUT, der.length);
    this.#check(certificate === 0 ? 0 : 1, what);
    return certificate;
  }

  /** Copies to scratch and returns the address. */
  #put(bytes: Uint8Array, offset = 0): number {
    if (bytes.length > CHUNK_BYTES - POINTER_BYTES) throw new TlsContextError("too large");
    this.#arena.bytes.set(bytes, OUTPUT + offset);
    return this.#arena.address + OUTPUT + offset;
  }

  #text(text: string): number {
    return this.#put(new TextEncoder().encode(`${text}\0`));
  }

  #check(result: number, what: string): void {
    if (Number(result) === 1) return;
    this.#ssl.ERR_clear_error();
    throw new TlsContextError(`OpenSSL does not take ${what}`);
  }
}

const POINTER_BYTES = 8;
