// timeout: 180s
// Each stranger is shown a thousand times: Bun once took one of five (oven-sh/bun issue 27985).
import * as assert from "uvu/assert";
import { PEER_REFUSALS, type PeerRefusal, PeerVerifier } from "../../src/identity/verify-peer.ts";
import {
  type AuthorityOptions,
  der,
  type IssueOptions,
  type KeyUsageName,
  makeAuthority,
  oidDer,
} from "../support/certificates.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { atDay, LONG, makeMesh, NAMES, VALID, verdict, WEB } from "./verify-peer-fixture.ts";

const test = suite("identity/verify-peer-refusals");
test.timeout(60_000);

const ROUNDS = 1_000;

/** A refusal that needs no signature costs nothing; one that needs two takes Deno 1.5 ms. */
function assertRefused(
  verifier: PeerVerifier,
  chain: readonly Uint8Array[],
  reason: PeerRefusal,
  role: "client" | "server" = "client",
  rounds = ROUNDS,
): void {
  for (let round = 0; round < rounds; round += 1) {
    assert.is(verdict(verifier, chain, role), reason);
  }
}

test("no certificate", async () => {
  const { verifier } = await makeMesh();
  assertRefused(verifier, [], "no-certificate");
});

test("a self-signed leaf, under any name of an issuer", async () => {
  const { verifier, issuer, anchor, chainOf } = await makeMesh();
  const plain = await chainOf({ isSelfSigned: true });
  assertRefused(verifier, plain, "untrusted");
  const asIssuer = await chainOf({ isSelfSigned: true, issuer: issuer.subject });
  assertRefused(verifier, [...asIssuer, issuer.certificate], "untrusted");
  const asAnchor = await chainOf({ isSelfSigned: true, subject: anchor.subject });
  assertRefused(verifier, [...asAnchor, anchor.certificate], "untrusted");
});

test("a chain of another anchor, of the same names too", async () => {
  const { verifier } = await makeMesh();
  const other = await makeMesh();
  const chain = await other.chainOf();
  assertRefused(verifier, chain, "untrusted");
  assertRefused(verifier, [...chain, other.anchor.certificate], "untrusted");
});

test("an expired leaf, and one that is not yet valid", async () => {
  const { verifier, chainOf } = await makeMesh();
  const old = await chainOf({ notBefore: atDay(-3), notAfter: atDay(-2) });
  assertRefused(verifier, old, "expired");
  const early = await chainOf({ notBefore: atDay(2), notAfter: atDay(3) });
  assertRefused(verifier, early, "not-yet-valid");
  // Valid at no time at all.
  const never = await chainOf({ notBefore: atDay(1), notAfter: atDay(-1) });
  assertRefused(verifier, never, "expired", "client", 10);
});

test("an expired issuer, and one that is not yet valid", async () => {
  const { anchor, verifier } = await makeMesh();
  for (const [from, to, reason] of [
    [-3, -1, "expired"],
    [1, 3, "not-yet-valid"],
  ] as const) {
    const dates = { notBefore: atDay(from), notAfter: atDay(to) };
    const issuer = await makeAuthority({ parent: anchor, ...dates });
    const { certificates } = await issuer.issue({ ...VALID, ...NAMES });
    assertRefused(verifier, certificates, reason, "client", 100);
    const root = await makeAuthority(dates);
    const leaf = await root.issue({ ...VALID, ...NAMES });
    assertRefused(new PeerVerifier([root.certificate]), leaf.certificates, reason, "client", 100);
  }
});

test("a leaf that is a CA, or may sign certificates or lists", async () => {
  const { verifier, chainOf } = await makeMesh();
  const usages: IssueOptions[] = [
    { isCa: true },
    { isCa: true, keyUsage: ["keyCertSign"] },
    { keyUsage: ["digitalSignature", "keyCertSign"] },
    { keyUsage: ["digitalSignature", "cRLSign"] },
  ];
  for (const options of usages) {
    assertRefused(verifier, await chainOf(options), "not-a-leaf", "client", 250);
  }
});

test("the issuer's own certificate", async () => {
  const { verifier, issuer, anchor } = await makeMesh();
  assertRefused(verifier, [issuer.certificate], "not-a-leaf", "client", 100);
  assertRefused(verifier, [anchor.certificate], "not-a-leaf", "client", 100);
});

test("a leaf for other purposes than the part it plays", async () => {
  const { verifier, chainOf } = await makeMesh();
  const table: [IssueOptions, "client" | "server"][] = [
    [{ eku: ["serverAuth"] }, "client"],
    [{ eku: ["clientAuth"] }, "server"],
    [{ eku: ["emailProtection"] }, "client"],
    [{ eku: ["emailProtection", "codeSigning"] }, "server"],
    [{ eku: ["any"] }, "client"],
    [{ eku: null }, "client"],
    [{ keyUsage: ["keyEncipherment", "keyAgreement"] }, "client"],
  ];
  for (const [options, role] of table) {
    assertRefused(verifier, await chainOf(options), "wrong-usage", role, 150);
  }
  assert.equal(verdict(verifier, await chainOf({ keyUsage: null, isCa: null })), WEB);
});

test("a leaf with an unknown critical extension", async () => {
  const { verifier, chainOf } = await makeMesh();
  const unknown = { oid: "1.2.3.4", value: der(0x05) };
  const chain = await chainOf({ extensions: [{ ...unknown, isCritical: true }] });
  assertRefused(verifier, chain, "unknown-critical", "client", 100);
  assert.equal(verdict(verifier, await chainOf({ extensions: [unknown] })), WEB);
});

test("an anchor need not say that it signs, as those of openssl do not", async () => {
  const root = await makeAuthority({ ...LONG, keyUsage: null });
  const leaf = await root.issue({ ...VALID, ...NAMES });
  assert.equal(verdict(new PeerVerifier([root.root]), leaf.certificates), WEB);
});

test("an issuer that may not issue", async () => {
  const { anchor, verifier } = await makeMesh();
  const critical = { oid: "1.2.3.4", value: der(0x05), isCritical: true };
  // The DNS names below `example` alone (RFC 5280 §4.2.1.10), which we cannot check.
  const constraint = der(0x30, der(0xa0, der(0x30, der(0x82, [0x65]))));
  const cases: AuthorityOptions[] = [
    { isCa: false },
    { isCa: null },
    { keyUsage: null },
    { keyUsage: ["digitalSignature", "cRLSign"] },
    { eku: ["serverAuth"] },
    { eku: ["emailProtection"] },
    { eku: ["any"] },
    { extensions: [critical] },
    { extensions: [{ oid: "2.5.29.30", value: constraint, isCritical: true }] },
    { issuer: "CN=somebody" },
  ];
  for (const options of cases) {
    const issuer = await makeAuthority({ ...LONG, parent: anchor, ...options });
    const { certificates } = await issuer.issue({ ...VALID, ...NAMES });
    assertRefused(verifier, certificates, "untrusted", "client", 100);
    const root = await makeAuthority({ ...LONG, ...options, issuer: "CN=anchor" });
    if (options.issuer !== undefined || options.keyUsage === null) continue;
    const leaf = await root.issue({ ...VALID, ...NAMES });
    assertRefused(new PeerVerifier([root.root]), leaf.certificates, "untrusted", "client", 100);
  }
  const fit = await makeAuthority({ ...LONG, parent: anchor, eku: ["clientAuth"] });
  const { certificates } = await fit.issue({ ...VALID, ...NAMES });
  assert.equal(verdict(verifier, certificates, "client"), WEB);
  assertRefused(verifier, certificates, "untrusted", "server", 10);
});

test("a leaf that issues, as a workload might try", async () => {
  const { issuer, verifier } = await makeMesh();
  const keyUsage: KeyUsageName[] = ["digitalSignature", "keyCertSign"];
  for (const options of [{}, { keyUsage }, { isCa: true, keyUsage }] as IssueOptions[]) {
    const workload = await issuer.issue({ ...VALID, ...NAMES, subject: "CN=web", ...options });
    const fake = await makeAuthority({ ...LONG, name: "web", keys: workload.keys });
    const { certificates } = await fake.issue({ ...VALID, dns: ["victim.example"] });
    // The issuer has a path length of 0, so the CA that it should not have made is none either.
    assertRefused(
      verifier,
      [certificates[0], ...workload.certificates],
      "untrusted",
      "client",
      200,
    );
  }
});

test("a path longer than an issuer allows", async () => {
  const anchor = await makeAuthority({ ...LONG, pathLength: 1 });
  const first = await makeAuthority({ ...LONG, name: "first", parent: anchor });
  const second = await makeAuthority({ ...LONG, name: "second", parent: first });
  const verifier = new PeerVerifier([anchor.certificate]);
  const one = await first.issue({ ...VALID, ...NAMES });
  assert.equal(verdict(verifier, one.certificates), WEB);
  const two = await second.issue({ ...VALID, ...NAMES });
  assertRefused(verifier, two.certificates, "untrusted", "client", 100);
});

test("bytes that are no certificate, anywhere in the chain", async () => {
  const { verifier, chainOf } = await makeMesh();
  const [leaf, ...rest] = await chainOf();
  const bad = [
    new Uint8Array(0),
    leaf.subarray(0, -1),
    Uint8Array.from([...leaf, 0]),
    new Uint8Array(16_385),
    der(0x30, oidDer("1.2.3")),
  ];
  for (const bytes of bad) {
    assertRefused(verifier, [bytes, ...rest], "malformed");
    assertRefused(verifier, [leaf, bytes, ...rest], "malformed");
    assertRefused(verifier, [leaf, ...rest, bytes], "malformed");
  }
});

test("a leaf or issuer with any one byte changed", async () => {
  const { verifier, chainOf } = await makeMesh();
  const random = seeded("verify-peer bytes");
  const chain = await chainOf();
  for (let round = 0; round < ROUNDS; round += 1) {
    const copies = chain.map((bytes) => bytes.slice());
    const bytes = random.pick(copies);
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    const found = verdict(verifier, copies);
    // A changed critical flag and the like cannot help: the signature covers all but itself.
    assert.ok(found === "untrusted" || found === "malformed", `byte ${at}: ${found}`);
  }
});

test("issuers of one name, which could be put in any order, cost a few signatures", async () => {
  const { verifier } = await makeMesh();
  // Each of them has signed each other one, for they have one name and one key.
  const first = await makeAuthority({ ...LONG, name: "issuer" });
  const circle = [first.certificate];
  while (circle.length < 7) {
    circle.push((await makeAuthority({ ...LONG, name: "issuer", keys: first.key })).certificate);
  }
  const { certificates } = await first.issue({ ...VALID, ...NAMES });
  const before = process.cpuUsage();
  assertRefused(verifier, [certificates[0], ...circle], "untrusted", "client", 20);
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1_000 / 20;
  // Twelve signatures take 2 ms on Bun and 9 on Deno; all the orders take 140 and 600.
  assert.ok(ms < 70, `${ms} ms for a chain`);
});

test("every refusal is a label that metrics know", () => {
  assert.is(new Set(PEER_REFUSALS).size, PEER_REFUSALS.length);
});

test.run();
