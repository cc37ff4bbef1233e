import * as assert from "uvu/assert";
import { type CredentialParts, checkCredentials } from "../../src/identity/load.ts";
import type { Identity } from "../../src/mesh/credentials.ts";
import {
  type Authority,
  type Der,
  der,
  type IssueOptions,
  identityOf,
  makeAuthority,
  makeKeys,
} from "../support/certificates.ts";
import { suite } from "../support/test.ts";
import { atDay, DAY_MS, LONG, NAMES, NOW_MS, VALID, WEB } from "./verify-peer-fixture.ts";

const test = suite("identity/load");

let anchor: Authority;
let issuer: Authority;

test.before(async () => {
  anchor = await makeAuthority(LONG);
  issuer = await makeAuthority({ ...LONG, parent: anchor, pathLength: 0 });
});

async function partsOf(
  options: IssueOptions = {},
  authority = issuer,
): Promise<CredentialParts & { readonly certificates: readonly Der[] }> {
  const { certificates, key } = await authority.issue({ ...VALID, ...NAMES, ...options });
  return { certificates, key, roots: [anchor.certificate] };
}

/** Why they are refused, or "" when they are taken. */
function reason(parts: CredentialParts, expected: Identity | null = WEB, nowMs = NOW_MS): string {
  const checked = checkCredentials(parts, { nowMs, expected });
  return "refused" in checked ? checked.refused : "";
}

test("what fits together is taken, and the anchor is not sent along", async () => {
  const parts = await partsOf();
  const certificates = [...parts.certificates, anchor.certificate];
  const checked = checkCredentials({ ...parts, certificates }, { nowMs: NOW_MS, expected: WEB });
  if ("refused" in checked) throw new Error(checked.refused);
  assert.equal(checked.certificates, parts.certificates);
  assert.equal(checked.identity, WEB);
  assert.is(checked.notBeforeMs, NOW_MS - DAY_MS);
  assert.is(checked.notAfterMs, NOW_MS + DAY_MS);
});

test("it expires with the first certificate of the chain, the anchor included", async () => {
  const short = await makeAuthority({ ...LONG, notAfter: atDay(0.5) });
  const { certificates, key } = await short.issue({ ...VALID, ...NAMES });
  const parts = { certificates, key, roots: [short.certificate] };
  const checked = checkCredentials(parts, { nowMs: NOW_MS, expected: null });
  assert.is("refused" in checked ? checked.refused : checked.notAfterMs, NOW_MS + DAY_MS / 2);
});

test("a key must be the leaf's, of P-256, in PKCS #8", async () => {
  const parts = await partsOf();
  const other = await partsOf();
  assert.match(reason({ ...parts, key: other.key }), "does not belong");
  assert.match(reason({ ...parts, key: Uint8Array.of(1, 2, 3) }), "not PKCS#8");
  const rsa = await crypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 2_048,
      publicExponent: Uint8Array.of(1, 0, 1),
      hash: "SHA-256",
    },
    true,
    ["sign", "verify"],
  );
  const exported = await crypto.subtle.exportKey("pkcs8", rsa.privateKey);
  assert.match(reason({ ...parts, key: new Uint8Array(exported) }), "not of ECDSA on P-256");
});

test("a key that carries another public key than its own is found out", async () => {
  const parts = await partsOf();
  const other = await makeKeys();
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", other.publicKey));
  // RFC 5915: version, scalar, [1] public key; the scalar is the leaf's, the point another's.
  const scalar = parts.key.slice(36, 68);
  const ecKey = der(0x30, der(0x02, [1]), der(0x04, scalar), der(0xa1, der(0x03, [0], raw)));
  const algorithm = parts.key.slice(6, 27);
  const forged = der(0x30, der(0x02, [0]), algorithm, der(0x04, ecKey));
  assert.match(reason({ ...parts, key: forged }), /does not belong|damaged/);
  // And the other way round: the leaf's point with another's scalar.
  const { key: otherKey } = await partsOf();
  const otherScalar = otherKey.slice(36, 68);
  const leafPoint = parts.key.slice(-65);
  const mixed = der(
    0x30,
    der(0x02, [1]),
    der(0x04, otherScalar),
    der(0xa1, der(0x03, [0], leafPoint)),
  );
  const turned = der(0x30, der(0x02, [0]), algorithm, der(0x04, mixed));
  assert.match(reason({ ...parts, key: turned }), /does not belong|damaged/);
  // The same key put together from its own parts is taken, so that the above is about the point.
  const point = parts.key.slice(-65);
  const mine = der(0x30, der(0x02, [1]), der(0x04, scalar), der(0xa1, der(0x03, [0], point)));
  assert.is(reason({ ...parts, key: der(0x30, der(0x02, [0]), algorithm, der(0x04, mine)) }), "");
});

test("the leaf must serve both sides of TLS", async () => {
  for (const eku of [["serverAuth"], ["clientAuth"], null] as const) {
    assert.match(reason(await partsOf({ eku })), "not for both");
  }
  assert.match(reason(await partsOf({ isCa: true })), "one of a CA");
});

test("the chain must lead to a root that was given, and be valid now", async () => {
  const parts = await partsOf();
  const stranger = await makeAuthority(LONG);
  assert.match(reason({ ...parts, roots: [stranger.certificate] }), "does not lead");
  assert.match(reason({ ...parts, certificates: parts.certificates.slice(0, 1) }), "does not lead");
  assert.is(reason({ ...parts, roots: [stranger.certificate, anchor.certificate] }), "");
  assert.match(reason(parts, WEB, NOW_MS + DAY_MS + 1), "has expired");
  assert.match(reason(parts, WEB, NOW_MS - DAY_MS - 1), "not yet valid");
  assert.match(reason({ ...parts, roots: [] }), "no trust anchor");
  assert.match(reason({ ...parts, roots: [Uint8Array.of(1)] }), "trust anchor 1");
  assert.match(reason({ ...parts, certificates: [] }), "no certificate");
  const many = Array.from({ length: 65 }, () => anchor.certificate);
  assert.match(reason({ ...parts, roots: many }), "more than 64");
});

test("every certified name must be the expected one; without an expectation any will do", async () => {
  const other = identityOf("other");
  assert.is(reason(await partsOf({ uris: [] })), "");
  assert.is(reason(await partsOf({ dns: [] })), "");
  assert.is(
    reason(await partsOf({ dns: [other.dns], uris: [other.uri] })),
    `the certificate is for ${other.dns}, not for ${WEB.dns}`,
  );
  assert.match(reason(await partsOf({ uris: [other.uri] })), "is for");
  assert.match(reason(await partsOf({ dns: [other.dns] })), "is for");
  assert.is(reason(await partsOf({ dns: [other.dns], uris: [] }), null), "");
  assert.match(reason(await partsOf({ dns: [], uris: [] }), null), "no identity");
});

test.run();
