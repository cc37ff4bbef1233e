import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readCertificate } from "../../src/codec/x509/certificate.ts";
import { auditLine } from "../../src/control/authority/audit.ts";
import type { Authority, Issued, IssueRequest } from "../../src/control/authority/authority.ts";
import { makeOwnCredentials } from "../../src/control/authority/own-credentials.ts";
import { Refusal } from "../../src/control/authority/refusal.ts";
import { makeKeyAndCsr } from "../../src/identity/csr.ts";
import { PeerVerifier } from "../../src/identity/verify-peer.ts";
import { toPem } from "../support/certificates.ts";
import { suite } from "../support/test.ts";
import { findTool, runTool } from "../support/tool.ts";
import { DAY_MS, newFolder, Rig, reasonOf, START_MS, workload } from "./authority-rig.ts";

const test = suite("control/authority-issue");

const SKEW_MS = 20_000;

async function issued(authority: Authority, request: IssueRequest): Promise<Issued> {
  const answer = await authority.issue(request);
  if (answer instanceof Refusal) throw new Error(`refused: ${answer.reason}`);
  return answer;
}

function factsOf(der: Uint8Array) {
  const facts = readCertificate(der);
  if ("error" in facts) throw new Error(facts.error);
  return facts;
}

async function openssl(...args: string[]): Promise<{ status: number | null; output: string }> {
  const path = findTool("openssl");
  if (path === null) throw new Error("openssl is not installed");
  return runTool(path, args);
}

/** Writes DER as PEM into a new file. */
function pemFile(der: Uint8Array): string {
  const path = newFolder();
  writeFileSync(path, toPem("CERTIFICATE", der));
  return path;
}

test("a leaf has both names, both purposes, and nothing that a CA has", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const answer = await issued(authority, await rig.request());
  const facts = factsOf(answer.leaf);
  const { dns, uri } = workload("web");
  assert.equal(facts.names, { dns: [dns], uri: [uri], others: 0 });
  assert.equal(facts.extendedKeyUsage, { serverAuth: true, clientAuth: true, any: false });
  assert.is(facts.keyUsage, 1);
  assert.not.ok(facts.isCa);
  assert.is(facts.version, 3);
  assert.is(facts.serial.length, 17);
  assert.is(facts.notBeforeMs, START_MS - SKEW_MS);
  assert.is(facts.notAfterMs, START_MS + DAY_MS);
  assert.is(answer.validFromMs, facts.notBeforeMs);
  assert.is(answer.validUntilMs, facts.notAfterMs);
  assert.is(answer.serial, Buffer.from(facts.serial).toString("hex"));
});

test("a request with a common name, as Linkerd's proxies make them, is taken", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const { dns } = workload("web");
  const openSsl = await openssl(
    ..."req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null".split(" "),
    ...["-subj", `/O=outrigger/CN=${dns.slice(0, 64)}`, "-addext", `subjectAltName=DNS:${dns}`],
  );
  const [, base64 = ""] = /REQUEST-----\n([^-]+)-----END/.exec(openSsl.output) ?? [];
  const csr = Buffer.from(base64, "base64");
  const answer = await issued(authority, await rig.request({ csr }));
  assert.equal(factsOf(answer.leaf).names?.uri, [workload("web").uri]);
});

test("openssl verifies what is issued, and shows the fields", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const answer = await issued(authority, await rig.request());
  const leaf = pemFile(answer.leaf);
  const file = (name: string): string => join(rig.dir, name);
  const at = String(Math.floor(START_MS / 1_000));
  const chain = ["-CAfile", file("ca.crt"), "-untrusted", file("issuer.crt"), "-x509_strict"];
  const strict = ["verify", ...chain, "-attime", at, "-purpose", "sslserver", leaf];
  const verified = await openssl(...strict);
  assert.is(verified.status, 0, verified.output);
  const client = await openssl("verify", ...chain, "-attime", at, "-purpose", "sslclient", leaf);
  assert.is(client.status, 0, client.output);
  const late = String(Math.floor((START_MS + DAY_MS) / 1_000) + 1);
  assert.is.not((await openssl("verify", ...chain, "-attime", late, leaf)).status, 0);

  const { output } = await openssl("x509", "-in", leaf, "-noout", "-text");
  const { dns, uri } = workload("web");
  for (const expected of [
    "Signature Algorithm: ecdsa-with-SHA256",
    "ASN1 OID: prime256v1",
    /X509v3 Basic Constraints: critical\s+CA:FALSE/,
    /X509v3 Key Usage: critical\s+Digital Signature\n/,
    "TLS Web Server Authentication, TLS Web Client Authentication",
    new RegExp(`X509v3 Subject Alternative Name: critical\\s+DNS:${dns}, URI:${uri}\\n`),
    "X509v3 Subject Key Identifier",
    "X509v3 Authority Key Identifier",
  ]) {
    assert.ok(new RegExp(expected).test(output), `${expected} in\n${output}`);
  }
  const issuer = await openssl("x509", "-in", file("issuer.crt"), "-noout", "-text");
  assert.match(issuer.output, /X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
  assert.match(issuer.output, /X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign/);
  const anchor = await openssl("x509", "-in", file("anchor.crt"), "-noout", "-dates");
  assert.ok(anchor.output.includes("notAfter=Jan  1 00:00:00 2041 GMT"), anchor.output);
});

test("the intermediates are the issuer alone, and the roots the bundle", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const answer = await issued(authority, await rig.request());
  const pem = (name: string): string => readFileSync(join(rig.dir, name), "latin1");
  const texts = (list: readonly Uint8Array[]) => list.map((der) => toPem("CERTIFICATE", der));
  const plain = (text: string): string => text.replace(/\s/g, "");
  assert.equal(texts(answer.intermediates).map(plain), [plain(pem("issuer.crt"))]);
  assert.equal(texts(answer.roots).map(plain), [plain(pem("ca.crt"))]);
  assert.equal(answer.roots, authority.roots);
});

test("the control plane's own credentials are ones that sidecars accept", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const own = await makeOwnCredentials(authority, "cluster.local", rig.nowMs);
  if (own instanceof Refusal) throw new Error(own.reason);
  const verdict = new PeerVerifier(authority.roots).verify(own.certificates, "server", rig.nowMs);
  if ("refused" in verdict) throw new Error(verdict.refused);
  const dns = "control.outrigger.serviceaccount.identity.outrigger.cluster.local";
  assert.equal(verdict.identity, { dns, uri: "spiffe://cluster.local/ns/outrigger/sa/control" });
  assert.equal(verdict.identity, own.identity);
  assert.is(own.notAfterMs, verdict.notAfterMs);
  assert.is(rig.events[0]?.proof, "own process");
});

test("serial numbers and keys differ, and a request that is sent again gives the same identity", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const request = await rig.request();
  const answers = [];
  for (let count = 0; count < 20; count += 1) answers.push(await issued(authority, request));
  assert.is(new Set(answers.map((answer) => answer.serial)).size, 20);
  for (const { leaf } of answers) {
    assert.equal(factsOf(leaf).names?.dns, [workload("web").dns]);
    assert.equal(factsOf(leaf).spki, factsOf(answers[0]?.leaf ?? leaf).spki);
  }
});

test("a leaf lives as long as it is told, and never longer than its issuer", async () => {
  const rig = new Rig();
  rig.lifetimeMs = 10_000;
  const short = await rig.open();
  assert.is((await issued(short, await rig.request())).validUntilMs, START_MS + 10_000);
  const asked = await rig.request({ lifetimeMs: DAY_MS });
  assert.is((await issued(short, asked)).validUntilMs, START_MS + 10_000);
  const shorter = await rig.request({ lifetimeMs: 5_000 });
  assert.is((await issued(short, shorter)).validUntilMs, START_MS + 5_000);

  const { issuer } = short.state;
  rig.lifetimeMs = DAY_MS;
  const long = await rig.open();
  const nowMs = issuer.notAfterMs - 3_600_500;
  const answer = await issued(long, await rig.request({ nowMs }));
  assert.is(answer.validUntilMs, issuer.notAfterMs);
});

test("lifetimes out of bounds are refused", async () => {
  for (const lifetimeMs of [0, -1, 4_999, 31 * DAY_MS, Number.NaN, Number.POSITIVE_INFINITY]) {
    const rig = new Rig();
    rig.lifetimeMs = lifetimeMs;
    assert.match(reasonOf(await rig.tryOpen()), /5 s to 30 days/);
  }
});

test("clocks that are wrong by up to an hour, and jumps, give a certificate or a refusal that says why", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const outcome = async (offsetMs: number): Promise<string> => {
    const nowMs = START_MS + offsetMs;
    const answer = await authority.issue(await rig.request({ nowMs }));
    if (answer instanceof Refusal) return `${answer.kind} ${answer.status}`;
    // Whoever is behind by the skew takes it, and it does not precede its issuer.
    assert.ok(answer.validFromMs >= authority.state.issuer.notBeforeMs);
    assert.ok(answer.validFromMs <= Math.max(nowMs - SKEW_MS + 1_000, START_MS - SKEW_MS));
    return "issued";
  };
  const table: [number, string][] = [
    [10_000, "issued"],
    [-10_000, "issued"],
    [60_000, "issued"],
    [-60_000, "clock 14"],
    [3_600_000, "issued"],
    [-3_600_000, "clock 14"],
    [364 * DAY_MS, "issued"],
    [365 * DAY_MS + 1_000, "clock 14"],
    [4_000 * DAY_MS, "clock 14"],
    [0, "issued"],
  ];
  for (const [offsetMs, expected] of table)
    assert.is(await outcome(offsetMs), expected, `${offsetMs}`);
});

test("each answer is one line of record, without anything secret", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const { key, csr } = await makeKeyAndCsr(workload("web"));
  const good = await issued(authority, await rig.request({ csr, proof: "token 0011223344556677" }));
  const hostile = `web\n{"level":"error"}\u001b[31m${"x".repeat(5_000)}`;
  const bad = await authority.issue(await rig.request({ requested: hostile }));
  assert.instance(bad, Refusal);
  assert.is(rig.events.length, 2);
  const [first, second] = rig.events.map((event) => auditLine(event, "text"));
  assert.is(
    first,
    `2031-01-01T00:00:00.000Z info  certificate issued identity=${workload("web").dns} ` +
      `requested=${workload("web").dns} peer=127.0.0.1:40000 proof="token 0011223344556677" ` +
      `serial=${good.serial} notAfter=2031-01-02T00:00:00.000Z`,
  );
  assert.match(second ?? "", /^[\x20-\x7e]{100,700}$/);
  assert.match(second ?? "", /kind=wrong-identity reason="the request is for another identity"$/);
  const json = rig.events.map((event) => JSON.parse(auditLine(event, "json")));
  assert.equal(
    json.map((line) => [line.message, line.kind ?? null]),
    [
      ["certificate issued", null],
      ["certificate refused", "wrong-identity"],
    ],
  );
  const all = JSON.stringify(rig.events);
  for (const secret of [key, csr]) {
    assert.not.ok(all.includes(Buffer.from(secret).toString("base64").slice(0, 40)));
    assert.not.ok(all.includes(Buffer.from(secret).toString("hex").slice(0, 40)));
  }
});

test.run();
