// What a peer may make a server do: streams at once, and misbehaviour of every kind.
import * as assert from "uvu/assert";
import {
  GLITCHES_MAX,
  Glitch,
  STREAM_STALL_MS,
  STREAMS_MAX,
} from "../../../src/protocol/http2/limits.ts";
import { encodeFields, literal, requestFields } from "../../support/http2-fields.ts";
import * as f from "../../support/http2-frames.ts";
import { suite } from "../../support/test.ts";
import { HAS_ALL, HAS_HEADERS, request, serverRig, type TestServer } from "./server-rig.ts";

const test = suite("protocol/http2/limits");

const CALM = "enhanceYourCalm";

test("more streams than allowed are refused, and their blocks are decoded (H2-22)", () => {
  const server = serverRig();
  for (let i = 0; i < STREAMS_MAX; i++) server.feed(request(2 * i + 1));
  const extra = 2 * STREAMS_MAX + 1;
  const block = encodeFields(requestFields("/refused"), "indexed");
  server.feed(f.headers(extra, block, HAS_HEADERS), f.data(extra, "content"));
  assert.equal(server.rig.told(), [`RST_STREAM ${extra} refusedStream`]);
  server.respond(1, undefined, true);
  server.feed(f.headers(extra + 2, Buffer.of(0xc1, 0xc0, 0xbf, 0xbe), HAS_ALL));
  assert.is(server.events.at(-1), `${extra + 2} request /refused end`);
  assert.is(server.streamCount, STREAMS_MAX);
});

/** Sends `frame(0)`, `frame(1)`, … until the connection is over; how many it took. */
function floodOf(server: TestServer, frame: (i: number) => Buffer): number {
  for (let i = 0; i < 40 * GLITCHES_MAX; i++) {
    if (server.isOver) return i;
    server.feed(frame(i));
  }
  return Number.POSITIVE_INFINITY;
}

type Flood = readonly [
  what: string,
  cost: number,
  frame: (i: number) => Buffer,
  before?: (server: TestServer) => void,
];

const open = (server: TestServer): void => server.feed(request(1, false));
const reset = (id: number): Buffer => f.rstStream(id, f.ErrorCode.cancel);
const both = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts);
const BROKEN = f.headers(1, encodeFields([["x", "y"]]), HAS_ALL).subarray(9);

/** What each costs of the budget; an attack of one kind is over when it is used up. */
const FLOODS: readonly Flood[] = [
  ["HEADERS and RST_STREAM (H2-01)", 1, (i) => both(request(2 * i + 1), reset(2 * i + 1))],
  ["PING", Glitch.control, () => f.ping()],
  ["SETTINGS", Glitch.control, () => f.settings()],
  ["small WINDOW_UPDATE", Glitch.control, () => f.windowUpdate(0, 1)],
  ["GOAWAY", Glitch.control, () => f.goAway(0, 0)],
  ["PRIORITY", Glitch.priority, (i) => f.priority(2 * i + 1, 0)],
  ["frames of unknown types", Glitch.priority, () => f.unknown(0)],
  ["empty DATA", Glitch.empty, () => f.data(1, ""), open],
  ["DATA of one byte", Glitch.tiny, () => f.data(1, "x"), open],
  ["nothing but padding", Glitch.empty, () => f.data(1, "", 0, 20), open],
  ["malformed requests", 1, (i) => f.headers(2 * i + 1, BROKEN, HAS_ALL)],
  [
    "an increment of 0 (CVE-2025-8671)",
    2,
    (i) => both(request(2 * i + 1), f.windowUpdate(2 * i + 1, 0)),
  ],
  [
    "a window that overflows (CVE-2025-8671)",
    1,
    (i) => both(request(2 * i + 1), f.windowUpdate(2 * i + 1, f.WINDOW_BYTES_MAX)),
  ],
  [
    "PRIORITY of a wrong length (CVE-2025-8671)",
    1,
    (i) => both(request(2 * i + 1), f.frame(f.FrameType.priority, 0, 2 * i + 1, Buffer.alloc(4))),
  ],
  [
    "a stream that depends on itself (CVE-2025-8671)",
    1,
    (i) => both(request(2 * i + 1), f.priority(2 * i + 1, 2 * i + 1)),
  ],
  ["HEADERS after the end (CVE-2025-8671)", 1, (i) => both(request(2 * i + 1), request(2 * i + 1))],
  [
    "DATA after the end (CVE-2025-8671)",
    1,
    (i) => both(request(2 * i + 1), f.data(2 * i + 1, "twelve bytes")),
  ],
];

for (const [what, cost, frame, before] of FLOODS) {
  test(`a flood ends the connection: ${what}`, () => {
    const server = serverRig();
    before?.(server);
    const count = floodOf(server, frame);
    assert.ok(Math.abs(count - GLITCHES_MAX / cost) <= 2, `after ${count}`);
    assert.ok(server.rig.told().at(-1)?.endsWith(CALM));
    assert.is(server.faults.at(-1), "flood");
    assert.is(server.streamCount, 0);
  });
}

test("a WINDOW_UPDATE or PING for DATA of ours costs nothing", () => {
  const server = serverRig();
  server.feed(request(1), f.windowUpdate(0, 1_000_000));
  server.respond(1);
  for (let i = 0; i < 3 * GLITCHES_MAX; i++) {
    server.send(1, 10);
    server.feed(f.windowUpdate(0, 10), f.windowUpdate(1, 10), f.ping());
  }
  assert.not(server.isOver);
});

test("an honest client that cancels every second request goes on", () => {
  const server = serverRig();
  for (let i = 0; i < 5 * GLITCHES_MAX; i++) {
    server.feed(request(4 * i + 1), request(4 * i + 3), reset(4 * i + 3));
    server.respond(4 * i + 1, undefined, true);
  }
  assert.not(server.isOver);
});

test("a stream whose peer takes nothing, or sends nothing of what it announced, is reset", () => {
  const stalls: Readonly<Record<string, (server: TestServer) => void>> = {
    "takes nothing": (server) => {
      server.feed(f.settings([[f.Setting.initialWindowSize, 0]]), request(1));
      server.respond(1);
      server.send(1, 10);
    },
    "sends nothing": (server) => server.feed(request(1, false, [["content-length", "9"]])),
  };
  for (const [what, stall] of Object.entries(stalls)) {
    const server = serverRig();
    stall(server);
    server.nowMs += STREAM_STALL_MS;
    server.sweep();
    assert.is(server.streamCount, 1, what);
    server.nowMs += 1;
    server.sweep();
    assert.is(server.rig.told().at(-1), "RST_STREAM 1 cancel", what);
    assert.is(server.events.at(-1), "1 reset cancel by us", what);
  }
});

test("what arrives, or a window that grows, is progress", () => {
  const server = serverRig([[f.Setting.initialWindowSize, 0]]);
  server.feed(request(1), request(3, false, [["content-length", "90000"]]));
  server.respond(1);
  server.send(1, 60_000);
  for (let i = 0; i < 4; i++) {
    server.nowMs += STREAM_STALL_MS;
    server.feed(f.windowUpdate(1, 1_024), f.data(3, "some content"));
    server.sweep();
  }
  assert.is(server.streamCount, 2);
});

test("content that goes is progress, though the peer's windows need not grow for it", () => {
  const most = f.WINDOW_BYTES_MAX;
  const server = serverRig([[f.Setting.initialWindowSize, most]]);
  server.feed(f.windowUpdate(0, most - f.WINDOW_DEFAULT_BYTES), request(1));
  server.respond(1);
  server.rig.output.isTaken = false;
  for (let i = 0; i < 4; i++) {
    server.nowMs += STREAM_STALL_MS;
    server.rig.output.queuedBytes = 0;
    server.sender.pump();
    server.send(1, 120_000);
    assert.ok(server.stream(1).keptBytes > 0);
    server.nowMs += 1;
    server.sweep();
  }
  assert.is(server.streamCount, 1);
});

test("a stream on which both are silent may live for ever, as gRPC's do", () => {
  const server = serverRig();
  server.feed(request(1, false));
  server.respond(1);
  server.nowMs += 100 * STREAM_STALL_MS;
  server.sweep();
  assert.is(server.streamCount, 1);
});

test("a stream that was answered is reset when its time is over", () => {
  const server = serverRig();
  server.feed(request(1, false));
  server.respond(1, undefined, true);
  server.stream(1).resetAtMs = server.nowMs + 500;
  server.sweep();
  assert.is(server.streamCount, 1);
  server.nowMs += 500;
  server.sweep();
  assert.equal(server.rig.told().slice(1), ["RST_STREAM 1 noError"]);
  assert.equal(server.faults, [], "that is nobody's fault");
});

test("a request that cannot be served is told so, and its stream stays to be answered", () => {
  const server = serverRig();
  const many = Array.from({ length: 101 }, (_, i): [string, string] => [`x-${i}`, "y"]);
  server.feed(request(1, true, many));
  const long = literal("x-long", "y".repeat(4_000), "indexed");
  const head = encodeFields(requestFields("/bomb"));
  const bomb = Buffer.concat([head, long, Buffer.alloc(20, 0xbe)]);
  server.feed(f.headers(3, bomb, HAS_ALL), request(5));
  assert.equal(server.events, ["1 bad too-many-fields", "3 bad head-too-large", "5 request / end"]);
  assert.is(server.streamCount, 3);
  assert.equal(server.rig.told(), []);
});

test.run();
