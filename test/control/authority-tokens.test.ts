import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "@noble/hashes/sha2.js";
import * as assert from "uvu/assert";
import type { AuditEvent } from "../../src/control/authority/audit.ts";
import { Certifier, type CertifyCall } from "../../src/control/authority/certify.ts";
import { Refusal } from "../../src/control/authority/refusal.ts";
import { TokenCheck } from "../../src/control/authority/token-check.ts";
import { TOKENS_MAX } from "../../src/control/authority/token-file.ts";
import {
  createToken,
  listTokens,
  revokeToken,
  type TokenRequest,
} from "../../src/control/authority/tokens.ts";
import { makeKeyAndCsr } from "../../src/identity/csr.ts";
import { encodeJoinProof, type JoinToken, parseJoinToken } from "../../src/identity/join-token.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { newFolder, ok, Rig, reasonOf, START_MS, workload } from "./authority-rig.ts";

const test = suite("control/authority-tokens");

const HOUR_MS = 3_600_000;
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function tokenRequest(parts: Partial<TokenRequest> = {}): TokenRequest {
  return {
    name: "web",
    namespace: "default",
    trustDomain: "cluster.local",
    host: "127.0.0.1",
    port: 8_443,
    ttlMs: HOUR_MS,
    nowMs: START_MS,
    ...parts,
  };
}

function parsed(text: string): JoinToken {
  const token = parseJoinToken(text);
  if (token === null) throw new Error("no token");
  return token;
}

/** An open authority with the checks before it, and a way to ask it. */
async function makeDesk() {
  const rig = new Rig();
  const authority = await rig.open();
  const tokens = new TokenCheck(rig.dir, (fault) => rig.faults.push(fault.reason));
  const audit = (event: AuditEvent): void => void rig.events.push(event);
  const certifier = new Certifier({ authority, tokens, trustDomain: "cluster.local", audit });
  const { csr } = await makeKeyAndCsr(workload("web"));
  const ask = async (parts: Partial<CertifyCall> = {}): Promise<string> => {
    const answer = await certifier.certify({
      requested: workload("web").dns,
      token: new Uint8Array(0),
      csr,
      peerAddress: "192.0.2.1:1",
      peerIdentity: null,
      nowMs: rig.nowMs,
      ...parts,
    });
    return answer instanceof Refusal ? `${answer.kind} ${answer.status}` : "issued";
  };
  const create = async (parts: Partial<TokenRequest> = {}): Promise<string> =>
    ok(await createToken(rig.dir, tokenRequest(parts)));
  return { rig, authority, tokens, certifier, ask, create };
}

test("a token holds address, trust domain and the pin of the active anchor", async () => {
  const { create, authority } = await makeDesk();
  const token = parsed(await create({ host: "control.example" }));
  assert.is(token.host, "control.example");
  assert.is(token.port, 8_443);
  assert.is(token.trustDomain, "cluster.local");
  assert.equal(token.pins, [sha256(authority.state.anchor.der)]);
});

test("the folder keeps no secret, and the file is for the owner alone", async () => {
  const { rig, create } = await makeDesk();
  const { secret } = parsed(await create());
  const path = join(rig.dir, "tokens");
  const text = readFileSync(path, "latin1");
  for (const encoding of ["hex", "base64", "base64url", "latin1"] as const) {
    assert.not.ok(text.includes(Buffer.from(secret).toString(encoding)), encoding);
  }
  assert.ok(text.includes(Buffer.from(sha256(secret)).toString("hex")));
  assert.is(statSync(path).mode & 0o777, 0o600);
});

test("a token proves its name, again and again, as 40 bytes or as its text", async () => {
  const { ask, create, rig, certifier } = await makeDesk();
  const text = await create();
  assert.is(await ask({ token: encodeJoinProof(parsed(text)) }), "issued");
  assert.is(await ask({ token: ascii(`${text}\n`) }), "issued");
  // From elsewhere too: a token that was stolen gives its own identity, and is on record.
  assert.is(await ask({ token: ascii(text), peerAddress: "203.0.113.9:9" }), "issued");
  assert.is(certifier.issued, 3);
  const id = Buffer.from(parsed(text).id).toString("hex");
  const [last] = rig.events.slice(-1);
  assert.is(last?.peer, "203.0.113.9:9");
  assert.is(last?.proof, `token ${id}`);
  assert.is(last?.identity, workload("web").dns);
});

test("tokens that prove nothing are refused and counted by their reason", async () => {
  const { ask, create, certifier, rig } = await makeDesk();
  const token = parsed(await create());
  const other = parsed(await create({ name: "other" }));
  const random = seeded("tokens");
  const tampered = Uint8Array.from(token.secret);
  tampered[31] = (tampered[31] ?? 0) ^ 1;
  const jwt = `${btoa('{"alg":"none"}')}.${btoa('{"sub":"web"}')}.`;
  const table: [string, Uint8Array, string][] = [
    ["none", new Uint8Array(0), "malformed-token 16"],
    ["short", random.bytes(39), "malformed-token 16"],
    ["long", random.bytes(1_000_000), "malformed-token 16"],
    ["a JWT", ascii(jwt), "malformed-token 16"],
    ["random", random.bytes(40), "unknown-token 16"],
    ["zeros", new Uint8Array(40), "unknown-token 16"],
    ["one bit", encodeJoinProof({ id: token.id, secret: tampered }), "unknown-token 16"],
    ["mixed", encodeJoinProof({ id: token.id, secret: other.secret }), "unknown-token 16"],
    ["another's", encodeJoinProof(other), "wrong-identity 7"],
  ];
  for (const [what, proof, expected] of table) {
    assert.is(await ask({ token: proof }), expected, what);
  }
  assert.is(certifier.refused["malformed-token"], 4);
  assert.is(certifier.refused["unknown-token"], 4);
  assert.is(certifier.refused["wrong-identity"], 1);
  assert.is(certifier.issued, 0);
  assert.is(rig.events.length, table.length);
  const record = JSON.stringify(rig.events);
  assert.not.ok(record.includes(Buffer.from(other.secret).toString("hex")));
});

test("a token expires to the millisecond, and does not say so to who has not its secret", async () => {
  const { ask, create, rig } = await makeDesk();
  const token = parsed(await create({ ttlMs: 10_000 }));
  rig.nowMs = START_MS + 9_999;
  assert.is(await ask({ token: encodeJoinProof(token) }), "issued");
  rig.nowMs = START_MS + 10_000;
  assert.is(await ask({ token: encodeJoinProof(token) }), "expired-token 16");
  const guess = encodeJoinProof({ id: token.id, secret: new Uint8Array(32) });
  assert.is(await ask({ token: guess }), "unknown-token 16");
});

test("a token made or revoked by another process counts at the next request", async () => {
  const { ask, create, rig } = await makeDesk();
  const first = parsed(await create());
  assert.is(await ask({ token: encodeJoinProof(first) }), "issued");
  for (let count = 0; count < 20; count += 1) {
    const token = parsed(await create());
    assert.is(await ask({ token: encodeJoinProof(token) }), "issued");
    const id = Buffer.from(token.id).toString("hex");
    assert.is(ok(await revokeToken(rig.dir, id)), null);
    assert.is(await ask({ token: encodeJoinProof(token) }), "unknown-token 16");
  }
  assert.is(await ask({ token: encodeJoinProof(first) }), "issued");
  assert.match(reasonOf(await revokeToken(rig.dir, "0011223344556677")), /no such token/);
});

test("a certificate is renewed by itself, for its own name alone", async () => {
  const { ask, create, rig } = await makeDesk();
  const web = workload("web");
  assert.is(await ask({ peerIdentity: web }), "issued");
  assert.is(await ask({ peerIdentity: web, token: ascii("rubbish") }), "issued");
  assert.is(rig.events.at(-1)?.proof, "certificate");
  assert.is(await ask({ peerIdentity: workload("other") }), "wrong-identity 7");
  // Of a mesh whose anchor is trusted here too.
  const foreign = { dns: web.dns.replace("cluster.local", "elsewhere"), uri: null };
  assert.is(await ask({ peerIdentity: foreign, requested: foreign.dns }), "wrong-identity 7");
  const mixed = { dns: web.dns, uri: workload("admin").uri };
  assert.is(await ask({ peerIdentity: mixed }), "wrong-identity 7");
  assert.is(await ask({ peerIdentity: { dns: null, uri: web.uri } }), "wrong-identity 7");
  // Who is known as somebody else may join by a token of its own.
  const text = await create();
  assert.is(await ask({ peerIdentity: workload("other"), token: ascii(text) }), "issued");
});

test("expired tokens are pruned, the list shows the others without secrets", async () => {
  const { create, rig } = await makeDesk();
  await create({ name: "short", ttlMs: 1_000 });
  await create({ name: "long" });
  const names = (nowMs: number): string[] => ok(listTokens(rig.dir, nowMs)).map(({ name }) => name);
  assert.equal(names(START_MS), ["short", "long"]);
  assert.equal(names(START_MS + 1_000), ["long"]);
  assert.ok(readFileSync(join(rig.dir, "tokens"), "utf8").includes("short"));
  await create({ name: "later", nowMs: START_MS + 1_000 });
  assert.not.ok(readFileSync(join(rig.dir, "tokens"), "utf8").includes("short"));
});

test("there is a limit to the number of tokens", async () => {
  const { rig, create } = await makeDesk();
  await create();
  const path = join(rig.dir, "tokens");
  const [record] = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify(Array.from({ length: TOKENS_MAX }, () => record)));
  assert.match(reasonOf(await createToken(rig.dir, tokenRequest())), /4096 tokens/);
});

test("values that make no token are refused, the control plane's own name too", async () => {
  const { rig } = await makeDesk();
  const table: Partial<TokenRequest>[] = [
    { name: "" },
    { name: "Web" },
    { name: "a.b" },
    { name: "../x" },
    { name: "a".repeat(64) },
    { namespace: "a b" },
    { trustDomain: "Cluster.local" },
    { trustDomain: "127.0.0.1" },
    { trustDomain: Array(4).fill("a".repeat(60)).join(".") },
    { name: "control", namespace: "outrigger" },
    { host: "" },
    { host: "a b" },
    { port: 0 },
    { port: 1.5 },
    { ttlMs: 0 },
    { ttlMs: Number.NaN },
    { ttlMs: Number.POSITIVE_INFINITY },
  ];
  for (const parts of table) {
    const answer = await createToken(rig.dir, tokenRequest(parts));
    assert.ok(reasonOf(answer).length < 100, JSON.stringify(parts));
  }
  const nowhere = await createToken(newFolder(), tokenRequest());
  assert.type(reasonOf(nowhere), "string");
});

test("a damaged file keeps the tokens that were known, and is told", async () => {
  const { ask, create, rig } = await makeDesk();
  const token = encodeJoinProof(parsed(await create()));
  assert.is(await ask({ token }), "issued");
  for (const text of ["", "[", "{}", '[{"id":1}]', `[${"[".repeat(10_000)}`]) {
    rig.faults.length = 0;
    writeFileSync(join(rig.dir, "tokens"), text);
    assert.is(await ask({ token }), "issued");
    assert.match(rig.faults.join(), /tokens is damaged/, text.slice(0, 10));
    assert.match(reasonOf(await createToken(rig.dir, tokenRequest())), /tokens is damaged/);
  }
});

test.run();
