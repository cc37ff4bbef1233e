import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "@noble/hashes/sha2.js";
import * as assert from "uvu/assert";
import type { Authority, Issued } from "../../src/control/authority/authority.ts";
import { Refusal } from "../../src/control/authority/refusal.ts";
import {
  addAnchor,
  fingerprintOf,
  listAnchors,
  promoteAnchor,
  removeAnchor,
  renewIssuer,
} from "../../src/control/authority/rotation.ts";
import { createToken } from "../../src/control/authority/tokens.ts";
import { parseJoinToken } from "../../src/identity/join-token.ts";
import { PeerVerifier } from "../../src/identity/verify-peer.ts";
import { suite } from "../support/test.ts";
import { DAY_MS, newFolder, ok, Rig, reasonOf, START_MS } from "./authority-rig.ts";

const test = suite("control/authority-rotation");

const HOUR_MS = 3_600_000;
const NO_FORCE = { force: false };
const FORCE = { force: true };
const OLD = { fingerprint: null, force: false };

/** A sidecar's view: its own certificate and the anchors that came with it. */
async function certificateFrom(authority: Authority, rig: Rig): Promise<Issued> {
  const answer = await authority.issue(await rig.request());
  if (answer instanceof Refusal) throw new Error(`refused: ${answer.reason}`);
  return answer;
}

/** Says whether two sidecars accept each other's certificates. */
function accept(one: Issued, two: Issued, nowMs: number): boolean {
  return [[one, two] as const, [two, one] as const].every(([own, peer]) => {
    const verifier = new PeerVerifier(own.roots);
    const chain = [peer.leaf, ...peer.intermediates];
    return !("refused" in verifier.verify(chain, "client", nowMs));
  });
}

function roles(rig: Rig, authority: Authority): string {
  assert.ok(existsSync(rig.dir));
  return listAnchors(authority.state)
    .map(({ role }) => role)
    .join(" ");
}

test("an anchor replaced in order: at each step every two sidecars accept each other", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const first = authority.state.anchor.der;
  const sidecars = [await certificateFrom(authority, rig), await certificateFrom(authority, rig)];
  /** One after the other renews, as they would; all get along meanwhile. */
  const renewAll = async (): Promise<void> => {
    await authority.poll();
    for (const index of sidecars.keys()) {
      sidecars[index] = await certificateFrom(authority, rig);
      for (const one of sidecars) {
        for (const two of sidecars) assert.ok(accept(one, two, rig.nowMs));
      }
    }
  };
  /** Lets a day and a bit go by, in which all renew in time. */
  const passDay = async (): Promise<void> => {
    for (let hours = 0; hours < 28; hours += 14) {
      rig.nowMs += 14 * HOUR_MS;
      await renewAll();
    }
  };
  await renewAll();
  assert.is(authority.version, 1);

  ok(await addAnchor(rig.dir, rig.nowMs));
  await renewAll();
  assert.is(authority.version, 2);
  assert.is(roles(rig, authority), "active next");
  assert.equal(authority.state.anchor.der, first);
  assert.is(sidecars[0]?.roots.length, 2);

  await passDay();
  ok(await promoteAnchor(rig.dir, rig.nowMs, NO_FORCE));
  await renewAll();
  assert.is(authority.version, 3);
  assert.is(roles(rig, authority), "active old");
  assert.not.equal(authority.state.anchor.der, first);

  await passDay();
  ok(await removeAnchor(rig.dir, rig.nowMs, OLD));
  await renewAll();
  assert.is(authority.version, 4);
  assert.is(roles(rig, authority), "active");
  assert.is(sidecars[0]?.roots.length, 1);
  assert.not.equal(sidecars[0]?.roots[0], first);
  assert.equal(rig.faults, []);
});

test("each step is refused until the certificates from before it have expired, and says until when", async () => {
  const rig = new Rig();
  await rig.open();
  assert.match(reasonOf(await promoteAnchor(rig.dir, rig.nowMs, FORCE)), /no anchor is added/);
  assert.match(reasonOf(await removeAnchor(rig.dir, rig.nowMs, OLD)), /no such anchor/);
  ok(await addAnchor(rig.dir, rig.nowMs));
  assert.match(reasonOf(await addAnchor(rig.dir, rig.nowMs)), /is added already/);
  rig.nowMs += DAY_MS;
  const early = reasonOf(await promoteAnchor(rig.dir, rig.nowMs, NO_FORCE));
  assert.match(early, /to be promoted from 2031-01-02T00:00:05\.000Z on$/);
  rig.nowMs += 5_000;
  ok(await promoteAnchor(rig.dir, rig.nowMs, NO_FORCE));
  rig.nowMs += DAY_MS;
  const late = reasonOf(await removeAnchor(rig.dir, rig.nowMs, OLD));
  assert.match(late, /to be removed from 2031-01-03T00:00:10\.000Z on$/);
  rig.nowMs += 5_000;
  ok(await removeAnchor(rig.dir, rig.nowMs, OLD));
});

test("with certificates of 10 s the steps are 15 s apart", async () => {
  const rig = new Rig();
  rig.lifetimeMs = 10_000;
  await rig.open();
  ok(await addAnchor(rig.dir, rig.nowMs));
  assert.type(reasonOf(await promoteAnchor(rig.dir, rig.nowMs + 14_000, NO_FORCE)), "string");
  ok(await promoteAnchor(rig.dir, rig.nowMs + 15_000, NO_FORCE));
});

test("the longest lifetime that was ever used counts", async () => {
  const rig = new Rig();
  (await rig.open()).close();
  rig.lifetimeMs = 10_000;
  (await rig.open()).close();
  ok(await addAnchor(rig.dir, rig.nowMs));
  assert.type(reasonOf(await promoteAnchor(rig.dir, rig.nowMs + 20_000, NO_FORCE)), "string");
});

test("the active anchor cannot be removed, one that was only added can be at any time", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const active = fingerprintOf(authority.state.anchor.der);
  const remove = { fingerprint: active.slice(0, 16), force: true };
  assert.match(reasonOf(await removeAnchor(rig.dir, rig.nowMs, remove)), /issuer is under this/);
  const next = ok(await addAnchor(rig.dir, rig.nowMs)).next;
  const fingerprint = fingerprintOf(next?.der ?? new Uint8Array(0));
  assert.match(
    reasonOf(await removeAnchor(rig.dir, rig.nowMs, { fingerprint: "", force: true })),
    /more than one/,
  );
  ok(await removeAnchor(rig.dir, rig.nowMs, { fingerprint, force: false }));
  await authority.poll();
  assert.is(roles(rig, authority), "active");
  assert.not.ok(existsSync(join(rig.dir, "anchor-next.key")));
  ok(await addAnchor(rig.dir, rig.nowMs));
});

test("in the wrong order by force: who did not renew is cut off, and all is well once it has", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const late = await certificateFrom(authority, rig);
  ok(await addAnchor(rig.dir, rig.nowMs));
  ok(await promoteAnchor(rig.dir, rig.nowMs, FORCE));
  await authority.poll();
  const early = await certificateFrom(authority, rig);
  assert.not.ok(accept(late, early, rig.nowMs));
  assert.ok(accept(early, await certificateFrom(authority, rig), rig.nowMs));
  ok(await removeAnchor(rig.dir, rig.nowMs, { fingerprint: null, force: true }));
  await authority.poll();
  const renewed = await certificateFrom(authority, rig);
  assert.ok(accept(renewed, early, rig.nowMs));
  assert.ok(accept(renewed, await certificateFrom(authority, rig), rig.nowMs));
});

test("the promoted anchor's old key is gone from the folder", async () => {
  const rig = new Rig();
  await rig.open();
  const oldKey = readFileSync(join(rig.dir, "anchor.key"), "utf8");
  ok(await addAnchor(rig.dir, rig.nowMs));
  const nextKey = readFileSync(join(rig.dir, "anchor-next.key"), "utf8");
  ok(await promoteAnchor(rig.dir, rig.nowMs, FORCE));
  assert.is(readFileSync(join(rig.dir, "anchor.key"), "utf8"), nextKey);
  assert.is.not(nextKey, oldKey);
  assert.not.ok(existsSync(join(rig.dir, "anchor-next.key")));
  assert.not.ok(existsSync(join(rig.dir, "anchor-next.crt")));
});

test("tokens pin the active anchor, and beside it the one that is to follow, never an old one", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const pins = async (): Promise<readonly Uint8Array[]> => {
    const where = { namespace: "default", trustDomain: "cluster.local", host: "::1", port: 1 };
    const request = { name: "web", ...where, ttlMs: 60_000, nowMs: rig.nowMs };
    return parseJoinToken(ok(await createToken(rig.dir, request)))?.pins ?? [];
  };
  const first = sha256(authority.state.anchor.der);
  assert.equal(await pins(), [first]);
  const added = ok(await addAnchor(rig.dir, rig.nowMs));
  const second = sha256(added.next?.der ?? new Uint8Array(0));
  assert.equal(await pins(), [first, second]);
  ok(await promoteAnchor(rig.dir, rig.nowMs, FORCE));
  assert.equal(await pins(), [second]);
});

test("the issuer is renewed with a third of its life left, once, and leaves of both are accepted", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const { issuer } = authority.state;
  const lifeMs = issuer.notAfterMs - issuer.notBeforeMs;
  rig.nowMs = issuer.notAfterMs - lifeMs / 3 - 1_000;
  const before = await certificateFrom(authority, rig);
  await authority.poll();
  assert.is(authority.version, 1);
  rig.nowMs += 2_000;
  await authority.poll();
  assert.is(authority.version, 2);
  assert.not.equal(authority.state.issuer.der, issuer.der);
  assert.ok(authority.state.issuer.notAfterMs > issuer.notAfterMs);
  assert.ok(accept(before, await certificateFrom(authority, rig), rig.nowMs));
  await authority.poll();
  await authority.poll();
  assert.is(authority.version, 2);
  assert.equal(rig.faults, []);
});

test("no issuer outlives its anchor, and none is made anew for nothing", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const { anchor } = authority.state;
  rig.nowMs = START_MS;
  while (rig.nowMs < anchor.notAfterMs - 40 * DAY_MS) {
    rig.nowMs += 30 * DAY_MS;
    await authority.poll();
  }
  assert.is(authority.state.issuer.notAfterMs, anchor.notAfterMs);
  const { version } = authority;
  assert.ok(version >= 10 && version <= 20, `${version} issuers in ten years`);
  rig.nowMs = anchor.notAfterMs - 3_600_000;
  await authority.poll();
  assert.is(authority.version, version);
  assert.is((await certificateFrom(authority, rig)).validUntilMs, anchor.notAfterMs);
});

test("an issuer that expired while nobody ran is renewed by hand", async () => {
  const rig = new Rig();
  (await rig.open()).close();
  rig.nowMs += 400 * DAY_MS;
  assert.match(reasonOf(await rig.tryOpen()), /then renew the issuer/);
  ok(await renewIssuer(rig.dir, rig.nowMs, { ifDue: false }));
  const authority = await rig.open();
  await certificateFrom(authority, rig);
  rig.nowMs += 4_000 * DAY_MS;
  assert.match(reasonOf(await renewIssuer(rig.dir, rig.nowMs, { ifDue: false })), /has expired/);
});

test("two control planes in one folder renew the issuer once", async () => {
  const rig = new Rig();
  const [one, two] = [await rig.open(), await rig.open()];
  rig.nowMs += 300 * DAY_MS;
  await Promise.all([one.poll(), two.poll()]);
  await Promise.all([one.poll(), two.poll()]);
  assert.equal(one.state.issuer.der, two.state.issuer.der);
  assert.is(one.version, 2);
  assert.is(two.version, 2);
});

test("without a folder every step is a fault", async () => {
  const dir = newFolder();
  for (const answer of [
    await addAnchor(dir, START_MS),
    await promoteAnchor(dir, START_MS, FORCE),
    await removeAnchor(dir, START_MS, OLD),
    await renewIssuer(dir, START_MS, { ifDue: false }),
  ]) {
    assert.match(reasonOf(answer), /cannot be changed: ENOENT/);
  }
});

test.run();
