/**
 * OpenSSL 3 (libssl, libcrypto), called by FFI as the C library is. It works on the socket itself
 * and in our arena, on the thread's own loop, alike on both runtimes; the runtimes' own TLS would
 * need their sockets and their loops, and both have let strangers pass (ARCHITECTURE.md; bench/README.md
 * has the costs). It is loaded when the first certificate is, so a sidecar
 * without identity needs none.
 */
import { type CFunction, type CSignature, type CType, runtime } from "./runtime.ts";

const f = (result: CType, ...args: CType[]): CSignature => ({ args, result });

/**
 * `long` results that we use are small; as `i32` they need no BigInt. Of `BIO_number_read` the low
 * half is taken: only differences matter.
 */
const SSL_FUNCTIONS = {
  OPENSSL_init_ssl: f("i32", "size", "address"),
  TLS_method: f("address"),
  SSL_CTX_new: f("address", "address"),
  SSL_CTX_free: f("i32", "address"),
  SSL_CTX_ctrl: f("i32", "address", "i32", "i64", "address"),
  SSL_CTX_set_options: f("size", "address", "size"),
  SSL_CTX_set_num_tickets: f("i32", "address", "size"),
  SSL_CTX_set_ciphersuites: f("i32", "address", "address"),
  SSL_CTX_set_security_level: f("i32", "address", "i32"),
  SSL_CTX_set_verify: f("i32", "address", "i32", "address"),
  SSL_CTX_set_verify_depth: f("i32", "address", "i32"),
  SSL_CTX_get_cert_store: f("address", "address"),
  SSL_CTX_use_certificate_ASN1: f("i32", "address", "i32", "address"),
  SSL_CTX_use_PrivateKey_ASN1: f("i32", "i32", "address", "address", "i64"),
  SSL_CTX_check_private_key: f("i32", "address"),
  SSL_CTX_set_alpn_protos: f("i32", "address", "address", "u32"),
  SSL_CTX_set_alpn_select_cb: f("i32", "address", "address", "address"),
  SSL_new: f("address", "address"),
  SSL_free: f("i32", "address"),
  SSL_set_fd: f("i32", "address", "i32"),
  SSL_set_accept_state: f("i32", "address"),
  SSL_set_connect_state: f("i32", "address"),
  SSL_ctrl: f("i32", "address", "i32", "i64", "address"),
  SSL_do_handshake: f("i32", "address"),
  SSL_read: f("i32", "address", "address", "i32"),
  SSL_write: f("i32", "address", "address", "i32"),
  SSL_has_pending: f("i32", "address"),
  SSL_shutdown: f("i32", "address"),
  SSL_get_rbio: f("address", "address"),
  SSL_get_error: f("i32", "address", "i32"),
  SSL_get_verify_result: f("i32", "address"),
  SSL_get1_peer_certificate: f("address", "address"),
  SSL_get_peer_cert_chain: f("address", "address"),
  SSL_get0_alpn_selected: f("i32", "address", "address", "address"),
} as const satisfies Record<string, CSignature>;

const CRYPTO_FUNCTIONS = {
  d2i_X509: f("address", "address", "address", "i64"),
  i2d_X509: f("i32", "address", "address"),
  X509_free: f("i32", "address"),
  X509_STORE_add_cert: f("i32", "address", "address"),
  X509_STORE_set_flags: f("i32", "address", "size"),
  BIO_number_read: f("u32", "address"),
  OPENSSL_sk_num: f("i32", "address"),
  OPENSSL_sk_value: f("address", "address", "i32"),
  ERR_peek_error: f("u32"),
  ERR_clear_error: f("i32"),
} as const satisfies Record<string, CSignature>;

type Names = keyof typeof SSL_FUNCTIONS | keyof typeof CRYPTO_FUNCTIONS;
export type OpenSsl = Readonly<Record<Names, CFunction>>;

/** One line for whoever started the program. */
export class OpenSslMissing extends Error {}

/**
 * No configuration file (OPENSSL_CONF could switch anything), and nothing torn down at exit, when
 * other threads may still be at work.
 */
const OPENSSL_INIT_NO_LOAD_CONFIG = 0x80;
const OPENSSL_INIT_NO_ATEXIT = 0x80000;

let loaded: OpenSsl | null = null;

/** The functions, loaded upon the first call. Throws OpenSslMissing. */
export function openssl(): OpenSsl {
  loaded ??= load();
  return loaded;
}

function load(): OpenSsl {
  try {
    const functions = {
      ...runtime.openLibrary("libcrypto.so.3", CRYPTO_FUNCTIONS),
      ...runtime.openLibrary("libssl.so.3", SSL_FUNCTIONS),
    } as unknown as OpenSsl;
    functions.OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, 0);
    return functions;
  } catch {
    throw new OpenSslMissing(
      "TLS needs OpenSSL 3, and libssl.so.3 could not be loaded (Debian: apt install libssl3)",
    );
  }
}
