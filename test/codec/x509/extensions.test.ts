import "reflect-metadata";

import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "@peculiar/x509";
import * as assert from "uvu/assert";
import { type CertificateFacts, readCertificate } from "../../../src/codec/x509/certificate.ts";
import { NAMES_MAX } from "../../../src/codec/x509/general-names.ts";
import {
  der,
  type EkuName,
  type IssueOptions,
  KEY_USAGE,
  type KeyUsageName,
  makeAuthority,
  oidDer,
} from "../../support/certificates.ts";
import { type Random, seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";
import { ascii, type Bytes, certificate, extension, OID } from "./parts.ts";

const test = suite("codec/x509/extensions");

const TRUE = der(0x01, [0xff]);
const FALSE = der(0x01, [0x00]);

function read(...extensions: readonly Bytes[]): ReturnType<typeof readCertificate> {
  return readCertificate(certificate({ extensions }));
}

function factsOf(...extensions: readonly Bytes[]): CertificateFacts {
  const facts = read(...extensions);
  if ("error" in facts) throw new Error(facts.error);
  return facts;
}

function errorOf(...extensions: readonly Bytes[]): string {
  const facts = read(...extensions);
  return "error" in facts ? facts.error : "it was read";
}

test("basicConstraints: CA and path length, in one form", () => {
  const ca = (...fields: Bytes[]): Bytes => extension(OID.basicConstraints, der(0x30, ...fields));
  const table: [Bytes, boolean, number | null][] = [
    [ca(), false, null],
    [ca(FALSE), false, null],
    [ca(TRUE), true, null],
    [ca(TRUE, der(0x02, [0])), true, 0],
    [ca(TRUE, der(0x02, [0x01, 0x00])), true, 256],
  ];
  for (const [bytes, isCa, pathLength] of table) {
    const facts = factsOf(bytes);
    assert.equal([facts.isCa, facts.pathLength], [isCa, pathLength]);
  }
  assert.is(errorOf(ca(der(0x02, [0]))), "a path length without a CA");
  assert.is(errorOf(ca(TRUE, der(0x02, [0x80]))), "an INTEGER out of range");
  assert.is(errorOf(ca(TRUE, TRUE)), "bytes after the last value");
  assert.is(errorOf(ca(der(0x02, [0]), TRUE)), "bytes after the last value");
  assert.is(errorOf(extension(OID.basicConstraints, TRUE)), "another tag");
  const two = Uint8Array.from([...der(0x30), ...der(0x30)]);
  assert.is(errorOf(extension(OID.basicConstraints, two)), "bytes after the last value");
});

test("keyUsage: every bit has its place, and one must be set", () => {
  const usage = (...content: number[]): Bytes => extension(OID.keyUsage, der(0x03, content));
  for (const bit of Object.values(KEY_USAGE)) {
    const bytes = bit < 8 ? [7 - bit, 0x80 >> bit] : [15 - bit, 0, 0x80 >> (bit - 8)];
    assert.is(factsOf(usage(...bytes)).keyUsage, 1 << bit, `bit ${bit}`);
  }
  assert.is(factsOf(usage(0, 0xff)).keyUsage, 0xff);
  for (const bytes of [[0], [0, 0], [0, 0, 0, 1]]) {
    assert.is(errorOf(usage(...bytes)), "not a keyUsage");
  }
  assert.is(errorOf(usage(7, 0xff)), "not a BIT STRING");
});

test("extKeyUsage: the purposes that a mesh knows, and whether there are any at all", () => {
  const purposes = (...oids: string[]): Bytes =>
    extension(OID.purposes, der(0x30, ...oids.map(oidDer)));
  const server = "1.3.6.1.5.5.7.3.1";
  const client = "1.3.6.1.5.5.7.3.2";
  const table: [Bytes, string][] = [
    [purposes(server), "server"],
    [purposes(client), "client"],
    [purposes(client, server), "server client"],
    [purposes("2.5.29.37.0"), "any"],
    [purposes("1.3.6.1.5.5.7.3.4"), ""],
    [purposes("1.3.6.1.5.5.7.3.1.1", "1.3.6.1.5.5.7.3"), ""],
  ];
  for (const [bytes, expected] of table) {
    const { extendedKeyUsage } = factsOf(bytes);
    const { serverAuth, clientAuth, any } = extendedKeyUsage ?? {};
    const told = [serverAuth && "server", clientAuth && "client", any && "any"];
    assert.is(told.filter(Boolean).join(" "), expected);
  }
  assert.is(factsOf(extension(OID.other, der(0x05, []))).extendedKeyUsage, null);
  assert.is(errorOf(purposes()), "no purpose in extKeyUsage");
});

test("subjectAltName: values by type, byte for byte, and never across types", () => {
  const names = (...values: Bytes[]): Bytes => extension(OID.names, der(0x30, ...values));
  const victim = ascii("spiffe://td/victim");
  assert.equal(
    factsOf(
      names(
        der(0x82, ascii("a\0b, URI:spiffe://td/victim")),
        der(0x86, ascii("spiffe://td/a\0")),
        der(0x82, ascii("")),
        der(0x82, ascii("*.Web.")),
        der(0x81, victim),
        der(0x87, victim),
        der(0x88, [0x55]),
        der(0xa0, oidDer("1.2.3"), der(0xa0, der(0x16, victim))),
        der(0xa4, der(0x30)),
      ),
    ).names,
    {
      dns: ["a\0b, URI:spiffe://td/victim", "", "*.Web."],
      uri: ["spiffe://td/a\0"],
      others: 5,
    },
  );
  assert.is(errorOf(names()), "no name in subjectAltName");
  assert.is(errorOf(names(der(0x82, [0x77, 0xe9]))), "a name that is not ASCII");
  // Constructed where it may not be, a type that does not exist, a universal tag.
  for (const tag of [0xa2, 0xa6, 0x80, 0x89, 0x16]) {
    assert.is(errorOf(names(der(tag, victim))), "a name of unknown type");
  }
  const many = (count: number): Bytes =>
    names(...Array.from({ length: count }, () => der(0x82, [0x61])));
  assert.is(factsOf(many(NAMES_MAX)).names?.dns.length, NAMES_MAX);
  assert.is(errorOf(many(NAMES_MAX + 1)), "too many names");
});

test("an extension is there once, and an unknown critical one is told", () => {
  const known = extension(OID.keyUsage, der(0x03, [7, 0x80]), TRUE);
  const other = (critical?: Bytes): Bytes => extension(OID.other, ascii("no DER"), critical);
  assert.not(factsOf(known).hasUnknownCritical);
  assert.not(factsOf(known, other()).hasUnknownCritical);
  assert.not(factsOf(other(FALSE), known).hasUnknownCritical);
  assert.ok(factsOf(other(TRUE), known).hasUnknownCritical);
  assert.is(errorOf(known, known), "an extension twice");
  assert.is(errorOf(other(), known, other(TRUE)), "an extension twice");
  const many = (count: number): Bytes[] =>
    Array.from({ length: count }, (_, arc) => extension(oidDer(`1.2.${arc}`), ascii("")));
  factsOf(...many(32));
  assert.is(errorOf(...many(33)), "too many extensions");
  assert.is(errorOf(der(0x30, OID.other, der(0x04), der(0x04))), "bytes after the last value");
  assert.is(errorOf(der(0x30, OID.other, TRUE)), "a value missing");
});

/** Any certificate that @peculiar/x509 reads too. */
function anyOptions(random: Random): IssueOptions {
  const some = <T>(items: readonly T[]): T[] => items.filter(() => random.chance(0.5));
  const isCa = random.pick([true, false, null]);
  const usages = some(Object.keys(KEY_USAGE) as KeyUsageName[]);
  const purposes: EkuName[] = ["any", "serverAuth", "clientAuth", "codeSigning", "emailProtection"];
  const startMs = Date.UTC(random.between(1960, 2090), random.below(12), random.between(1, 28));
  return {
    subject: random.pick(["", "CN=web", "CN=web, O=a, C=DE"]),
    isCa,
    ...(isCa === true && random.chance(0.5) ? { pathLength: random.below(128) } : {}),
    keyUsage: usages.length === 0 ? null : usages,
    eku: some(purposes),
    dns: some(["web.example.org", "*.example.org"]),
    uris: some(["spiffe://td/ns/a/sa/b", "https://example.org/"]),
    emails: some(["web@example.org"]),
    ips: some([Uint8Array.of(10, 0, 0, 1)]),
    notBefore: new Date(startMs),
    notAfter: new Date(startMs + random.below(1_000_000_000) * 1_000),
  };
}

test("made certificates are read as @peculiar/x509 reads them", async () => {
  const random = seeded("x509 agreement");
  const anchor = await makeAuthority();
  for (let round = 0; round < 50; round += 1) {
    const { certificates } = await anchor.issue(anyOptions(random));
    const theirs = new X509Certificate(certificates[0]);
    const ours = readCertificate(certificates[0]);
    if ("error" in ours) throw new Error(ours.error);
    assert.is(ours.notBeforeMs, theirs.notBefore.getTime());
    assert.is(ours.notAfterMs, theirs.notAfter.getTime());
    assert.equal(new Uint8Array(ours.spki), new Uint8Array(theirs.publicKey.rawData));
    assert.equal(new Uint8Array(ours.subject), new Uint8Array(theirs.subjectName.toArrayBuffer()));
    assert.equal(new Uint8Array(ours.issuer), new Uint8Array(theirs.issuerName.toArrayBuffer()));
    const constraints = theirs.getExtension(BasicConstraintsExtension);
    assert.is(ours.isCa, constraints?.ca ?? false);
    assert.is(ours.pathLength, constraints?.pathLength ?? null);
    assert.is(ours.keyUsage, theirs.getExtension(KeyUsagesExtension)?.usages ?? null);
    const usages = theirs.getExtension(ExtendedKeyUsageExtension)?.usages.map(String);
    assert.is(ours.extendedKeyUsage === null, usages === undefined);
    const { serverAuth, clientAuth, any } = ours.extendedKeyUsage ?? {};
    assert.is(serverAuth ?? false, usages?.includes("1.3.6.1.5.5.7.3.1") ?? false);
    assert.is(clientAuth ?? false, usages?.includes("1.3.6.1.5.5.7.3.2") ?? false);
    assert.is(any ?? false, usages?.includes("2.5.29.37.0") ?? false);
    const items = theirs.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
    const valuesOf = (...types: string[]): string[] =>
      items.filter(({ type }) => types.includes(type)).map(({ value }) => value);
    assert.equal(ours.names?.dns ?? [], valuesOf("dns"));
    assert.equal(ours.names?.uri ?? [], valuesOf("url"));
    assert.is(ours.names?.others ?? 0, valuesOf("email", "ip").length);
  }
});

test.run();
