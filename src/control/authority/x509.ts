/**
 * The X.509 library (RFC 5280, RFC 2986), loaded behind the polyfill that its decorators need. It
 * costs about 15 MB of resident memory, so only the control plane imports this file.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

export { x509 };

/** Of every key here: ECDSA on P-256, signed over SHA-256 (RFC 5758 §3.2). */
export const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;
export const ECDSA_SHA256 = { name: "ECDSA", hash: "SHA-256" } as const;

export type Der = Uint8Array<ArrayBuffer>;
