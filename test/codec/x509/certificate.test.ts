import * as assert from "uvu/assert";
import { type CertificateFacts, readCertificate } from "../../../src/codec/x509/certificate.ts";
import { hex } from "../../../src/codec/x509/der.ts";
import { OID_ECDSA_SHA256 } from "../../../src/codec/x509/oids.ts";
import { der, makeAuthority, oidDer } from "../../support/certificates.ts";
import { seeded } from "../../support/random.ts";
import { forEachPrefix } from "../../support/splits.ts";
import { suite } from "../../support/test.ts";
import {
  ascii,
  type Bytes,
  certificate,
  extension,
  generalizedTime,
  MADE_BY_OPENSSL,
  OID,
  type Parts,
  utcTime,
} from "./parts.ts";

const test = suite("codec/x509/certificate");

function factsOf(bytes: Uint8Array): CertificateFacts {
  const facts = readCertificate(bytes);
  if ("error" in facts) throw new Error(facts.error);
  return facts;
}

function errorOf(bytes: Uint8Array): string {
  const facts = readCertificate(bytes);
  if ("error" in facts) return facts.error;
  throw new Error("it was read");
}

const nameOf = (...parts: [string, number, string][]): Bytes =>
  der(
    0x30,
    ...parts.map(([oid, tag, text]) => der(0x31, der(0x30, oidDer(oid), der(tag, ascii(text))))),
  );

test("a certificate made by OpenSSL says what `openssl x509 -text` prints", () => {
  const facts = factsOf(MADE_BY_OPENSSL);
  assert.is(facts.version, 3);
  assert.is(hex(facts.serial), "0080ff01");
  const name = nameOf(
    ["2.5.4.6", 0x13, "DE"],
    ["2.5.4.10", 0x0c, "Rowing Club"],
    ["2.5.4.3", 0x0c, "openssl made"],
  );
  assert.equal(new Uint8Array(facts.issuer), name);
  assert.equal(new Uint8Array(facts.subject), name);
  assert.is(facts.notBeforeMs, Date.parse("2049-02-03T04:05:06Z"));
  assert.is(facts.notAfterMs, Date.parse("2050-02-03T04:05:06Z"));
  assert.is(facts.signatureAlgorithm, OID_ECDSA_SHA256);
  assert.ok(facts.isP256);
  assert.ok(
    hex(facts.spki).endsWith(
      "049a28e97c527aa3272b3de4f99dbaff1e78c205da5c4151d9fc50b6146556b2384f51ace60961a3a3e8d341b200468956ad9cc34e952cd208511e2da0f5e08ff8",
    ),
  );
  assert.ok(facts.isCa);
  assert.is(facts.pathLength, 3);
  assert.is(facts.keyUsage, (1 << 0) | (1 << 5) | (1 << 6) | (1 << 8));
  assert.equal(facts.extendedKeyUsage, { serverAuth: true, clientAuth: true, any: false });
  assert.equal(facts.names, {
    dns: ["web.example.org", "*.example.org"],
    uri: ["spiffe://example.org/ns/default/sa/web"],
    others: 6,
  });
  assert.not(facts.hasUnknownCritical);
});

test("every prefix of a certificate is an error, and so is a byte behind it", async () => {
  const anchor = await makeAuthority();
  const { certificates } = await anchor.issue({ dns: ["web"], uris: ["spiffe://td/web"] });
  for (const bytes of [MADE_BY_OPENSSL, certificates[0], anchor.certificate]) {
    factsOf(bytes);
    forEachPrefix(bytes, (prefix) => assert.type(errorOf(prefix), "string"));
    assert.is(errorOf(Uint8Array.from([...bytes, 0])), "bytes after the last value");
  }
});

test("no flip of a bit makes it throw", () => {
  const bytes = MADE_BY_OPENSSL.slice();
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const at = bit >> 3;
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
    readCertificate(bytes);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
  }
  assert.equal(bytes, MADE_BY_OPENSSL);
});

test("no flips of many bytes make it throw", () => {
  const random = seeded("x509 flips");
  for (let round = 0; round < 2_000; round += 1) {
    const bytes = MADE_BY_OPENSSL.slice();
    for (let count = random.between(1, 8); count > 0; count -= 1) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    readCertificate(bytes);
  }
});

test("a length that lies, at any depth, is an error", () => {
  const lengths = lengthPlaces(MADE_BY_OPENSSL, 0, MADE_BY_OPENSSL.length);
  assert.ok(lengths.length > 60, `${lengths.length} places`);
  const unnoticed: string[] = [];
  for (const at of lengths) {
    for (const change of [-1, 1]) {
      const bytes = MADE_BY_OPENSSL.slice();
      bytes[at] = (bytes[at] ?? 0) + change;
      if (!("error" in readCertificate(bytes))) unnoticed.push(`byte ${at} by ${change}`);
    }
  }
  // In the subject and the issuer a shorter OID, 2.5.4 without its 10, leaves 0x0a 0x0c and 12 bytes.
  assert.is(unnoticed.length, 2, unnoticed.join());
});

/** Where the last byte of each length is. Values of primitive type are not looked into. */
function lengthPlaces(bytes: Uint8Array, start: number, end: number): number[] {
  const places: number[] = [];
  for (let at = start; at < end; ) {
    const first = bytes[at + 1] ?? 0;
    const count = first < 0x80 ? 0 : first - 0x80;
    let length = count === 0 ? first : 0;
    for (let i = 0; i < count; i += 1) length = length * 256 + (bytes[at + 2 + i] ?? 0);
    places.push(at + 1 + count);
    const content = at + 2 + count;
    if (((bytes[at] ?? 0) & 0x20) !== 0) {
      places.push(...lengthPlaces(bytes, content, content + length));
    }
    at = content + length;
  }
  return places;
}

test("dates are read to the second, in both forms, and only when they exist", () => {
  const table: [Bytes, string | null][] = [
    [utcTime("491231235959Z"), "2049-12-31T23:59:59Z"],
    [utcTime("500101000000Z"), "1950-01-01T00:00:00Z"],
    [utcTime("000229000000Z"), "2000-02-29T00:00:00Z"],
    [generalizedTime("20500101000000Z"), "2050-01-01T00:00:00Z"],
    [generalizedTime("99991231235959Z"), "9999-12-31T23:59:59Z"],
    [generalizedTime("20240229000000Z"), "2024-02-29T00:00:00Z"],
    [generalizedTime("21000229000000Z"), null],
    [generalizedTime("00500101000000Z"), null],
    [generalizedTime("20500101000000.5Z"), null],
    [generalizedTime("20500101000000"), null],
    [generalizedTime("20500101000000+0100"), null],
    [utcTime("2601010000Z"), null],
    [utcTime("260101000000+0100"), null],
    [utcTime("260001000000Z"), null],
    [utcTime("261301000000Z"), null],
    [utcTime("260100000000Z"), null],
    [utcTime("260431000000Z"), null],
    [utcTime("260101240000Z"), null],
    [utcTime("260101006000Z"), null],
    [utcTime("260101000060Z"), null],
    [utcTime("26010100000 Z"), null],
    [utcTime("260101000000Z\0"), null],
    [utcTime(""), null],
    [Uint8Array.from([...utcTime("260101000000Z"), ...utcTime("260101000000Z")]), null],
    [der(0x13, ascii("260101000000Z")), null],
  ];
  for (const [notAfter, expected] of table) {
    const facts = readCertificate(certificate({ notAfter }));
    const date = "error" in facts ? null : facts.notAfterMs;
    assert.is(date, expected === null ? null : Date.parse(expected), String(expected));
  }
});

test("what is not a certificate of RFC 5280 is an error with its reason", () => {
  const algorithm = der(0x30, oidDer("1.2.3"));
  const point = (...head: number[]): Bytes => der(0x03, head, new Uint8Array(64));
  const ec = der(0x30, oidDer("1.2.840.10045.2.1"), oidDer("1.2.840.10045.3.1.7"));
  const table: [Parts, string][] = [
    [{ version: der(0xa0, der(0x02, [3])) }, "an unknown version"],
    [{ version: der(0xa0, der(0x02, [0])) }, "an unknown version"],
    [{ version: der(0xa0, der(0x02, [2]), der(0x02, [2])) }, "bytes after the last value"],
    [{ serial: der(0x02, new Uint8Array(21).fill(1)) }, "a serial number above 20 bytes"],
    [{ serial: der(0x02, []) }, "an INTEGER not in its shortest form"],
    [{ outerAlgorithm: algorithm }, "two signature algorithms"],
    [{ algorithm: der(0x30, der(0x05, [])) }, "another tag"],
    [{ issuer: der(0x31) }, "another tag"],
    [{ spki: der(0x30, ec) }, "a value missing"],
    [{ spki: der(0x30, ec, point(0x01, 0x04)) }, "a key that is not of whole bytes"],
    [{ beforeExtensions: der(0x81, [0, 1]), extensions: [] }, "another tag"],
    [{ extensions: [] }, "an empty list of extensions"],
    [{ afterExtensions: der(0xa4, []) }, "another tag"],
    [
      { extensions: [extension(OID.other, der(0x05, []))], afterExtensions: der(0xa4, []) },
      "bytes after the last value",
    ],
    [
      { version: new Uint8Array(0), extensions: [extension(OID.other, der(0x05, []))] },
      "extensions before version 3",
    ],
    [{ signature: der(0x03, [1, 0]) }, "a signature that is not of whole bytes"],
    [{ signature: der(0x04, [0, 1]) }, "another tag"],
    [{ afterSignature: der(0x05, []) }, "bytes after the last value"],
    [{ issuer: der(0x30, new Uint8Array(17_000)) }, "longer than 16384 bytes"],
  ];
  for (const [parts, reason] of table) assert.is(errorOf(certificate(parts)), reason);
});

test("version, key and signature algorithm are told", () => {
  const ec = (...oids: string[]): Bytes => der(0x30, ...oids.map(oidDer));
  const key = (algorithm: Bytes, ...point: number[]): Parts => ({
    spki: der(0x30, algorithm, der(0x03, [0], point, new Uint8Array(64))),
  });
  const p256 = ec("1.2.840.10045.2.1", "1.2.840.10045.3.1.7");
  assert.is(factsOf(certificate()).version, 3);
  assert.is(factsOf(certificate({ version: new Uint8Array(0) })).version, 1);
  assert.is(factsOf(certificate({ version: der(0xa0, der(0x02, [1])) })).version, 2);
  assert.is(
    factsOf(certificate({ algorithm: ec("1.2.840.113549.1.1.11") })).signatureAlgorithm,
    "2a864886f70d01010b",
  );
  const table: [Parts, boolean][] = [
    [{}, true],
    [key(p256, 0x04), true],
    [key(p256, 0x02), false],
    [key(p256), false],
    [key(p256, 0x04, 0x00), false],
    [key(ec("1.2.840.10045.2.1", "1.3.132.0.34"), 0x04), false],
    [key(ec("1.2.840.113549.1.1.1", "1.2.840.10045.3.1.7"), 0x04), false],
    [key(ec("1.2.840.10045.2.1"), 0x04), false],
    [key(der(0x30, oidDer("1.2.840.10045.2.1"), der(0x05, [])), 0x04), false],
  ];
  for (const [parts, isP256] of table) assert.is(factsOf(certificate(parts)).isP256, isP256);
});

test.run();
