/** The link to the control plane: what is begun when, how often it is tried, and what it tells. */
import { type AddressInfo, createServer } from "node:net";
import * as assert from "uvu/assert";
import { AppProbe, PROBE_MS, PROBE_START_MS, REFUSALS_MAX } from "../../src/control/app-probe.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../../src/control/link-watch.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import { Status } from "../../src/rpc/status.ts";
import { eventually } from "../support/eventually.ts";
import { settled } from "../support/later.ts";
import { suite } from "../support/test.ts";
import { LinkRig } from "./link-rig.ts";

const test = suite("control/link");

async function started(): Promise<LinkRig> {
  const rig = new LinkRig();
  rig.watch("/a");
  rig.link.start();
  await settled();
  return rig;
}

test("calls that are wanted are begun on a connection, those wanted later too", async () => {
  const rig = await started();
  assert.is(rig.link.state, "connected");
  const stop = rig.watch("/b");
  assert.equal([...rig.end.open.keys()], ["/a", "/b"]);
  await rig.end.say("/a", "1");
  await rig.end.say("/b", "2");
  await rig.end.say("/a", "3");
  assert.equal(rig.heard, ["/a first 1", "/b first 2", "/a 3"]);
  stop();
  assert.equal([...rig.end.open.keys()], ["/a"]);
  rig.link.stop();
  assert.is(rig.end.isClosed, true);
});

test("a lost connection is nobody's concern until an attempt has failed", async () => {
  const rig = await started();
  const states: string[] = [];
  rig.link.onChange(() => states.push(rig.link.state));
  await rig.end.say("/a", "1");
  await rig.end.lose();
  assert.equal(states, ["connecting"]);
  await rig.pass(2 * RETRY_MIN_MS);
  await rig.end.say("/a", "2");
  assert.equal(rig.heard, ["/a first 1", "/a first 2"]);
  assert.equal(states, ["connecting", "connected"]);
  assert.is(rig.contacts, 3, "made, lost, made");
  rig.isReachable = false;
  await rig.end.lose();
  await rig.pass(60_000);
  assert.equal(states.slice(2), ["connecting", "away"]);
  assert.is(rig.link.figures.isConnected, false);
  assert.is(rig.link.figures.awayMs, 60_000);
  assert.is(rig.link.figures.lastError, "refused");
  const told = (): number => rig.logged.filter((line) => line.includes("cannot be reached")).length;
  assert.is(told(), 1);
  for (const reason of ["untrusted", "refused", "a", "b", "c"]) {
    rig.reason = reason;
    await rig.pass(2 * RETRY_MAX_MS);
  }
  assert.is(told(), 3, "each reason once, and not more than three");
  rig.isReachable = true;
  await rig.pass(RETRY_MAX_MS);
  assert.equal([rig.link.state, rig.link.figures.awayMs], ["connected", 0]);
  rig.isReachable = false;
  await rig.end.lose();
  await rig.pass(60_000);
  assert.is(told(), 4, "another outage");
});

test("attempts are spread, from at once to ten seconds", async () => {
  const rig = new LinkRig();
  rig.isReachable = false;
  rig.link.start();
  await settled();
  // The longest pauses: 0.2, 0.4, … 6.4 s, then 10 s.
  await rig.pass(12_800);
  assert.is(rig.attempts, 7);
  await rig.pass(10 * RETRY_MAX_MS);
  assert.is(rig.attempts, 17);
  assert.is(rig.link.figures.failures, 17);
});

test("a server that takes connections and says nothing is not asked ever faster", async () => {
  const rig = await started();
  for (let i = 0; i < 8; i++) {
    await rig.end.lose();
    await rig.pass(RETRY_MAX_MS);
  }
  const { attempts } = rig;
  await rig.end.lose();
  await rig.pass(RETRY_MAX_MS - 1);
  assert.is(rig.attempts, attempts);
  await rig.pass(1);
  assert.is(rig.attempts, attempts + 1);
});

test("a call that ends is begun again, unless it is not wanted, after a pause that grows", async () => {
  const rig = await started();
  rig.watch("/once", (refusal) => refusal !== "invalid");
  await rig.end.end("/once", Status.unimplemented);
  await rig.end.end("/a", Status.permissionDenied);
  await rig.pass(60_000);
  assert.equal([...rig.end.open.keys()], ["/a"]);
  await rig.end.end("/a", Status.ok);
  await rig.pass(399);
  assert.equal([...rig.end.open.keys()], []);
  await rig.pass(1);
  assert.equal([...rig.end.open.keys()], ["/a"]);
  await rig.end.end("/a", Status.notFound);
  assert.equal(rig.heard, ["/once -invalid", "/a -denied", "/a -failed", "/a -unknown"]);
  assert.is(rig.attempts, 1);
});

test("a message that makes no sense ends its call, and nothing else", async () => {
  const rig = await started();
  rig.watch("/b");
  await rig.end.say("/a", "nonsense");
  await rig.end.say("/b", "fine");
  assert.equal(rig.heard, ["/a -failed", "/b first fine"]);
  await rig.pass(RETRY_MIN_MS * 2);
  await rig.end.say("/a", "fine");
  assert.is(rig.heard.at(-1), "/a first fine");
});

test("another certificate makes another connection, before the old one is left", async () => {
  const rig = await started();
  await rig.end.say("/a", "1");
  const former = rig.end;
  rig.credentials = { notAfterMs: Date.now() + 7_200_000 } as Credentials;
  rig.link.renewed();
  rig.isReachable = false;
  await rig.pass(RETRY_MAX_MS);
  assert.is(rig.link.state, "connected", "the old one is still there");
  assert.is(former.isClosed, false);
  rig.isReachable = true;
  await rig.pass(2 * RETRY_MAX_MS);
  assert.is.not(rig.end, former);
  assert.equal([former.isClosed, [...former.open.keys()]], [true, []]);
  assert.equal([...rig.end.open.keys()], ["/a"]);
  await former.lose();
  assert.is(rig.link.state, "connected");
  rig.link.renewed();
  await rig.pass(60_000);
  assert.is(rig.ends.length, 2, "the same certificate makes no other");
});

test("without a certificate nobody is asked, with the first one at once", async () => {
  const rig = new LinkRig();
  rig.credentials = null;
  rig.link.start();
  await rig.pass(60_000);
  assert.equal([rig.attempts, rig.link.state], [0, "connecting"]);
  assert.equal([rig.link.figures.awayMs, rig.contacts], [65_000, 0], "as the run before kept it");
  const error = await rig.link.call("/c", new Uint8Array(0), 1).catch((e: unknown) => e);
  assert.match(String(error), "not connected");
  rig.credentials = { notAfterMs: 0 } as Credentials;
  rig.link.renewed();
  await settled();
  assert.is(rig.link.state, "connected");
});

test("an application is announced when it accepts, and not any more after three refusals", async () => {
  const told: boolean[] = [];
  const timers: { readonly ms: number; readonly run: () => void }[] = [];
  const next = async (): Promise<number> => {
    const timer = await eventually(() => timers.shift() ?? null);
    timer.run();
    return timer.ms;
  };
  const server = createServer((socket) => socket.destroy());
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  const close = () => new Promise((resolve) => server.close(resolve));
  await close();
  const probe = new AppProbe({
    app: { ip: Uint8Array.of(127, 0, 0, 1), port },
    changed: (isAccepting) => void told.push(isAccepting),
    setTimer: (ms, run) => {
      timers.push({ ms, run });
      return () => {};
    },
  });
  probe.start();
  assert.is(await next(), PROBE_START_MS);
  await eventually(() => timers.length === 1);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  assert.is(await next(), PROBE_START_MS);
  await eventually(() => told.length === 1);
  await close();
  // Each request of others fails until it is withdrawn: it is looked again soon.
  assert.is(await next(), PROBE_MS);
  for (let i = 1; i < REFUSALS_MAX; i++) assert.is(await next(), PROBE_START_MS);
  await eventually(() => told.length === 2);
  assert.equal(told, [true, false]);
  assert.is(await next(), PROBE_START_MS);
  probe.stop();
});

test.run();
