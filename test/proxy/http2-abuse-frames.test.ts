// timeout: 180s
// exclusive
/**
 * Frames of the wrong size, in the wrong state or on the wrong stream (RFC 9113 §5.1, §6), stream ids
 * that may not be, and connections that do not begin or end as they should (§3.4, §6.8).
 */
import * as assert from "uvu/assert";
import { HEAD_TIMEOUT_MS } from "../../src/proxy/limits.ts";
import { eventually } from "../support/eventually.ts";
import { startCanary } from "../support/http2-attack.ts";
import { encodeFields, requestFields } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { assertHealthy, evidence, type Rig, startRig } from "../support/http2-rig.ts";
import { nameOf } from "../support/http2-state.ts";
import { type RawReply, send } from "../support/raw.ts";
import { OK_HTTP1, recordingOrigin } from "../support/recording-origin.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-abuse-frames");
test.timeout(30_000);

const ENDS = f.Flag.endStream | f.Flag.endHeaders;
const GET = encodeFields(requestFields("/a"));
const POST = encodeFields(requestFields("/silent", [], "POST"));
const { frameSizeError, protocolError, streamClosed } = f.ErrorCode;
const T = f.FrameType;

let rig: Rig;
/** What breaks off in the middle, and how that ended. */
let stalled: ReadonlyMap<string, Promise<RawReply>>;

async function start(args: readonly string[] = []): Promise<Rig> {
  const web = await recordingOrigin(({ target }) => (target === "/silent" ? null : OK_HTTP1));
  return await startRig({ web, args });
}

test.before(async () => {
  rig = await start(["--detect-timeout=1s"]);
  // Ten seconds go by before the proxy gives up; the other tests run meanwhile.
  const hello = Buffer.concat([f.PREFACE, f.settings(), f.SETTINGS_ACK]);
  const beginnings: Readonly<Record<string, Uint8Array>> = {
    "a preface": f.PREFACE.subarray(0, 20),
    "a header block": Buffer.concat([hello, f.headers(1, GET, f.Flag.endStream)]),
    "a frame": Buffer.concat([hello, f.headers(1, GET, ENDS).subarray(0, 11)]),
  };
  stalled = new Map(
    Object.entries(beginnings).map(([what, bytes]) => {
      const text = Buffer.from(bytes).toString("latin1");
      return [what, send(rig.port, text, { withinMs: 25_000 })];
    }),
  );
});
test.after(async () => {
  await rig.stop();
});

type Wrong = readonly [what: string, bytes: Uint8Array, ...codes: readonly number[]];

/** Sends each on a connection of its own, on which stream 1 is half-closed and stream 3 open. */
async function endsConnection(table: readonly Wrong[]): Promise<void> {
  const canary = await startCanary(rig.port);
  const before = await evidence(rig.program);
  for (const [what, bytes, ...codes] of table) {
    const peer = await Http2Peer.connect(rig.port);
    const silent = encodeFields(requestFields("/silent"));
    peer.link.write(Buffer.concat([f.headers(1, silent, ENDS), f.headers(3, POST), bytes]));
    const code = await peer.closed();
    const wanted = codes.map((wish) => nameOf(wish));
    assert.ok(wanted.includes(nameOf(code)), `${what}: ${peer.describe()}, not ${wanted.join()}`);
    assert.equal(peer.link.violations, [], what);
  }
  await canary.stop();
  assert.equal(canary.failures, []);
  assert.ok((await evidence(rig.program)) >= before + table.length, "each is counted");
  await eventually(() => rig.web.waiting().length === 0, { what: "what was asked is cancelled" });
  await assertHealthy(rig);
}

test("frames of a wrong size end the connection", async () => {
  // H2-16
  const large = Buffer.alloc(16_385);
  await endsConnection([
    ["DATA of 16,385 bytes", f.data(3, large), frameSizeError],
    ["HEADERS of 16,385 bytes", f.headers(5, large), frameSizeError],
    ["an unknown frame of 16,385 bytes", f.unknown(0, 16_385), frameSizeError],
    ["a frame of 2^24 - 1 bytes", f.frame(T.data, 0, 3, large, 2 ** 24 - 1), frameSizeError],
    ["PING of 7", f.frame(T.ping, 0, 0, Buffer.alloc(7)), frameSizeError],
    ["PING of 9", f.frame(T.ping, 0, 0, Buffer.alloc(9)), frameSizeError],
    ["SETTINGS of 5", f.frame(T.settings, 0, 0, Buffer.alloc(5)), frameSizeError],
    ["SETTINGS ACK of 6", f.frame(T.settings, f.Flag.ack, 0, Buffer.alloc(6)), frameSizeError],
    ["RST_STREAM of 3", f.frame(T.rstStream, 0, 3, Buffer.alloc(3)), frameSizeError],
    ["WINDOW_UPDATE of 5", f.frame(T.windowUpdate, 0, 3, Buffer.alloc(5)), frameSizeError],
    ["GOAWAY of 7", f.frame(T.goAway, 0, 0, Buffer.alloc(7)), frameSizeError],
    ["padding beyond DATA", f.frame(T.data, 8, 3, Buffer.of(2, 0)), protocolError],
    ["padding beyond HEADERS", f.frame(T.headers, 0xc, 5, Buffer.of(9, 0)), protocolError],
    [
      "HEADERS too short for priority",
      f.frame(T.headers, 0x24, 5, Buffer.alloc(4)),
      frameSizeError,
      protocolError,
    ],
    ["DATA too short for padding", f.frame(T.data, 8, 3), frameSizeError, protocolError],
  ]);
});

test("frames on streams that they are not for end the connection", async () => {
  // H2-16
  await endsConnection([
    ["DATA on 0", f.data(0, "a"), protocolError],
    ["HEADERS on 0", f.headers(0, GET), protocolError],
    ["PRIORITY on 0", f.priority(0, 1), protocolError],
    ["RST_STREAM on 0", f.rstStream(0, 8), protocolError],
    ["CONTINUATION on 0", f.continuation(0, GET), protocolError],
    ["SETTINGS on a stream", f.frame(T.settings, 0, 3), protocolError],
    ["PING on a stream", f.frame(T.ping, 0, 3, Buffer.alloc(8)), protocolError],
    ["GOAWAY on a stream", f.frame(T.goAway, 0, 3, Buffer.alloc(8)), protocolError],
    ["DATA on an idle stream", f.data(99, "a"), protocolError],
    ["RST_STREAM on an idle stream", f.rstStream(99, 8), protocolError],
    ["CONTINUATION without HEADERS", f.continuation(3, GET), protocolError],
    ["PUSH_PROMISE", f.pushPromise(3, 2, GET), protocolError],
    ["ENABLE_PUSH of 2", f.settings([[f.Setting.enablePush, 2]]), protocolError],
    ["MAX_FRAME_SIZE of 16,383", f.settings([[f.Setting.maxFrameSize, 16_383]]), protocolError],
    ["MAX_FRAME_SIZE of 2^24", f.settings([[f.Setting.maxFrameSize, 2 ** 24]]), protocolError],
  ]);
});

test("stream ids that may not be end the connection", async () => {
  // H2-15
  const unused = f.headers(9, GET, ENDS);
  await endsConnection([
    ["even", f.headers(6, GET, ENDS), protocolError],
    [
      "lower and never used",
      Buffer.concat([unused, f.headers(7, GET, ENDS)]),
      protocolError,
      streamClosed,
    ],
  ]);
});

test("frames on streams that are over are an error, or ignored, and never a request", async () => {
  // H2-15, H2-16: RFC 9113 §5.1 leaves the choice for what may have been on its way.
  const over: readonly (readonly [what: string, bytes: Uint8Array])[] = [
    ["HEADERS behind RST_STREAM", Buffer.concat([f.rstStream(3, 8), f.headers(3, GET, ENDS)])],
    ["DATA behind RST_STREAM", Buffer.concat([f.rstStream(3, 8), f.data(3, "a", ENDS)])],
    ["DATA on one never used", Buffer.concat([f.headers(9, GET, ENDS), f.data(7, "a")])],
    ["WINDOW_UPDATE behind RST_STREAM", Buffer.concat([f.rstStream(3, 8), f.windowUpdate(3, 1)])],
  ];
  for (const [what, bytes] of over) {
    const peer = await Http2Peer.connect(rig.port);
    peer.link.write(Buffer.concat([f.headers(3, POST), bytes, f.ping()]));
    await eventually(() => peer.link.state.pingAcks === 1 || peer.link.end !== null);
    const { goAway } = peer;
    assert.ok(goAway === null || goAway === protocolError || goAway === streamClosed, what);
    assert.is(peer.link.stream(3).status, null, what);
    assert.equal(peer.link.violations, [], what);
    peer.close();
  }
});

test("the highest stream id is served, and no other after it", async () => {
  // H2-15
  const peer = await Http2Peer.connect(rig.port);
  const last = 2 ** 31 - 1;
  peer.link.write(f.headers(last, GET, ENDS));
  assert.is((await peer.over(last)).outcome, "200 ended", peer.describe());
  peer.link.write(f.headers(last, GET, ENDS));
  assert.match(nameOf(await peer.closed()), /^(?:protocolError|streamClosed)$/);
});

test("the 101st stream is refused and the others are served", async () => {
  // H2-15
  const peer = await Http2Peer.connect(rig.port);
  await peer.settled();
  const ids = Array.from({ length: 100 }, () =>
    peer.request(requestFields("/open", [], "POST"), "", "open"),
  );
  for (let i = 0; i < 10; i++) {
    assert.match((await peer.ask(requestFields("/over"))).outcome, /^reset [17]$/);
  }
  for (const id of ids) peer.link.body(id, "body", "end");
  for (const id of ids) assert.is((await peer.over(id)).outcome, "200 ended", peer.describe());
  assert.is((await peer.ask(requestFields("/after"))).outcome, "200 ended");
  assert.not.ok(rig.web.requests.some(({ target }) => target === "/over"));
  assert.equal(peer.link.violations, []);
  peer.close();
});

test("what is unknown or reserved is ignored", async () => {
  // H2-16
  const peer = await Http2Peer.connect(rig.port);
  const { link } = peer;
  const id = peer.nextId();
  link.write(Buffer.concat([f.unknown(0), f.unknown(7), f.unknown(0, 16_384), f.unknown(0, 0)]));
  link.write(
    f.settings([
      [0xfefe, 1],
      [0, 0],
      [7, 2 ** 32 - 1],
      [f.Setting.maxFrameSize, 2 ** 24 - 1],
    ]),
  );
  link.write(f.frame(T.ping, 0xfe, 0, Buffer.from("reserved")));
  link.write(f.frame(T.windowUpdate, 0xff, 2 ** 31, f.u32(2 ** 31 + 1)));
  const block = Buffer.concat([Buffer.of(3), f.priorityFields(0), GET, Buffer.alloc(3)]);
  link.write(f.frame(T.headers, 0xff, id + 2 ** 31, block));
  assert.is((await peer.over(id)).outcome, "200 ended", peer.describe());
  await eventually(() => link.state.pingAcks === 1);
  link.write(f.priority(id, 0));
  link.write(f.priority(101, 99, 255));
  link.write(f.rstStream(id, 0xdeadbeef));
  assert.is((await peer.ask(requestFields("/next"))).outcome, "200 ended", peer.describe());
  assert.equal(link.violations, []);
  peer.close();
});

test("a connection may come byte by byte", async () => {
  // H2-17
  const bytes = Buffer.concat([f.PREFACE, f.settings(), f.headers(1, GET, ENDS)]);
  const isAnswered = (text: string): boolean => text.endsWith("\0\0\x02\0\x01\0\0\0\x01ok");
  for (const pieces of [1, 7, 23, 25]) {
    const reply = await send(rig.port, bytes.toString("latin1"), { pieces, until: isAnswered });
    assert.is(reply.end, "open", `pieces of ${pieces}: ${reply.text.length} bytes`);
  }
});

test("what does not begin as HTTP/2 must is closed", async () => {
  // H2-17
  const preface = f.PREFACE.toString("latin1");
  const beginnings: Readonly<Record<string, string>> = {
    "half a preface": "PRI * HTTP/2",
    "a wrong end": "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    garbage: `${preface}garbage, and more of it than a frame's head`,
    "HTTP/1": `${preface}GET / HTTP/1.1\r\nHost: web\r\n\r\n`,
    "no SETTINGS first": preface + f.ping().toString("latin1"),
    "HEADERS first": preface + f.headers(1, GET, ENDS).toString("latin1"),
    "SETTINGS ACK first": preface + f.SETTINGS_ACK.toString("latin1"),
  };
  const asked = rig.web.requests.length;
  for (const [what, bytes] of Object.entries(beginnings)) {
    // Half a preface may be half a request line, which has HEAD_TIMEOUT_MS to be finished.
    const withinMs = what === "half a preface" ? HEAD_TIMEOUT_MS + 5_000 : 5_000;
    const reply = await send(rig.port, bytes, { withinMs });
    assert.not.equal(reply.end, "timeout", what);
    assert.not.match(reply.text, /200 OK/, what);
  }
  assert.is(rig.web.requests.length, asked);
  await assertHealthy(rig);
});

test("a client that ignores GOAWAY is refused, and gone when the grace ends", async () => {
  // H2-23
  const own = await start(["--shutdown-grace=2s"]);
  const peer = await Http2Peer.connect(own.port);
  const silent = peer.get("/silent");
  const finished = peer.request(requestFields("/open", [], "POST"), "begun", "open");
  await eventually(() => own.web.waiting().length === 1 && own.web.unfinished().length === 1);
  const stopped = own.program.stop();
  await eventually(() => peer.goAway === f.ErrorCode.noError, { withinMs: 5_000 });
  // What was in flight ends well, what is opened from now on is not served for long.
  peer.link.body(finished, ", ended", "end");
  assert.is((await peer.over(finished)).outcome, "200 ended", peer.describe());
  const isRefused = async (): Promise<boolean> => {
    const more = await peer.ask(requestFields("/more"));
    return (
      peer.link.end !== null || more.resetCode === f.ErrorCode.refusedStream || more.status === null
    );
  };
  await eventually(isRefused, { withinMs: 5_000 });
  assert.is(await stopped, 0, own.program.log());
  assert.is(peer.link.stream(silent).isEnded, false);
  assert.equal(peer.link.violations, []);
  await own.stop();
});

for (const what of ["a preface", "a header block", "a frame"]) {
  test(`${what} that stalls is given up`, async () => {
    // H2-17
    const reply = await stalled.get(what);
    assert.ok(reply !== undefined && reply.end !== "timeout", `${what}: ${reply?.end}`);
  });
}

test.run();
