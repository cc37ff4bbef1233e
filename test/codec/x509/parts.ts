/**
 * Certificates put together part by part, so that each part can be wrong. Their signature is none;
 * the reader checks no signature.
 */
import { der, oidDer } from "../../support/certificates.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Made by OpenSSL 3.0.19 with `openssl ca -selfsign`, because it writes what @peculiar/x509 does
 * not: both forms of a date, every type of name, nine bits of usage.
 */
const BASE64_BY_OPENSSL = [
  "MIICszCCAlmgAwIBAgIEAID/ATAKBggqhkjOPQQDAjA6MQswCQYDVQQGEwJERTEUMBIGA1UECgwLUm93aW5nIENsdW",
  "IxFTATBgNVBAMMDG9wZW5zc2wgbWFkZTAgFw00OTAyMDMwNDA1MDZaGA8yMDUwMDIwMzA0MDUwNlowOjELMAkGA1UE",
  "BhMCREUxFDASBgNVBAoMC1Jvd2luZyBDbHViMRUwEwYDVQQDDAxvcGVuc3NsIG1hZGUwWTATBgcqhkjOPQIBBggqhk",
  "jOPQMBBwNCAASaKOl8UnqjJys95Pmduv8eeMIF2lxBUdn8ULYUZVayOE9RrOYJYaOj6NNBsgBGiVatnMNOlSzSCFEe",
  "LaD14I/4o4IBSTCCAUUwEgYDVR0TAQH/BAgwBgEB/wIBAzAPBgNVHQ8BAf8EBQMDB4aAMCkGA1UdJQQiMCAGCCsGAQ",
  "UFBwMBBggrBgEFBQcDAgYKKwYBBAGCNwoDBDAdBgNVHQ4EFgQU9MDrqerChJd7ewbraFo0+g6aE8cwFwYDVR0gBBAw",
  "DjAFBgMqAwQwBQYDiDcFMIG6BgNVHREEgbIwga+CD3dlYi5leGFtcGxlLm9yZ4INKi5leGFtcGxlLm9yZ4Ymc3BpZm",
  "ZlOi8vZXhhbXBsZS5vcmcvbnMvZGVmYXVsdC9zYS93ZWKBD3dlYkBleGFtcGxlLm9yZ4cECgECA4cQ/QAAAAAAAAAA",
  "AAAAAAAAAYgDKgMEpBYwFDESMBAGA1UEAwwJZGlyZWN0b3J5oB8GCisGAQQBgjcUAgOgEQwPd2ViQGV4YW1wbGUub3",
  "JnMAoGCCqGSM49BAMCA0gAMEUCIHFsEeXluJeuvqznWJKsipbuLqr6qq+b95BmURYEJbkCAiEAptah6dP+jnrftpZr",
  "+5IsMGj5f0kpTphRzK2m1n/9vaw=",
];
export const MADE_BY_OPENSSL: Bytes = new Uint8Array(
  Buffer.from(BASE64_BY_OPENSSL.join(""), "base64"),
);

export const OID = {
  keyUsage: oidDer("2.5.29.15"),
  names: oidDer("2.5.29.17"),
  basicConstraints: oidDer("2.5.29.19"),
  purposes: oidDer("2.5.29.37"),
  other: oidDer("1.2.3.4"),
};

const ECDSA_SHA256 = der(0x30, oidDer("1.2.840.10045.4.3.2"));
const P256_KEY = der(
  0x30,
  der(0x30, oidDer("1.2.840.10045.2.1"), oidDer("1.2.840.10045.3.1.7")),
  der(0x03, [0x00, 0x04], new Uint8Array(64)),
);
const NAME = der(0x30, der(0x31, der(0x30, oidDer("2.5.4.3"), der(0x0c, ascii("web")))));

/** Each is the DER of that part; what is not given is right. */
export interface Parts {
  readonly version?: Bytes;
  readonly serial?: Bytes;
  readonly algorithm?: Bytes;
  readonly outerAlgorithm?: Bytes;
  readonly issuer?: Bytes;
  readonly notBefore?: Bytes;
  readonly notAfter?: Bytes;
  readonly spki?: Bytes;
  /** Between the key and the extensions. */
  readonly beforeExtensions?: Bytes;
  /** Each as `extension` returns it; none unless given, and then there is no field for them. */
  readonly extensions?: readonly Bytes[];
  /** After the extensions. */
  readonly afterExtensions?: Bytes;
  readonly signature?: Bytes;
  /** After the signature. */
  readonly afterSignature?: Bytes;
}

const NONE = new Uint8Array(0);

export function certificate(parts: Parts = {}): Bytes {
  const { algorithm = ECDSA_SHA256, extensions, beforeExtensions = NONE } = parts;
  const validity = der(
    0x30,
    parts.notBefore ?? utcTime("260101000000Z"),
    parts.notAfter ?? utcTime("270101000000Z"),
  );
  const body = der(
    0x30,
    parts.version ?? der(0xa0, der(0x02, [2])),
    parts.serial ?? der(0x02, [1]),
    algorithm,
    parts.issuer ?? NAME,
    validity,
    NAME,
    parts.spki ?? P256_KEY,
    beforeExtensions,
    extensions === undefined ? NONE : der(0xa3, der(0x30, ...extensions)),
    parts.afterExtensions ?? NONE,
  );
  const signature = parts.signature ?? der(0x03, [0x00, 0x01]);
  const outer = parts.outerAlgorithm ?? algorithm;
  return der(0x30, body, outer, signature, parts.afterSignature ?? NONE);
}

export function extension(oid: Bytes, value: Bytes, critical: Bytes = NONE): Bytes {
  return der(0x30, oid, critical, der(0x04, value));
}

export function utcTime(text: string): Bytes {
  return der(0x17, ascii(text));
}

export function generalizedTime(text: string): Bytes {
  return der(0x18, ascii(text));
}

export function ascii(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
