/**
 * Certificates for tests: anchors, intermediates and leaves, good ones and each hostile kind. The
 * extensions are written here byte by byte, since a library would not write a bad one; the rest is
 * @peculiar/x509 on WebCrypto. Validity is from a minute ago to tomorrow unless dates are given.
 */
import "reflect-metadata";

import {
  AuthorityKeyIdentifierExtension,
  Extension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Credentials, Identity } from "../../src/mesh/credentials.ts";

/** DER in memory that nothing shares, as WebCrypto and structured clones want it. */
export type Der = Uint8Array<ArrayBuffer>;

const SKEW_MS = 60_000;
const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;

const P256: EcKeyGenParams = { name: "ECDSA", namedCurve: "P-256" };

/** RFC 5280 §4.2.1.3, by the number of the bit. */
export const KEY_USAGE = {
  digitalSignature: 0,
  nonRepudiation: 1,
  keyEncipherment: 2,
  dataEncipherment: 3,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
  encipherOnly: 7,
  decipherOnly: 8,
} as const;
export type KeyUsageName = keyof typeof KEY_USAGE;

/** RFC 5280 §4.2.1.12. */
const EKU = {
  any: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  codeSigning: "1.3.6.1.5.5.7.3.3",
  emailProtection: "1.3.6.1.5.5.7.3.4",
} as const;
export type EkuName = keyof typeof EKU;

const OID_KEY_USAGE = "2.5.29.15";
const OID_SUBJECT_ALT_NAME = "2.5.29.17";
const OID_BASIC_CONSTRAINTS = "2.5.29.19";
const OID_EXTENDED_KEY_USAGE = "2.5.29.37";

export interface ExtraExtension {
  readonly oid: string;
  readonly isCritical?: boolean;
  readonly value: Uint8Array;
}

export interface IssueOptions {
  /** As in `CN=web, O=outrigger`. Empty unless said, as our control plane has it. */
  readonly subject?: string;
  /** Overrides the issuer's name, so that the chain does not fit. */
  readonly issuer?: string;
  /** SANs, one byte per character and not looked at: NULs, wildcards and empty names are possible. */
  readonly dns?: readonly string[];
  readonly uris?: readonly string[];
  readonly emails?: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ips?: readonly Uint8Array[];
  /** DER of whole GeneralNames to add after the others. */
  readonly rawNames?: readonly Uint8Array[];
  readonly isSanCritical?: boolean;
  /** Writes the SAN extension twice (RFC 5280 §4.2 forbids it). */
  readonly hasSanTwice?: boolean;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** basicConstraints; null leaves the extension out. False unless said. */
  readonly isCa?: boolean | null;
  readonly pathLength?: number;
  /** digitalSignature unless said; null leaves the extension out. */
  readonly keyUsage?: readonly KeyUsageName[] | null;
  /** serverAuth and clientAuth unless said; null or an empty list leaves the extension out. */
  readonly eku?: readonly (EkuName | string)[] | null;
  /** Signs with the leaf's own key, under its own subject. */
  readonly isSelfSigned?: boolean;
  readonly extensions?: readonly ExtraExtension[];
  /** A key pair to use, of any kind that WebCrypto can export; a new one of P-256 unless given. */
  readonly keys?: CryptoKeyPair;
  /**
   * Identifiers of subject and issuer key (RFC 5280 §4.2.1.1 and §4.2.1.2); without them OpenSSL
   * cannot tell two anchors of one name apart. True unless said.
   */
  readonly hasKeyIds?: boolean;
  /** Hexadecimal. */
  readonly serial?: string;
}

export interface Issued {
  /** The leaf, then the intermediates; no root. */
  readonly certificates: readonly [Der, ...Der[]];
  /** PKCS#8. */
  readonly key: Der;
  readonly keys: CryptoKeyPair;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Authority {
  readonly certificate: Der;
  readonly key: CryptoKeyPair;
  readonly pkcs8: Der;
  /** As in `CN=anchor`. */
  readonly subject: string;
  /** What the peer must trust: this certificate, or that of the topmost parent. */
  readonly root: Der;
  /** This one's certificate and those above it, without the root. Empty for a root. */
  readonly intermediates: readonly Der[];
  /** Makes a certificate under this authority. */
  issue(options?: IssueOptions): Promise<Issued>;
}

export interface AuthorityOptions
  extends Omit<IssueOptions, "subject" | "eku" | "isSelfSigned" | "keys"> {
  /** The common name. */
  readonly name?: string;
  /** Makes an intermediate under this one. */
  readonly parent?: Authority;
  /** None unless said. */
  readonly eku?: readonly (EkuName | string)[] | null;
  /** To make another certificate for a key that exists. */
  readonly keys?: CryptoKeyPair;
}

/** Makes a trust anchor, or an intermediate under `parent`: a CA that may sign certificates. */
export async function makeAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const { name = options.parent === undefined ? "anchor" : "issuer", parent, ...rest } = options;
  const subject = `CN=${name}`;
  const keys = options.keys ?? (await makeKeys());
  const certificate = await makeCertificate({
    isCa: true,
    keyUsage: ["keyCertSign", "cRLSign"],
    eku: null,
    notBefore: new Date(Date.now() - SKEW_MS),
    notAfter: new Date(Date.now() + YEAR_MS),
    ...rest,
    subject,
    keys,
    issuer: rest.issuer ?? parent?.subject ?? subject,
    signingKeys: parent?.key ?? keys,
  });
  const intermediates = parent === undefined ? [] : [certificate, ...parent.intermediates];
  return {
    certificate,
    key: keys,
    pkcs8: await exportPkcs8(keys),
    subject,
    root: parent === undefined ? certificate : parent.root,
    intermediates,
    issue: (leaf = {}) => issue(leaf, subject, keys, intermediates),
  };
}

async function issue(
  options: IssueOptions,
  issuer: string,
  issuerKeys: CryptoKeyPair,
  intermediates: readonly Der[],
): Promise<Issued> {
  const keys = options.keys ?? (await makeKeys());
  const notBefore = options.notBefore ?? new Date(Date.now() - SKEW_MS);
  const notAfter = options.notAfter ?? new Date(Date.now() + DAY_MS);
  const isSelf = options.isSelfSigned ?? false;
  const leaf = await makeCertificate({
    ...options,
    keys,
    notBefore,
    notAfter,
    issuer: options.issuer ?? (isSelf ? (options.subject ?? "") : issuer),
    signingKeys: isSelf ? keys : issuerKeys,
  });
  const certificates: [Der, ...Der[]] = isSelf ? [leaf] : [leaf, ...intermediates];
  return { certificates, key: await exportPkcs8(keys), keys, notBefore, notAfter };
}

/** The names that our control plane certifies for a workload. */
export function identityOf(
  name: string,
  namespace = "default",
  trustDomain = "cluster.local",
): Identity & { readonly dns: string; readonly uri: string } {
  return {
    dns: `${name}.${namespace}.serviceaccount.identity.outrigger.${trustDomain}`,
    uri: `spiffe://${trustDomain}/ns/${namespace}/sa/${name}`,
  };
}

/** Builds what a sidecar is given from what an authority issued; `roots` adds further anchors. */
export function credentialsOf(
  authority: Authority,
  issued: Issued,
  identity: Identity,
  roots: readonly Uint8Array[] = [],
): Credentials {
  return {
    certificates: issued.certificates,
    key: issued.key,
    roots: [authority.root, ...roots],
    identity,
    notBeforeMs: Math.floor(issued.notBefore.getTime() / 1_000) * 1_000,
    notAfterMs: Math.floor(issued.notAfter.getTime() / 1_000) * 1_000,
  };
}

/** Issues a certificate with both names of the identity and returns it as credentials. */
export async function issueCredentials(
  authority: Authority,
  identity: Identity,
  options: IssueOptions = {},
): Promise<Credentials> {
  const issued = await authority.issue({
    dns: identity.dns === null ? [] : [identity.dns],
    uris: identity.uri === null ? [] : [identity.uri],
    ...options,
  });
  return credentialsOf(authority, issued, identity);
}

/** Returns one block of RFC 7468 text; `label` as in `CERTIFICATE`. */
export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Makes a key pair of P-256 that can be exported. */
export async function makeKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
}

async function exportPkcs8(keys: CryptoKeyPair): Promise<Der> {
  return new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
}

interface CertificateOptions extends IssueOptions {
  readonly issuer: string;
  readonly keys: CryptoKeyPair;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly signingKeys: CryptoKeyPair;
}

async function makeCertificate(options: CertificateOptions): Promise<Der> {
  const { subject, issuer, notBefore, notAfter, keys, signingKeys, serial } = options;
  const extensions = extensionsOf(options);
  if (options.hasKeyIds ?? true) {
    extensions.push(await SubjectKeyIdentifierExtension.create(keys.publicKey));
    extensions.push(await AuthorityKeyIdentifierExtension.create(signingKeys.publicKey));
  }
  const made = await X509CertificateGenerator.create({
    ...(subject === undefined || subject === "" ? {} : { subject }),
    ...(issuer === "" ? {} : { issuer }),
    ...(serial === undefined ? {} : { serialNumber: serial }),
    notBefore,
    notAfter,
    publicKey: keys.publicKey,
    signingKey: signingKeys.privateKey,
    extensions,
  });
  return new Uint8Array(made.rawData);
}

function extensionsOf(options: IssueOptions): Extension[] {
  const {
    isCa = false,
    keyUsage = ["digitalSignature"],
    eku = ["serverAuth", "clientAuth"],
  } = options;
  const extensions: Extension[] = [];
  const add = (oid: string, isCritical: boolean, value: Uint8Array): void => {
    extensions.push(new Extension(oid, isCritical, new Uint8Array(value)));
  };
  if (isCa !== null) {
    const length = options.pathLength === undefined ? [] : [der(0x02, [options.pathLength])];
    add(OID_BASIC_CONSTRAINTS, true, der(0x30, isCa ? der(0x01, [0xff]) : [], ...length));
  }
  if (keyUsage !== null) add(OID_KEY_USAGE, true, keyUsageDer(keyUsage));
  if (eku !== null && eku.length > 0) {
    const oids = eku.map((name) => oidDer(name in EKU ? EKU[name as EkuName] : name));
    add(OID_EXTENDED_KEY_USAGE, false, der(0x30, ...oids));
  }
  const names = namesOf(options);
  if (names.length > 0) {
    const value = der(0x30, ...names);
    add(OID_SUBJECT_ALT_NAME, options.isSanCritical ?? false, value);
    if (options.hasSanTwice === true) add(OID_SUBJECT_ALT_NAME, false, value);
  }
  for (const { oid, isCritical = false, value } of options.extensions ?? []) {
    add(oid, isCritical, value);
  }
  return extensions;
}

/** RFC 5280 §4.2.1.6: the choice is the context-specific tag. */
function namesOf(options: IssueOptions): Uint8Array[] {
  const { dns = [], uris = [], emails = [], ips = [], rawNames = [] } = options;
  return [
    ...dns.map((name) => der(0x82, latin1Bytes(name))),
    ...uris.map((uri) => der(0x86, latin1Bytes(uri))),
    ...emails.map((email) => der(0x81, latin1Bytes(email))),
    ...ips.map((ip) => der(0x87, ip)),
    ...rawNames,
  ];
}

/** A BIT STRING with named bits: trailing zeros are left out (X.690 §11.2.2). */
function keyUsageDer(names: readonly KeyUsageName[]): Uint8Array {
  const bits = names.map((name) => KEY_USAGE[name]);
  if (bits.length === 0) return der(0x03, [0]);
  const last = Math.max(...bits);
  const bytes = new Uint8Array(1 + (last >> 3) + 1);
  bytes[0] = 7 - (last & 7);
  for (const bit of bits) {
    const at = 1 + (bit >> 3);
    bytes[at] = (bytes[at] ?? 0) | (0x80 >> (bit & 7));
  }
  return der(0x03, bytes);
}

/** Returns a value of DER with the given tag, whose content is the parts one after the other. */
export function der(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Der {
  const content = parts.flatMap((part) => [...part]);
  const { length } = content;
  if (length < 0x80) return Uint8Array.from([tag, length, ...content]);
  if (length < 0x100) return Uint8Array.from([tag, 0x81, length, ...content]);
  return Uint8Array.from([tag, 0x82, length >> 8, length & 0xff, ...content]);
}

/** Returns an OBJECT IDENTIFIER in DER; `text` as in `2.5.29.17`. */
export function oidDer(text: string): Der {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift(0x80 | (left & 0x7f));
    }
    return groups;
  });
  return der(0x06, bytes);
}

function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
