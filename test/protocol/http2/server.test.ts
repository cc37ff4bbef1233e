// The server's end: trailers behind content that waits, memory, lengths, and cuts of the input.
import * as assert from "uvu/assert";
import { KeptBudget } from "../../../src/protocol/http2/kept-data.ts";
import { KEPT_BYTES_MAX } from "../../../src/protocol/http2/limits.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import { encodeFields, requestFields } from "../../support/http2-fields.ts";
import * as f from "../../support/http2-frames.ts";
import { seeded } from "../../support/random.ts";
import { forEachSplit } from "../../support/splits.ts";
import { suite } from "../../support/test.ts";
import { memoryOf } from "./memory.ts";
import { Rig } from "./rig.ts";
import { HAS_ALL, request, serverRig, TestServer } from "./server-rig.ts";

const test = suite("protocol/http2/server");

const TRAILERS = f.headers(1, encodeFields([["x-sum", "1"]]), HAS_ALL);

test("trailers wait behind content that waits", () => {
  const server = serverRig([[f.Setting.initialWindowSize, 4]]);
  server.feed(request(1));
  server.respond(1);
  server.send(1, 10);
  server.sendTrailers(1, "X-Sum: 7\r\nx-other: \r\n");
  assert.equal(server.rig.told(), ["HEADERS 1", "DATA 1 4"]);
  server.feed(f.windowUpdate(1, 5));
  assert.equal(server.rig.told(), ["DATA 1 5"]);
  server.feed(f.windowUpdate(1, 5));
  assert.equal(server.rig.told(), ["DATA 1 1", "HEADERS 1 end"]);
  assert.is(server.events.at(-1), "1 closed");
  const reader = new HpackReader();
  const blocks = server.rig.frames.filter(({ type }) => type === f.FrameType.headers);
  const [, trailers] = blocks.map(({ payload }) => reader.decode(payload));
  assert.equal(
    trailers?.map(({ name, value }) => [name, value]),
    [
      ["x-sum", "7"],
      ["x-other", ""],
    ],
  );
});

test("without content that waits trailers go at once", () => {
  const server = serverRig();
  server.feed(request(1));
  server.respond(1);
  server.send(1, 10);
  server.sendTrailers(1, "x-sum: 7\r\n");
  assert.equal(server.rig.told(), ["HEADERS 1", "DATA 1 10", "HEADERS 1 end"]);
});

test("who gave content is told when all that waited is on its way", () => {
  const server = serverRig([[f.Setting.initialWindowSize, 4]]);
  server.feed(request(1));
  server.respond(1);
  server.send(1, 10);
  server.feed(f.windowUpdate(1, 5));
  assert.is(server.events.length, 1);
  server.feed(f.windowUpdate(1, 1));
  assert.equal(server.events.slice(1), ["1 drained"]);
  server.send(1, 2);
  server.send(1, 0, true);
  server.feed(f.windowUpdate(1, 2));
  assert.equal(server.events.slice(2), ["1 closed"]);
  assert.is(server.rig.told().at(-1), "DATA 1 2 end");
});

test("content is kept in order, and comes out in order", () => {
  const random = seeded("kept order");
  const server = serverRig([[f.Setting.initialWindowSize, 0]]);
  server.feed(request(1));
  server.respond(1);
  const expected: number[] = [];
  for (let i = 0; i < 60; i++) {
    const count = random.below(800);
    const byte = random.below(256);
    for (let n = 0; n < count; n++) expected.push(byte);
    server.send(1, count, false, byte);
    if (random.chance(0.5)) server.feed(f.windowUpdate(1, random.between(1, 900)));
  }
  server.feed(f.windowUpdate(1, 60_000));
  const data = server.rig.frames.filter(({ type }) => type === f.FrameType.data);
  assert.equal(Buffer.concat(data.map(({ payload }) => payload)), Buffer.from(expected));
  server.rig.assertLawful();
});

test("without memory to keep content it says so, and what streams kept is given back", () => {
  const budget = new KeptBudget();
  const server = serverRig([[f.Setting.initialWindowSize, 0]], memoryOf(budget));
  for (const id of [1, 3, 5]) {
    server.feed(request(id));
    server.respond(id);
    assert.ok(server.send(id, 3_000));
  }
  const each = budget.usedBytes / 3;
  assert.ok(each >= 3_000);
  const left = KEPT_BYTES_MAX - budget.usedBytes;
  budget.usedBytes += left;
  assert.not(server.send(1, each));
  assert.is(server.stream(1).keptBytes, 3_000);
  budget.usedBytes -= left;
  server.resetStream(server.stream(1), f.ErrorCode.enhanceYourCalm, false);
  assert.is(budget.usedBytes, 2 * each);
  server.feed(f.rstStream(3, f.ErrorCode.cancel));
  assert.is(budget.usedBytes, each);
  server.endStreams(f.ErrorCode.cancel);
  assert.is(budget.usedBytes, 0);
});

type Row = readonly [what: string, frames: readonly Buffer[]];

const LENGTH: readonly (readonly [string, string])[] = [["content-length", "7"]];
const MALFORMED: readonly Row[] = [
  ["a length and no content", [request(1, true, LENGTH)]],
  ["less content than its length", [request(1, false, LENGTH), f.data(1, "abcdef", 1)]],
  ["more content than its length", [request(1, false, LENGTH), f.data(1, "abcdefgh")]],
  ["more in two frames", [request(1, false, LENGTH), f.data(1, "abcde"), f.data(1, "fgh", 1)]],
  ["trailers before all content", [request(1, false, LENGTH), f.data(1, "abcdef"), TRAILERS]],
  ["trailers that do not end it", [request(1, false), f.headers(1, TRAILERS.subarray(9))]],
  [
    "pseudo-header fields in trailers",
    [request(1, false), f.headers(1, encodeFields([[":path", "/"]]), HAS_ALL)],
  ],
];

for (const [what, frames] of MALFORMED) {
  test(`a request is malformed: ${what}`, () => {
    const server = serverRig();
    server.feed(...frames);
    assert.equal(server.rig.told(), ["RST_STREAM 1 protocolError"]);
    assert.is(server.faults[0], "malformed");
    assert.is(server.streamCount, 0);
    assert.not(server.events.some((event) => event.endsWith(" end")));
  });
}

test("content that is as long as its length is right, in any number of frames", () => {
  const server = serverRig();
  server.feed(request(1, false, LENGTH), f.data(1, "abcdefg", f.Flag.endStream));
  server.feed(request(3, false, LENGTH), f.data(3, "abcde"), f.data(3, "fg"), f.data(3, "", 1));
  server.feed(request(5, false, LENGTH), f.data(5, "abcdefg"));
  server.feed(f.headers(5, TRAILERS.subarray(9), HAS_ALL));
  assert.equal(server.rig.told(), []);
  assert.is(server.events.at(-1), "5 trailers x-sum=1");
});

/** A connection on which much happens, all of it lawful but the last frame. */
function recording(): Buffer {
  const block = encodeFields(requestFields("/indexed", [["x-a", "b"]]), "indexed");
  const again = Buffer.of(0xc2, 0xc1, 0xc0, 0xbf, 0xbe);
  return Buffer.concat([
    f.PREFACE,
    f.settings([[f.Setting.initialWindowSize, 20]]),
    f.headers(1, block),
    f.SETTINGS_ACK,
    f.data(1, "some content", f.Flag.none, 3),
    f.ping(),
    f.headers(3, again.subarray(0, 2), f.Flag.endStream),
    f.continuation(3, again.subarray(2)),
    f.windowUpdate(1, 7),
    f.unknown(9, 4),
    f.headers(1, TRAILERS.subarray(9), HAS_ALL),
    f.rstStream(3, f.ErrorCode.cancel),
    f.priority(5, 0),
    f.windowUpdate(0, 5_000),
    f.headers(5, again, HAS_ALL),
    f.settings([[f.Setting.initialWindowSize, 50]]),
    f.goAway(0, 0, "bye"),
    f.data(5, "too late"),
    f.windowUpdate(0, 0),
  ]);
}

/** What a server that answers every request with 40 bytes did with these pieces. */
function replay(pieces: readonly Uint8Array[]): { events: string[]; written: string } {
  const server = new TestServer(new Rig(true), memoryOf());
  server.onRequest = ({ id }) => {
    server.respond(id);
    server.send(id, 40, true);
  };
  server.start();
  for (const piece of pieces) server.feed(piece);
  return { events: server.events, written: server.rig.bytes.toString("hex") };
}

test("where the input is cut makes no difference", () => {
  const bytes = recording();
  const whole = replay([bytes]);
  for (const event of ["1 closed", "3 reset cancel by peer", "5 closed"]) {
    assert.ok(whole.events.includes(event), whole.events.join());
  }
  forEachSplit(bytes, (head, tail) => assert.equal(replay([head, tail]), whole));
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.equal(replay(single), whole);
});

test.run();
