/** The control plane's own certificate follows the clock, wherever that goes. */
import * as assert from "uvu/assert";
import { Refusal } from "../../src/control/authority/refusal.ts";
import { OwnCertificate } from "../../src/control/own-certificate.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { DAY_MS, Rig } from "./authority-rig.ts";

const test = suite("control/own-certificate");
test.timeout(30_000);

const HOUR_MS = 3_600_000;
/** The clock is looked at once a second. */
const SOON = { withinMs: 10_000 };

type Own = { readonly rig: Rig; readonly shown: Credentials[]; readonly failures: string[] };

async function withOwn(use: (own: Own, certificate: OwnCertificate) => Promise<void>) {
  const own: Own = { rig: new Rig(), shown: [], failures: [] };
  const certificate = new OwnCertificate({
    authority: await own.rig.open(),
    trustDomain: "cluster.local",
    wallMs: () => own.rig.nowMs,
    present: (credentials) => own.shown.push(credentials),
    failed: (reason) => own.failures.push(reason),
  });
  const first = await certificate.start();
  if (first instanceof Refusal) throw new Error(first.reason);
  own.shown.push(first);
  try {
    await use(own, certificate);
  } finally {
    certificate.stop();
  }
}

function isValid(credentials: Credentials | undefined, nowMs: number): boolean {
  const { notBeforeMs, notAfterMs } = credentials ?? { notBeforeMs: 0, notAfterMs: 0 };
  return notBeforeMs <= nowMs && nowMs < notAfterMs;
}

test("a machine that slept for two days shows a valid certificate within seconds", async () => {
  await withOwn(async ({ rig, shown }) => {
    rig.nowMs += 2 * DAY_MS;
    assert.not(isValid(shown.at(-1), rig.nowMs));
    await eventually(() => isValid(shown.at(-1), rig.nowMs), SOON);
    assert.is(shown.length, 2);
  });
});

test("so does one whose clock is set back", async () => {
  await withOwn(async ({ rig, shown }) => {
    rig.nowMs += 2 * DAY_MS;
    await eventually(() => shown.length === 2, SOON);
    rig.nowMs -= HOUR_MS;
    assert.not(isValid(shown.at(-1), rig.nowMs));
    await eventually(() => isValid(shown.at(-1), rig.nowMs), SOON);
  });
});

test("one that the issuer does not reach says so, and goes on when the clock is right", async () => {
  await withOwn(async ({ rig, shown, failures }) => {
    rig.nowMs -= 2 * DAY_MS;
    await eventually(() => failures.length > 0, SOON);
    assert.match(failures[0] ?? "", /not valid at this time/);
    assert.is(shown.length, 1);
    rig.nowMs += 2 * DAY_MS + HOUR_MS;
    await eventually(() => shown.length === 2, SOON);
  });
});

test.run();
