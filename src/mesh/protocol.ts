/**
 * What a connection speaks, as far as its first bytes tell. `opaque` is not a failure: it is a
 * connection that is forwarded as bytes. Version and reason belong to whoever decided.
 */
export type Protocol = "http1" | "http2" | "tls" | "opaque";
