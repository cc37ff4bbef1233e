import "reflect-metadata";

import * as x509 from "@peculiar/x509";
import * as assert from "uvu/assert";
import type { Authority } from "../../src/control/authority/authority.ts";
import { Refusal } from "../../src/control/authority/refusal.ts";
import { checkRequest } from "../../src/control/authority/request-rules.ts";
import { makeKeyAndCsr } from "../../src/identity/csr.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { Rig, workload } from "./authority-rig.ts";

const test = suite("control/authority-requests");
// Deno verifies a signature in milliseconds, and some tests try hundreds.
test.timeout(60_000);

const WEB = workload("web");
const P256 = { name: "ECDSA", namedCurve: "P-256" };
const SHA256 = { name: "ECDSA", hash: "SHA-256" };
const OID_SAN = "2.5.29.17";

type Name = { type: "dns" | "url" | "email" | "ip"; value: string };
const DNS: Name = { type: "dns", value: WEB.dns };
const URI: Name = { type: "url", value: WEB.uri };

type Parts = {
  names?: readonly Name[];
  extensions?: readonly x509.Extension[];
  attributes?: readonly x509.Attribute[];
  cn?: readonly string[];
  keys?: CryptoKeyPair;
  hash?: string;
};

async function makeCsr(parts: Parts = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { names = [DNS, URI], extensions = [], attributes = [], cn = [], hash = "SHA-256" } = parts;
  const keys = parts.keys ?? (await crypto.subtle.generateKey(P256, true, ["sign", "verify"]));
  const san = names.length > 0 ? [new x509.SubjectAlternativeNameExtension([...names])] : [];
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    name: cn.map((value) => ({ CN: [value] })),
    signingAlgorithm: { ...SHA256, hash },
    extensions: [...san, ...extensions],
    attributes: [...attributes],
  });
  return new Uint8Array(request.rawData);
}

async function kindOf(csr: Uint8Array): Promise<string> {
  const answer = await checkRequest(csr, WEB);
  return answer instanceof Refusal ? answer.kind : "taken";
}

async function expectKinds(table: readonly (readonly [string, Parts, string])[]): Promise<void> {
  for (const [what, parts, kind] of table) {
    assert.is(await kindOf(await makeCsr(parts)), kind, what);
  }
}

test("the identity's own names are taken: either, or both, with or without the common name", async () => {
  await expectKinds([
    ["both", {}, "taken"],
    ["the other way round", { names: [URI, DNS] }, "taken"],
    ["dns", { names: [DNS] }, "taken"],
    ["uri", { names: [URI] }, "taken"],
    ["common name", { names: [DNS], cn: [WEB.dns] }, "taken"],
    ["empty common name", { names: [DNS], cn: [""] }, "taken"],
  ]);
});

test("other names, more names and no names are refused", async () => {
  const other = workload("other");
  const dns = (value: string): Parts => ({ names: [{ type: "dns", value }] });
  const and = (type: Name["type"], value: string): Parts => ({ names: [DNS, { type, value }] });
  const uri = (value: string): Parts => ({ names: [{ type: "url", value }] });
  await expectKinds([
    ["none", { names: [] }, "foreign-name"],
    ["another's", dns(other.dns), "foreign-name"],
    ["another's beside ours", and("dns", other.dns), "foreign-name"],
    ["ours twice", and("dns", WEB.dns), "foreign-name"],
    ["another's uri", { names: [DNS, { type: "url", value: other.uri }] }, "foreign-name"],
    ["our uri twice", { names: [URI, URI] }, "foreign-name"],
    ["two uris", { names: [URI, { type: "url", value: other.uri }] }, "foreign-name"],
    ["an address", and("ip", "10.0.0.1"), "foreign-name"],
    ["an e-mail", and("email", "root@example.com"), "foreign-name"],
    ["our name as an e-mail", { names: [{ type: "email", value: WEB.dns }] }, "foreign-name"],
    ["our uri as a dns name", dns(WEB.uri), "foreign-name"],
    ["our dns name as a uri", uri(WEB.dns), "foreign-name"],
    ["a wildcard", dns(`*.${WEB.dns.slice(4)}`), "foreign-name"],
    ["an empty name", dns(""), "foreign-name"],
    ["upper case", dns(WEB.dns.toUpperCase()), "foreign-name"],
    ["a trailing dot", dns(`${WEB.dns}.`), "foreign-name"],
    ["a NUL", dns(`${WEB.dns}\0.example.com`), "foreign-name"],
    ["a name below ours", dns(`a.${WEB.dns}`), "foreign-name"],
    ["a uri below ours", uri(`${WEB.uri}/admin`), "foreign-name"],
    ["another common name", { cn: [other.dns] }, "foreign-name"],
    ["our common name twice", { cn: [WEB.dns, WEB.dns] }, "foreign-name"],
    ["two common names", { cn: [WEB.dns, other.dns] }, "foreign-name"],
    ["the uri as common name", { cn: [WEB.uri] }, "foreign-name"],
    ["only a common name", { names: [], cn: [WEB.dns] }, "foreign-name"],
  ]);
});

test("extensions that a workload has no use for are refused, harmless ones are not", async () => {
  const { KeyUsageFlags, ExtendedKeyUsage } = x509;
  const extension = (value: x509.Extension): Parts => ({ extensions: [value] });
  const constraints = (isCa: boolean, path?: number): Parts =>
    extension(new x509.BasicConstraintsExtension(isCa, path, true));
  const usage = (flags: number): Parts => extension(new x509.KeyUsagesExtension(flags, true));
  const purposes = (...list: string[]): Parts =>
    extension(new x509.ExtendedKeyUsageExtension(list));
  const { serverAuth, clientAuth, emailProtection, codeSigning } = ExtendedKeyUsage;
  await expectKinds([
    ["CA:TRUE", constraints(true), "foreign-usage"],
    ["CA:TRUE with a path", constraints(true, 0), "foreign-usage"],
    ["CA:FALSE", constraints(false), "taken"],
    ["certSign", usage(KeyUsageFlags.keyCertSign), "foreign-usage"],
    [
      "certSign and more",
      usage(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign),
      "foreign-usage",
    ],
    ["cRLSign", usage(KeyUsageFlags.cRLSign), "foreign-usage"],
    ["digitalSignature", usage(KeyUsageFlags.digitalSignature), "taken"],
    ["TLS", purposes(serverAuth, clientAuth), "taken"],
    ["e-mail", purposes(emailProtection), "foreign-usage"],
    ["TLS and code", purposes(serverAuth, codeSigning), "foreign-usage"],
    ["any purpose", purposes("2.5.29.37.0"), "foreign-usage"],
    [
      "unknown",
      extension(new x509.Extension("1.2.3.4", false, Uint8Array.of(5, 0))),
      "foreign-usage",
    ],
    [
      "unknown and critical",
      extension(new x509.Extension("1.2.3.4", true, Uint8Array.of(5, 0))),
      "foreign-usage",
    ],
    [
      "names twice",
      extension(new x509.SubjectAlternativeNameExtension([DNS])),
      "malformed-request",
    ],
    [
      "names that are none",
      { names: [], extensions: [new x509.Extension(OID_SAN, false, Uint8Array.of(0x30, 0))] },
      "malformed-request",
    ],
    ["a password", { attributes: [new x509.ChallengePasswordAttribute("x")] }, "foreign-usage"],
    [
      "a second list of extensions",
      {
        attributes: [
          new x509.ExtensionsAttribute([
            new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "other" }]),
          ]),
        ],
      },
      // The library puts its own list after it, or merges them; either way it is not ours.
      "foreign-usage",
    ],
  ]);
});

test("keys that are not ECDSA on P-256, and other hashes, are refused", async () => {
  const p384 = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-384" }, true, [
    "sign",
    "verify",
  ]);
  await expectKinds([["P-384", { keys: p384, hash: "SHA-384" }, "wrong-key"]]);
  for (const modulusLength of [1_024, 2_048]) {
    const keys = await crypto.subtle.generateKey(
      {
        name: "RSASSA-PKCS1-v1_5",
        modulusLength,
        publicExponent: Uint8Array.of(1, 0, 1),
        hash: "SHA-256",
      },
      true,
      ["sign", "verify"],
    );
    const request = await x509.Pkcs10CertificateRequestGenerator.create({
      keys,
      signingAlgorithm: { name: "RSASSA-PKCS1-v1_5" },
      extensions: [new x509.SubjectAlternativeNameExtension([DNS])],
    });
    const kind = await kindOf(new Uint8Array(request.rawData));
    assert.is(kind, "wrong-key", `RSA ${modulusLength}`);
  }
  await expectKinds([
    ["SHA-384", { hash: "SHA-384" }, "wrong-key"],
    ["SHA-1", { hash: "SHA-1" }, "wrong-key"],
  ]);
});

test("a request that its own key did not sign is refused", async () => {
  const [csr, { csr: other }] = [await makeCsr(), await makeKeyAndCsr(WEB)];
  const spkiHead = Buffer.from("3059301306072a8648ce3d0201", "hex");
  const at = Buffer.from(csr).indexOf(spkiHead);
  const from = Buffer.from(other).indexOf(spkiHead);
  const stolen = Uint8Array.from(csr);
  stolen.set(other.subarray(from, from + 91), at);
  assert.is(await kindOf(stolen), "bad-signature", "another's key");
  const offCurve = Uint8Array.from(csr);
  offCurve.fill(0x11, at + 27, at + 91);
  assert.is(await kindOf(offCurve), "bad-signature", "a point that is not on the curve");
  const compressed = Uint8Array.from(csr);
  compressed[at + 26] = 0x02;
  assert.is(await kindOf(compressed), "wrong-key", "a point that says it is compressed");
});

test("bytes that are no request are refused: none, 1 MB, PEM, a tail, every prefix", async () => {
  const csr = await makeCsr();
  const text = new TextEncoder().encode(
    `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(csr).toString("base64")}\n`,
  );
  const table: Uint8Array[] = [
    new Uint8Array(0),
    new Uint8Array(1_000_000),
    new Uint8Array(16_385).fill(0x30),
    new Uint8Array(16_384).fill(0x30),
    text,
    Uint8Array.of(...csr, 0),
    Uint8Array.of(...csr, ...csr),
    Uint8Array.of(0x30, 0x80, ...csr.subarray(4), 0, 0),
  ];
  for (const bytes of table) assert.is(await kindOf(bytes), "malformed-request");
  for (let end = 0; end < csr.length; end += 1) {
    assert.is(await kindOf(csr.subarray(0, end)), "malformed-request", `prefix of ${end}`);
  }
});

test("a request with any byte changed is refused, and nothing is thrown", async () => {
  const random = seeded("flip");
  const csr = await makeCsr();
  for (let at = 0; at < csr.length; at += 1) {
    const flipped = Uint8Array.from(csr);
    flipped[at] = (flipped[at] ?? 0) ^ random.between(1, 255);
    assert.is.not(await kindOf(flipped), "taken", `byte ${at}`);
  }
  for (let count = 0; count < 2_000; count += 1) {
    const bytes = random.bytes(random.below(300));
    if (bytes.length > 0) bytes[0] = 0x30;
    assert.is(await kindOf(bytes), "malformed-request");
  }
});

test("what a request asks for is answered to its sender with a status of gRPC", async () => {
  const rig = new Rig();
  const authority: Authority = await rig.open();
  const status = async (parts: Parts, requested = WEB.dns): Promise<number> => {
    const answer = await authority.issue(
      await rig.request({ requested, csr: await makeCsr(parts) }),
    );
    return answer instanceof Refusal ? answer.status : 0;
  };
  assert.is(await status({}), 0);
  assert.is(await status({}, WEB.uri), 0);
  assert.is(await status({ names: [] }), 7);
  assert.is(await status({ hash: "SHA-384" }), 3);
  assert.is(await status({}, workload("other").dns), 7);
  assert.is(await status({}, ""), 7);
  assert.is(await status({}, WEB.dns.toUpperCase()), 7);
  for (const event of rig.events.slice(2)) {
    assert.is(event.event, "certificate refused");
    assert.ok((event.reason ?? "").length < 80);
  }
});

test.run();
