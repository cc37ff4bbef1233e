/**
 * A fresh key and the request for a certificate of it (RFC 2986), made in the process that will use
 * them: the key leaves it only sealed (kept-identity.ts). Written by hand, 30 lines, because the
 * library of the control plane takes 20 MB of resident memory on Bun, a quarter of a sidecar.
 */
import { bitString, element, integer, oid, Tag } from "../codec/x509/der-writer.ts";
import {
  OID_ECDSA_SHA256,
  OID_EXTENSION_REQUEST,
  OID_SUBJECT_ALT_NAME,
} from "../codec/x509/oids.ts";
import type { Identity } from "../mesh/credentials.ts";

export type KeyAndRequest = {
  /** PKCS#8 DER, ECDSA P-256. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** PKCS#10 DER, signed by the key. */
  readonly csr: Uint8Array<ArrayBuffer>;
};

/** Of r and of s in what WebCrypto returns. */
const P256_BYTES = 32;

const VERSION_1 = Uint8Array.of(0);
const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;

/**
 * Returns a new key and a request for the names of `identity`, both as subject alternative names. The
 * subject is empty: a common name is no identity (RFC 6125 §2.3), and holds 64 characters at most.
 */
export async function makeKeyAndCsr(identity: Identity): Promise<KeyAndRequest> {
  const keys = await crypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const info = element(
    Tag.sequence,
    integer(VERSION_1),
    element(Tag.sequence),
    spki,
    element(Tag.context0, extensionRequest(identity)),
  );
  const signature = await crypto.subtle.sign(SIGNATURE, keys.privateKey, info);
  const csr = element(
    Tag.sequence,
    info,
    element(Tag.sequence, oid(OID_ECDSA_SHA256)),
    bitString(signatureOf(new Uint8Array(signature))),
  );
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { key: new Uint8Array(key), csr };
}

function extensionRequest({ dns, uri }: Identity): Uint8Array {
  const names = [
    ...(dns === null ? [] : [element(Tag.dnsName, ascii(dns))]),
    ...(uri === null ? [] : [element(Tag.uri, ascii(uri))]),
  ];
  const value = element(Tag.octetString, element(Tag.sequence, ...names));
  const extension = element(Tag.sequence, oid(OID_SUBJECT_ALT_NAME), value);
  const extensions = element(Tag.sequence, extension);
  return element(Tag.sequence, oid(OID_EXTENSION_REQUEST), element(Tag.set, extensions));
}

/** RFC 3279 §2.2.3: of two numbers, DER. */
function signatureOf(raw: Uint8Array): Uint8Array {
  const [r, s] = [raw.subarray(0, P256_BYTES), raw.subarray(P256_BYTES)];
  return element(Tag.sequence, integer(r), integer(s));
}

/** Names are ASCII. */
function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
