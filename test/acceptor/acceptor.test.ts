// timeout: 180s
import * as assert from "uvu/assert";
import { SO_RCVLOWAT, SOL_SOCKET } from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";
import { ADDRESS_LENGTH, OPTION } from "../../src/net/socket-address.ts";
import { RING_SLOTS } from "../../src/shared/layout.ts";
import { LearnedTargets } from "../../src/shared/learned-targets.ts";
import { clientHello } from "../support/client-hello.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { LOOPBACK } from "./client.ts";
import { openSockets, Rig, type RigOptions } from "./rig.ts";

const test = suite("acceptor/acceptor");
test.timeout(30_000);

const APP = { ip: LOOPBACK, port: 9, speaks: "any" } as const;
const REQUEST = "GET /path HTTP/1.1\r\nHost: a\r\n\r\n";
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HELLO = clientHello({ sni: "a.example", alpn: ["h2", "http/1.1"], keyShareBytes: 1_216 });

/** Runs `body` with a rig; afterwards nobody owns anything and no socket is left. */
async function withRig(options: RigOptions, body: (rig: Rig) => Promise<void>): Promise<void> {
  const socketsBefore = openSockets();
  const rig = await new Rig(options).warm();
  try {
    await body(rig);
  } finally {
    const end = await rig.stop();
    assert.equal(end, { why: "ended", owned: 0, violations: 0 });
  }
  await eventually(() => openSockets() <= socketsBefore, { what: "sockets back to the start" });
}

const VERDICTS = [
  { what: "a request line", bytes: Buffer.from(REQUEST), protocol: "http1", sni: null, alpn: [] },
  { what: "the preface", bytes: Buffer.from(PREFACE), protocol: "http2", sni: null, alpn: [] },
  {
    what: "a ClientHello",
    bytes: HELLO,
    protocol: "tls",
    sni: "a.example",
    alpn: ["h2", "http/1.1"],
  },
  {
    what: "anything else",
    bytes: Buffer.from("\0\x01\x02"),
    protocol: "opaque",
    sni: null,
    alpn: [],
  },
] as const;

test("the first bytes decide, and stay where they are for the worker", () =>
  withRig({}, async (rig) => {
    for (const { what, bytes, protocol, sni, alpn } of VERDICTS) {
      const before = rig.count(`detected_${protocol}`);
      const client = rig.client("outbound").send(bytes);
      const [taken] = await rig.take(1);
      assert.ok(taken);
      assert.is(taken.protocol, protocol, what);
      assert.is(taken.sni, sni, what);
      assert.equal([...taken.alpn], [...alpn], what);
      assert.is(taken.listener, 1, what);
      assert.is(taken.origFamily, 0, what);
      assert.is(taken.peerFamily, 4, what);
      assert.is(taken.peerPort, client.port, what);
      assert.is(rig.read(taken), Buffer.from(bytes).toString("latin1"), what);
      assert.is(rig.count(`detected_${protocol}`), before + 1, what);
      rig.close(taken);
    }
    assert.is(rig.count("accepted_outbound"), VERDICTS.length);
  }));

test("a verdict is reached however the bytes are cut, and the low-water mark is put back", () =>
  withRig({}, async (rig) => {
    for (const bytes of [Buffer.from(REQUEST), HELLO]) {
      const client = rig.client("outbound");
      for (let at = 0; at < bytes.length; at++) {
        client.send(bytes.subarray(at, at + 1));
        if (at % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const [taken] = await rig.take(1);
      assert.ok(taken);
      assert.is(taken.protocol, bytes === HELLO ? "tls" : "http1");
      assert.is(receiveLowWater(rig, taken.fd), 1);
      assert.is(rig.read(taken).length, bytes.length);
      rig.close(taken);
    }
  }));

test("a client of a forward listener is handed on before it says anything", () =>
  withRig({}, async (rig) => {
    rig.client("forward");
    const [taken] = await rig.take(1);
    assert.ok(taken);
    assert.is(taken.protocol, "opaque");
    assert.is(taken.listener, 2);
    rig.close(taken);
  }));

test("a silent client with a known target is handed on undecided after 100 ms", () =>
  withRig({ app: APP }, async (rig) => {
    const startMs = performance.now();
    rig.client("inbound");
    const [taken] = await rig.take(1);
    assert.ok(taken);
    assert.is(taken.protocol, null);
    assert.is(rig.count("detect_silent"), 1);
    assert.ok(performance.now() - startMs >= 95);
    rig.close(taken);
  }));

test("the silence is not waited for when the target is known to speak first", () =>
  withRig({ app: APP }, async (rig) => {
    rig.clock.read();
    new LearnedTargets(rig.memory).remember(APP.ip, APP.port, rig.clock.nowMs);
    const durationsMs: number[] = [];
    for (let round = 0; round < 5; round++) {
      const startMs = performance.now();
      rig.client("inbound");
      const [taken] = await rig.take(1);
      durationsMs.push(performance.now() - startMs);
      assert.ok(taken);
      assert.is(taken.protocol, null);
      rig.close(taken);
    }
    assert.ok(Math.min(...durationsMs) < 90, `best of ${durationsMs.join(", ")} ms`);
  }));

test("a client that is silent with no target is closed at the deadline", () =>
  withRig({ detectTimeoutMs: 200 }, async (rig) => {
    const client = rig.client("outbound");
    await eventually(() => client.isClosed());
    assert.is(rig.count("detect_timeout"), 1);
    assert.is(rig.table.count(), 0);
  }));

test("a target known is dialled at the deadline even if it is shorter than the silence", () =>
  withRig({ app: APP, detectTimeoutMs: 20 }, async (rig) => {
    rig.client("inbound");
    const [taken] = await rig.take(1);
    assert.ok(taken);
    assert.is(taken.protocol, null);
    rig.close(taken);
  }));

test("half a ClientHello is decided by the deadline, or by a FIN at once", async () => {
  await withRig({ detectTimeoutMs: 200 }, async (rig) => {
    rig.client("outbound").send(HELLO.subarray(0, 100));
    const [taken] = await rig.take(1);
    assert.ok(taken);
    assert.is(taken.protocol, "tls");
    assert.is(receiveLowWater(rig, taken.fd), 1);
    rig.close(taken);
  });
  await withRig({}, async (rig) => {
    const client = rig.client("outbound").send(HELLO.subarray(0, 100));
    await eventually(() => rig.count("accepted_outbound") === 1);
    client.end();
    const [taken] = await rig.take(1);
    assert.ok(taken);
    assert.is(taken.protocol, "tls");
    rig.close(taken);
  });
});

test("a client that goes away without a byte is closed, by FIN or by reset", () =>
  withRig({ app: APP }, async (rig) => {
    rig.client("outbound").close();
    await eventually(() => rig.count("detect_closed") === 1);
    rig.client("outbound").reset();
    await eventually(() => rig.count("detect_closed") === 2);
    const client = rig.client("outbound");
    await eventually(() => rig.count("accepted_outbound") === 3);
    client.end();
    await eventually(() => rig.count("detect_closed") === 3 && rig.table.count() === 0);
  }));

test("a request line byte by byte is looked at a bounded number of times", () =>
  withRig({}, async (rig) => {
    const client = rig.client("outbound").send("GET /");
    for (let sent = 0; sent < 1_000; sent++) {
      client.send("a");
      // A pace at which hardly two bytes are seen in one look.
      rig.block(1);
      const [taken] = rig.drain();
      if (taken === undefined) continue;
      assert.is(taken.protocol, "http1");
      rig.close(taken);
      return;
    }
    assert.unreachable("1,000 single bytes were watched");
  }));

test("connections go to the less busy worker, and wake it if it sleeps", () =>
  withRig({}, async (rig) => {
    rig.rows.set(0, "connections", 1_000);
    rig.rows.set(1, "sleeping", 1);
    for (let i = 0; i < 20; i++) rig.client("forward");
    const taken = await rig.take(20);
    assert.ok(taken.every(({ worker }) => worker === 1));
    assert.is(rig.rows.get(1, "sleeping"), 0);
    assert.is(libc.read(rig.wakeFds[1] ?? -1, rig.arena.address + OPTION, 8), 8);
    assert.is(rig.arena.view.getUint32(OPTION, true), 1, "woken once");
    assert.is(libc.read(rig.wakeFds[0] ?? -1, rig.arena.address + OPTION, 8), -1);
    for (const one of taken) rig.close(one);
  }));

test("a worker whose heart stopped gets nothing; with none left, connections wait", () =>
  withRig({ detectTimeoutMs: 5_000 }, async (rig) => {
    rig.silence(0);
    for (let i = 0; i < 10; i++) rig.client("forward");
    const taken = await rig.take(10);
    assert.ok(taken.every(({ worker }) => worker === 1));
    rig.silence(1);
    for (let i = 0; i < 10; i++) rig.client("forward");
    await eventually(() => rig.count("hand_off_waited") === 10);
    rig.revive(0);
    const late = await rig.take(10);
    assert.ok(late.every(({ worker }) => worker === 0));
    for (const one of [...taken, ...late]) rig.close(one);
  }));

test("what finds no worker until the deadline is closed", () =>
  withRig({ detectTimeoutMs: 200 }, async (rig) => {
    rig.silence(0);
    rig.silence(1);
    const client = rig.client("forward");
    await eventually(() => client.isClosed() && rig.table.count() === 0);
    assert.is(rig.count("hand_off_waited"), 1);
  }));

test("more connections than both rings hold all arrive, each once", () =>
  withRig({}, async (rig) => {
    const total = 2 * RING_SLOTS + 50;
    const ports = new Set<number>();
    for (let i = 0; i < total; i++) ports.add(rig.client("forward").port);
    await eventually(() => rig.count("hand_off_waited") === 50);
    const taken = await rig.take(total, 5_000);
    for (const one of taken) {
      assert.ok(ports.delete(one.peerPort), `port ${one.peerPort} twice, or never ours`);
      rig.close(one);
    }
    assert.is(ports.size, 0);
  }));

test("stop-accepting takes what has connected, closes the listeners, and the thread ends", () =>
  withRig({ app: APP }, async (rig) => {
    const silent = rig.client("outbound");
    rig.client("inbound");
    rig.client("outbound").send(HELLO.subarray(0, 100));
    await eventually(() => rig.count("accepted_outbound") === 2);
    rig.client("outbound").send(REQUEST);
    rig.send({ kind: "stop-accepting" });
    const taken = await rig.take(3);
    const protocols = taken.map(({ protocol }) => protocol ?? "silent").sort();
    assert.equal(protocols, ["http1", "silent", "tls"]);
    assert.is(await rig.ended(), "ended");
    assert.ok(silent.isClosed());
    assert.throws(() => rig.client("outbound"), /failed/);
    for (const one of taken) rig.close(one);
  }));

function receiveLowWater({ arena }: Rig, fd: number): number {
  const { view, address } = arena;
  view.setUint32(ADDRESS_LENGTH, 4, true);
  libc.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, address + OPTION, address + ADDRESS_LENGTH);
  return view.getInt32(OPTION, true);
}

test.run();
