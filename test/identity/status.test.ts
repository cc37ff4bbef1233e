import * as assert from "uvu/assert";
import { certificateView, StatusRecord } from "../../src/identity/status.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import { identityOf, issueCredentials, makeAuthority } from "../support/certificates.ts";
import { suite } from "../support/test.ts";
import { START_MS } from "./source-fixture.ts";

const test = suite("identity/status");

const HOUR_MS = 3_600_000;
const WEB = identityOf("web");

let credentials: Credentials;

test.before(async () => {
  const authority = await makeAuthority({
    name: "root of trust",
    notBefore: new Date(START_MS - HOUR_MS),
    notAfter: new Date(START_MS + 1_000 * HOUR_MS),
  });
  const issuer = await makeAuthority({ parent: authority });
  credentials = await issueCredentials(issuer, WEB, {
    subject: "CN=web, O=example",
    serial: "0abc",
    notBefore: new Date(START_MS),
    notAfter: new Date(START_MS + 24 * HOUR_MS),
  });
});

function desk(): { record: StatusRecord; clock: { ms: number }; told: () => number } {
  const clock = { ms: START_MS };
  let count = 0;
  const record = new StatusRecord({
    source: "control",
    identity: WEB,
    wallMs: () => clock.ms,
    changed: () => {
      count += 1;
    },
  });
  return { record, clock, told: () => count };
}

test("a certificate is shown by names, serial, dates and fingerprint", () => {
  const [leaf] = credentials.certificates;
  assert.equal(certificateView(leaf ?? new Uint8Array(0)), {
    subject: "CN=web, O=example",
    names: [WEB.dns, WEB.uri],
    serial: "0abc",
    notBeforeMs: START_MS,
    notAfterMs: START_MS + 24 * HOUR_MS,
    fingerprint: certificateView(leaf ?? new Uint8Array(0)).fingerprint,
  });
  assert.match(certificateView(Uint8Array.of(1)).fingerprint, /^[0-9a-f]{64}$/);
});

test("before a certificate it is waiting, or failed", () => {
  const { record, told } = desk();
  assert.is(record.status.state, "waiting");
  assert.equal(record.status.identity, WEB);
  record.failed("no\nanswer", START_MS + 100);
  assert.is(record.status.state, "failed");
  assert.is(record.status.lastError, "no\\u000aanswer");
  assert.is(record.status.nextRenewalMs, START_MS + 100);
  assert.is(told(), 1);
});

test("it is valid as long as a renewal is planned in time and the last one went well", () => {
  const { record, clock } = desk();
  record.taken(credentials, START_MS + 17 * HOUR_MS);
  clock.ms += 16 * HOUR_MS;
  record.failed("away", clock.ms + 1_000);
  assert.is(record.status.state, "valid");
  clock.ms += 1;
  assert.is(record.status.state, "expiring");
  record.taken(credentials, START_MS + 23 * HOUR_MS);
  assert.is(record.status.state, "valid");
  record.planned(START_MS + 24 * HOUR_MS);
  assert.is(record.status.state, "expiring");
  record.planned(null);
  assert.is(record.status.state, "expiring");
  clock.ms = START_MS + 24 * HOUR_MS;
  assert.is(record.status.state, "expiring");
  clock.ms += 1;
  assert.is(record.status.state, "expired");
});

test("a state that changes by time alone is told of once", () => {
  const { record, clock, told } = desk();
  record.taken(credentials, null);
  assert.is(told(), 1);
  assert.equal(record.review(), { state: "valid", isNew: false });
  clock.ms += 17 * HOUR_MS;
  assert.equal(record.review(), { state: "expiring", isNew: true });
  assert.equal(record.review(), { state: "expiring", isNew: false });
  assert.is(told(), 2);
});

test("a status is plain JSON, and has no key in it", () => {
  const { record } = desk();
  record.taken(credentials, START_MS + HOUR_MS);
  const { status } = record;
  assert.equal(JSON.parse(JSON.stringify(status)), status);
  const key = Buffer.from(credentials.key);
  const text = JSON.stringify(status);
  assert.not.ok(text.includes(key.subarray(36, 68).toString("hex").slice(0, 16)));
  assert.not.ok(text.includes(key.toString("base64").slice(40, 56)));
  assert.is(status.chain.length, 2);
  assert.is(status.anchors.length, 1);
  assert.is(status.anchors[0]?.name, "CN=root of trust");
});

test.run();
