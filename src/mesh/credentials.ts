/** Who a sidecar is and how it proves it: what TLS needs, as plain values that threads can be sent. */

/** Names of a workload; a certificate has one of them, or both. At least one is not null. */
export type Identity = {
  /** `web.default.serviceaccount.identity.outrigger.cluster.local`, in lower case. */
  readonly dns: string | null;
  /** `spiffe://cluster.local/ns/default/sa/web`, byte for byte as certified. */
  readonly uri: string | null;
};

export type Credentials = {
  /** DER; the leaf first, then intermediates up to, but without, the root. */
  readonly certificates: readonly Uint8Array[];
  /** PKCS#8 DER, ECDSA P-256. Never logged, and written only sealed. */
  readonly key: Uint8Array;
  /** Trust anchors, DER. */
  readonly roots: readonly Uint8Array[];
  readonly identity: Identity;
  /** Validity of the leaf, milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};
