// timeout: 180s
// exclusive
/**
 * Frames that cost their sender nothing (CVE-2019-9512, -9513, -9515, -9518): each is answered with a
 * budget, and what waits for a peer that does not read is bounded. A canary on another connection
 * does not notice.
 */
import * as assert from "uvu/assert";
import { assertCalmed, withstands } from "../support/http2-attack.ts";
import { encodeFields, requestFields } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { type Rig, startRig } from "../support/http2-rig.ts";
import { nameOf } from "../support/http2-state.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-abuse-floods");
test.timeout(30_000);

let rig: Rig;

test.before(async () => {
  rig = await startRig();
});
test.after(async () => {
  await rig.stop();
});

/** Less than the MiB that the proxy reads on, so that its GOAWAY is not lost to a reset. */
const COUNT = 50_000;
const POST = encodeFields(requestFields("/bad", [], "POST"));
const EMPTY = Buffer.alloc(0);

/** Sends bytes from a peer that reads on; they must end its connection. */
async function calms(what: string, bytes: Uint8Array, before: Uint8Array = EMPTY): Promise<void> {
  await withstands(rig, async () => {
    const peer = await Http2Peer.connect(rig.port);
    await peer.settled();
    peer.link.write(before);
    await peer.link.flood(bytes);
    await assertCalmed(peer, what);
    return peer.link.writtenBytes;
  });
}

/** The same from a peer that reads nothing until all is sent, or the connection is closed. */
async function calmsUnread(what: string, bytes: Uint8Array): Promise<void> {
  await withstands(rig, async () => {
    const peer = await Http2Peer.connect(rig.port);
    await peer.settled();
    peer.link.socket.pause();
    await peer.link.flood(bytes);
    peer.link.socket.resume();
    const code = await peer.closed();
    // It may have been closed before its GOAWAY could be read.
    assert.ok(code === null || code === f.ErrorCode.enhanceYourCalm, `${what}: ${nameOf(code)}`);
    return peer.link.writtenBytes;
  });
}

test("SETTINGS over and over", async () => {
  // H2-08
  await calms("empty", f.repeated(f.settings(), COUNT));
  await calmsUnread("empty, unread", f.repeated(f.settings(), COUNT));
  const toggle = Buffer.concat([
    f.settings([[f.Setting.headerTableSize, 0]]),
    f.settings([[f.Setting.headerTableSize, 4_096]]),
  ]);
  await calms("the table's size", f.repeated(toggle, COUNT / 2));
  const window = [0, f.WINDOW_BYTES_MAX, 1].map((bytes) =>
    f.settings([[f.Setting.initialWindowSize, bytes]]),
  );
  await calms("the window", f.repeated(Buffer.concat(window), COUNT / 4));
});

test("thousands of entries in one SETTINGS", async () => {
  // H2-08
  const entries = Array.from({ length: 2_730 }, (_, i): [number, number] => [0x1000 + i, i]);
  const peer = await Http2Peer.connect(rig.port);
  await peer.settled();
  peer.link.write(f.settings(entries));
  await assertCalmed(peer, "2,730 entries");
  const other = await Http2Peer.connect(rig.port);
  other.link.write(f.settings(Array.from({ length: 10_000 }, () => [0x1000, 1])));
  assert.is(nameOf(await other.closed()), "frameSizeError", "60,000 bytes");
});

test("PING over and over", async () => {
  // H2-09
  await calms("read", f.repeated(f.ping(), COUNT));
  await calmsUnread("unread", f.repeated(f.ping(), COUNT));
});

test("ACKs that nobody waits for", async () => {
  // H2-09
  const pings = f.repeated(f.ping("12345678", f.Flag.ack), COUNT);
  await withstands(rig, () => endures(pings), "web", false);
});

test("PRIORITY over and over", async () => {
  // H2-10
  const idle = Array.from({ length: COUNT }, (_, i) => f.priority(2 * i + 1, 0));
  await withstands(rig, () => endures(Buffer.concat(idle)));
  const churn = Array.from({ length: COUNT }, (_, i) => f.priority(1, i + 2, i % 256));
  await withstands(rig, () => endures(Buffer.concat(churn)));
  const loops = Array.from({ length: COUNT }, (_, i) => f.priority(i + 1, i + 1));
  await withstands(rig, () => endures(Buffer.concat(loops)));
});

/** What is cheap may be borne; the connection then works as before. */
async function endures(bytes: Uint8Array): Promise<number> {
  const peer = await Http2Peer.connect(rig.port);
  await peer.settled();
  await peer.link.flood(bytes);
  const good = await peer.ask(requestFields("/good"));
  if (peer.link.end === null) assert.is(good.outcome, "200 ended", peer.describe());
  else assert.match(nameOf(peer.goAway), /^(?:enhanceYourCalm|protocolError)$/, peer.describe());
  const written = peer.link.writtenBytes;
  peer.close();
  return written;
}

test("frames of unknown types over and over", async () => {
  await withstands(rig, () => endures(f.repeated(f.unknown(0), COUNT)));
});

test("DATA that carries nothing or next to nothing", async () => {
  // H2-11
  const open = f.headers(1, POST);
  await calms("empty", f.repeated(f.data(1, EMPTY), COUNT), open);
  await calms("padding only", f.repeated(f.data(1, EMPTY, 0, 0), COUNT), open);
  await calms("a byte each", f.repeated(f.data(1, "a"), COUNT), open);
  await calms("empty on an idle connection's 100 streams", hundredStreams());
});

/** Empty DATA on a hundred streams in turn. */
function hundredStreams(): Buffer {
  const ids = Array.from({ length: 100 }, (_, i) => 2 * i + 1);
  const heads = ids.map((id) => f.headers(id, POST));
  const round = Buffer.concat(ids.map((id) => f.data(id, EMPTY)));
  return Buffer.concat([...heads, f.repeated(round, 500)]);
}

test("HEADERS that carry nothing", async () => {
  // H2-11: an empty block is a malformed request each.
  const ends = f.Flag.endStream | f.Flag.endHeaders;
  const parts = Array.from({ length: 3_000 }, (_, i) => f.headers(2 * i + 1, EMPTY, ends));
  await calms("empty", Buffer.concat(parts));
});

test("honest talk in small pieces is borne", async () => {
  const peer = await Http2Peer.connect(rig.port);
  const id = peer.request(requestFields("/small", [], "POST"), "", "open");
  for (let i = 0; i < 400; i++) {
    peer.link.body(id, "message", "open");
    if (i % 4 === 0) peer.link.write(f.ping());
  }
  peer.link.body(id, "end", "end");
  assert.is((await peer.over(id)).outcome, "200 ended", peer.describe());
  for (let i = 0; i < 2_000; i += 50) {
    const ids = Array.from({ length: 50 }, () => peer.get("/many"));
    for (const one of ids) assert.is((await peer.over(one)).outcome, "200 ended");
  }
  assert.equal(peer.link.violations, []);
  peer.close();
});

test.run();
