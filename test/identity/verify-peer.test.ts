import * as assert from "uvu/assert";
import { KEPT_MAX, PeerVerifier } from "../../src/identity/verify-peer.ts";
import { isSameName } from "../../src/mesh/identity.ts";
import { type Authority, identityOf, makeAuthority } from "../support/certificates.ts";
import { suite } from "../support/test.ts";
import {
  atDay,
  DAY_MS,
  LONG,
  makeMesh,
  NAMES,
  NOW_MS,
  VALID,
  verdict,
  WEB,
} from "./verify-peer-fixture.ts";

const test = suite("identity/verify-peer");

test("a workload is its names, in both roles", async () => {
  const { verifier, chainOf } = await makeMesh();
  const chain = await chainOf();
  assert.equal(verdict(verifier, chain, "client"), WEB);
  assert.equal(verdict(verifier, chain, "server"), WEB);
});

test("another workload of the mesh, or of another trust domain, is not the one expected", async () => {
  const { verifier, chainOf } = await makeMesh();
  for (const other of [
    identityOf("db"),
    identityOf("web", "other"),
    identityOf("web", "default", "td"),
  ]) {
    const found = verdict(
      verifier,
      await chainOf({ dns: [other.dns], uris: [other.uri] }),
      "server",
    );
    assert.equal(found, other);
    assert.not(isSameName(other, WEB.dns) || isSameName(other, WEB.uri));
  }
});

test("one name of either kind is enough", async () => {
  const { verifier, chainOf } = await makeMesh();
  const dnsOnly = await chainOf({ dns: ["Web.Example"], uris: [] });
  assert.equal(verdict(verifier, dnsOnly), { dns: "web.example", uri: null });
  const uriOnly = await chainOf({ dns: [], uris: ["spiffe://td/Web"], isSanCritical: true });
  assert.equal(verdict(verifier, uriOnly), { dns: null, uri: "spiffe://td/Web" });
});

test("the path may be short or long, the root sent or not, in any order and with strangers", async () => {
  const { anchor, issuer, verifier, chainOf } = await makeMesh();
  const direct = await anchor.issue({ ...VALID, ...NAMES });
  assert.equal(verdict(verifier, direct.certificates), WEB);
  const [leaf, intermediate] = await chainOf();
  const stranger = (await makeAuthority()).certificate;
  for (const others of [
    [intermediate ?? leaf],
    [intermediate ?? leaf, anchor.certificate],
    [anchor.certificate, intermediate ?? leaf],
    [stranger, anchor.certificate, stranger, intermediate ?? leaf],
    [leaf, intermediate ?? leaf, intermediate ?? leaf],
  ]) {
    assert.equal(verdict(verifier, [leaf, ...others]), WEB);
  }
  assert.equal(verdict(new PeerVerifier([issuer.certificate]), [leaf]), WEB);
});

test("a path has three intermediates at the most, a chain eight certificates", async () => {
  const levels: Authority[] = [await makeAuthority(LONG)];
  for (let level = 1; level <= 4; level += 1) {
    const parent = levels[level - 1];
    if (parent !== undefined) {
      levels.push(await makeAuthority({ ...LONG, name: `level ${level}`, parent }));
    }
  }
  const verdicts: unknown[] = [];
  for (const level of levels) {
    const { certificates } = await level.issue({ ...VALID, ...NAMES });
    verdicts.push(verdict(new PeerVerifier([level.root]), certificates));
  }
  assert.equal(verdicts, [WEB, WEB, WEB, WEB, "untrusted"]);
  const { verifier, chainOf } = await makeMesh();
  const [leaf, ...rest] = await chainOf();
  const padded = (count: number) => [leaf, ...Array<Uint8Array>(count).fill(leaf), ...rest];
  assert.equal(verdict(verifier, padded(6)), WEB);
  assert.is(verdict(verifier, padded(7)), "malformed");
});

test("notAfterMs is that of the certificate which expires first", async () => {
  const anchor = await makeAuthority({ notBefore: atDay(-9), notAfter: atDay(3) });
  const issuer = await makeAuthority({ parent: anchor, notBefore: atDay(-9), notAfter: atDay(2) });
  for (const [from, days, expected] of [
    [issuer, 1, 1],
    [issuer, 5, 2],
    [anchor, 5, 3],
  ] as const) {
    const { certificates } = await from.issue({ ...NAMES, ...VALID, notAfter: atDay(days) });
    const peer = new PeerVerifier([anchor.certificate]).verify(certificates, "client", NOW_MS);
    assert.is("refused" in peer ? peer.refused : peer.notAfterMs, NOW_MS + expected * DAY_MS);
  }
});

test("validity includes both its ends, and what was found once is dated anew", async () => {
  const { anchor, verifier, chainOf } = await makeMesh();
  const chain = await chainOf();
  const table: [number, unknown][] = [
    [NOW_MS, WEB],
    [NOW_MS + DAY_MS, WEB],
    [NOW_MS + DAY_MS + 1, "expired"],
    [NOW_MS - DAY_MS, WEB],
    [NOW_MS - DAY_MS - 1, "not-yet-valid"],
    [NOW_MS + DAY_MS + 1, "expired"],
    [NOW_MS, WEB],
    [NOW_MS + 100 * DAY_MS, "expired"],
    [NOW_MS - 100 * DAY_MS, "not-yet-valid"],
  ];
  for (const [nowMs, expected] of table) {
    assert.equal(verdict(verifier, chain, "client", nowMs), expected, "kept");
    const fresh = new PeerVerifier([anchor.certificate]);
    assert.equal(verdict(fresh, chain, "client", nowMs), expected, "fresh");
  }
});

test("an issuer that expires is an end too, also of what was found once", async () => {
  const anchor = await makeAuthority(LONG);
  const issuer = await makeAuthority({ parent: anchor, notBefore: atDay(-1), notAfter: atDay(1) });
  const { certificates } = await issuer.issue({ ...LONG, ...NAMES });
  const verifier = new PeerVerifier([anchor.certificate]);
  assert.equal(verdict(verifier, certificates), WEB);
  assert.is(verdict(verifier, certificates, "client", NOW_MS + 2 * DAY_MS), "expired");
  assert.is(verdict(verifier, certificates, "client", NOW_MS - 2 * DAY_MS), "not-yet-valid");
});

test("what is kept of one chain or role is not found for another", async () => {
  const { verifier, issuer, chainOf } = await makeMesh();
  const client = await chainOf({ eku: ["clientAuth"] });
  assert.equal(verdict(verifier, client, "client"), WEB);
  assert.is(verdict(verifier, client, "server"), "wrong-usage");
  const [leaf] = client;
  assert.is(verdict(verifier, [leaf]), "untrusted");
  const joined = Uint8Array.from([...leaf, ...issuer.certificate]);
  assert.is(verdict(verifier, [joined]), "malformed");
  const forged = leaf.slice();
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  assert.is(verdict(verifier, [forged, issuer.certificate]), "untrusted");
});

test("more chains than are kept are told right all the same", async () => {
  const { verifier, chainOf, issuer, anchor } = await makeMesh();
  const web = await chainOf();
  const db = identityOf("db");
  const [leaf] = await chainOf({ dns: [db.dns], uris: [db.uri] });
  assert.equal(verdict(verifier, web), WEB);
  // The bytes of a chain tell it from others, so what lies about one leaf makes many.
  const fillers = [leaf, web[0], issuer.certificate, anchor.certificate];
  for (let number = 0; number < KEPT_MAX + 50; number += 1) {
    const order = [0, 2, 4, 6, 8, 10].map((shift) => fillers[(number >> shift) & 3] ?? leaf);
    assert.equal(verdict(verifier, [leaf, ...order, issuer.certificate]), db);
    assert.is(verifier.keptCount, Math.min(number + 2, KEPT_MAX));
  }
  assert.equal(verdict(verifier, web), WEB);
  assert.is(verifier.keptCount, KEPT_MAX);
});

test("refusals are not kept", async () => {
  const { verifier, chainOf } = await makeMesh();
  const chain = await chainOf();
  assert.is(verdict(verifier, chain.slice(0, 1)), "untrusted");
  assert.is(verdict(verifier, chain, "client", 0), "not-yet-valid");
  assert.is(verifier.keptCount, 0);
  verdict(verifier, chain);
  assert.is(verifier.keptCount, 1);
  assert.is(verdict(verifier, chain, "client", 0), "not-yet-valid");
  assert.is(verifier.keptCount, 0);
});

test("several anchors can be active, of one name even, and the last one may be taken away", async () => {
  const [older, newer] = [await makeAuthority(LONG), await makeAuthority(LONG)];
  const ofOlder = (await older.issue({ ...VALID, ...NAMES })).certificates;
  const ofNewer = (await newer.issue({ ...VALID, ...NAMES })).certificates;
  const both = new PeerVerifier([older.certificate, newer.certificate]);
  assert.equal(verdict(both, ofOlder), WEB);
  assert.equal(verdict(both, ofNewer), WEB);
  const last = new PeerVerifier([newer.certificate]);
  assert.is(verdict(last, ofOlder), "untrusted");
  assert.equal(verdict(last, ofNewer), WEB);
  assert.is(verdict(new PeerVerifier([]), ofNewer), "untrusted");
});

test("an anchor renewed with its key is another certificate for the same leaves", async () => {
  const old = await makeAuthority({ notBefore: atDay(-9), notAfter: atDay(-1) });
  const renewed = await makeAuthority({ ...LONG, keys: old.key });
  const { certificates } = await old.issue({ ...VALID, ...NAMES });
  assert.is(verdict(new PeerVerifier([old.certificate]), certificates), "expired");
  const both = new PeerVerifier([old.certificate, renewed.certificate]);
  assert.equal(verdict(both, certificates), WEB);
});

test("an anchor may be of RSA or Ed25519, a leaf only of P-256", async () => {
  const rsa = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2_048, hash: "SHA-256" };
  const exponent = { publicExponent: Uint8Array.of(1, 0, 1) };
  const kinds: [string, EcKeyGenParams | RsaHashedKeyGenParams | Algorithm, string][] = [
    ["P-384", { name: "ECDSA", namedCurve: "P-384" }, "fine"],
    ["Ed25519", { name: "Ed25519" }, "fine"],
    ["RSA", { ...rsa, ...exponent }, "fine"],
    ["RSA with SHA-1", { ...rsa, ...exponent, hash: "SHA-1" }, "untrusted"],
  ];
  const { issuer, verifier } = await makeMesh();
  for (const [name, algorithm, expected] of kinds) {
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    if (!("privateKey" in keys)) throw new Error(`no key pair: ${name}`);
    const anchor = await makeAuthority({ ...LONG, keys });
    const { certificates } = await anchor.issue({ ...VALID, ...NAMES });
    const found = verdict(new PeerVerifier([anchor.certificate]), certificates);
    assert.equal(found, expected === "fine" ? WEB : expected, name);
    const leaf = await issuer.issue({ ...VALID, ...NAMES, keys });
    assert.is(verdict(verifier, leaf.certificates), "wrong-key", name);
  }
});

test("a trust anchor that cannot be read is a mistake of who gives it", () => {
  assert.throws(() => new PeerVerifier([new Uint8Array(3)]), /^trust anchor 1: /);
});

test.run();
