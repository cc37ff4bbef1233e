// Names that other readers have taken for what they are not; hazards of CVE-2021-44531 to 44533.
import * as assert from "uvu/assert";
import type { PeerRefusal } from "../../src/identity/verify-peer.ts";
import { ascii } from "../codec/x509/parts.ts";
import { der, type IssueOptions } from "../support/certificates.ts";
import { suite } from "../support/test.ts";
import { makeMesh, verdict, WEB } from "./verify-peer-fixture.ts";

const test = suite("identity/verify-peer-names");
test.timeout(60_000);

const ROUNDS = 20;
const NONE = { dns: [], uris: [] } as const;

async function assertAll(
  table: readonly (readonly [string, IssueOptions])[],
  expected: PeerRefusal,
): Promise<void> {
  const { verifier, chainOf } = await makeMesh();
  for (const [name, options] of table) {
    const chain = await chainOf({ ...NONE, ...options });
    for (let round = 0; round < ROUNDS; round += 1) {
      assert.is(verdict(verifier, chain), expected, JSON.stringify(name));
    }
  }
}

test("without SANs there is no identity, whatever the common name is", async () => {
  await assertAll(
    [
      ["none", {}],
      ["a common name", { subject: `CN=${WEB.dns}` }],
      ["a common name that is a URI", { subject: `CN=${WEB.uri}` }],
    ],
    "no-identity",
  );
});

test("a name of another type is none, whatever it reads", async () => {
  const texts = [WEB.dns, WEB.uri].map(ascii);
  const others = texts.flatMap((text) => [
    der(0x81, text),
    der(0x87, text),
    der(0xa0, der(0x06, [0x2a]), der(0xa0, der(0x16, text))),
    der(0xa4, der(0x30, der(0x31, der(0x30, der(0x06, [0x55, 4, 3]), der(0x0c, text))))),
  ]);
  await assertAll(
    [
      ...others.map((name): [string, IssueOptions] => [String(name[0]), { rawNames: [name] }]),
      ["an IP address", { ips: [Uint8Array.of(10, 0, 0, 1)] }],
      ["a DNS name as a URI", { uris: [WEB.dns] }],
      ["a URI as a DNS name", { dns: [WEB.uri] }],
    ],
    "no-identity",
  );
});

test("names of other types beside do no harm", async () => {
  const { verifier, chainOf } = await makeMesh();
  const chain = await chainOf({
    emails: ["spiffe://td/victim", "victim@example"],
    ips: [Uint8Array.of(10, 0, 0, 1)],
    rawNames: [der(0x88, [0x2a])],
    subject: "CN=victim.example",
  });
  assert.equal(verdict(verifier, chain), WEB);
});

test("a DNS name that is not exactly one is no identity", async () => {
  const names = [
    "",
    ".",
    "*",
    "*.default.serviceaccount.identity.outrigger.cluster.local",
    "w*.example",
    `${WEB.dns}\0`,
    `${WEB.dns}\0.evil.example`,
    `evil.example, URI:${WEB.uri}`,
    `evil.example,DNS:${WEB.dns}`,
    `${WEB.dns}..`,
    `.${WEB.dns}`,
    `${WEB.dns} `,
    `${WEB.dns}:443`,
    "web_1.example",
    "10.0.0.1",
    "a".repeat(64),
    `${"label.".repeat(42)}aa`,
    "a.".repeat(2_000),
  ];
  await assertAll(
    names.map((name): [string, IssueOptions] => [name, { dns: [name] }]),
    "no-identity",
  );
});

test("a URI that is not exactly a SPIFFE ID is no identity", async () => {
  const uris = [
    "",
    "spiffe://",
    "spiffe://td",
    "spiffe://td/",
    `${WEB.uri}/`,
    `${WEB.uri}\0`,
    `${WEB.uri}\0.evil`,
    `${WEB.uri}?a`,
    `${WEB.uri}#a`,
    `${WEB.uri}, URI:spiffe://td/victim`,
    "SPIFFE://cluster.local/ns/default/sa/web",
    "spiffe://CLUSTER.LOCAL/ns/default/sa/web",
    "spiffe://cluster.local/ns%2fdefault/sa/web",
    "spiffe://cluster.local/ns/default/sa/%77eb",
    "spiffe://cluster.local/ns/other/../default/sa/web",
    "spiffe://cluster.local/./web",
    "spiffe://cluster.local//web",
    "spiffe://cluster.local:443/web",
    "spiffe://user@cluster.local/web",
    "https://cluster.local/ns/default/sa/web",
    `spiffe://td/${"a".repeat(4_096)}`,
  ];
  await assertAll(
    uris.map((uri): [string, IssueOptions] => [uri, { uris: [uri] }]),
    "no-identity",
  );
});

test("a bad name beside a good one of the other kind is no identity either", async () => {
  await assertAll(
    [
      ["wildcard", { dns: ["*.example"], uris: [WEB.uri] }],
      ["NUL in DNS", { dns: [`${WEB.dns}\0`], uris: [WEB.uri] }],
      ["URI of the web", { dns: [WEB.dns], uris: ["https://example/"] }],
      ["URI in upper case", { dns: [WEB.dns], uris: ["SPIFFE://td/a"] }],
    ],
    "no-identity",
  );
});

test("two of a kind are ambiguous", async () => {
  await assertAll(
    [
      ["DNS", { dns: [WEB.dns, "other.example"] }],
      ["DNS, equal", { dns: [WEB.dns, WEB.dns] }],
      ["DNS, one bad", { dns: ["*.example", WEB.dns] }],
      ["DNS, and a URI", { dns: [WEB.dns, "other.example"], uris: [WEB.uri] }],
      ["URI", { uris: [WEB.uri, "spiffe://td/victim"] }],
      ["URI, equal", { uris: [WEB.uri, WEB.uri] }],
      ["URI, one bad", { uris: ["https://example/", WEB.uri] }],
    ],
    "ambiguous-identity",
  );
});

test("an extension of names that is not strict DER is no certificate", async () => {
  await assertAll(
    [
      ["twice", { dns: [WEB.dns], hasSanTwice: true }],
      ["not ASCII", { dns: ["w\xe9b.example"] }],
      ["constructed", { rawNames: [der(0xa2, ascii(WEB.dns))] }],
      ["of unknown type", { rawNames: [der(0x89, ascii(WEB.dns))] }],
      ["trailing bytes", { dns: [WEB.dns], rawNames: [Uint8Array.of(0x82)] }],
      ["a lying length", { rawNames: [Uint8Array.of(0x82, 0x05, 0x61)] }],
      ["a length not in its shortest form", { rawNames: [Uint8Array.of(0x82, 0x81, 0x01, 0x61)] }],
      ["an indefinite length", { rawNames: [Uint8Array.of(0xa4, 0x80, 0, 0)] }],
    ],
    "malformed",
  );
});

test.run();
