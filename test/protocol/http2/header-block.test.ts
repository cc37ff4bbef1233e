// Header blocks in more than one frame, RFC 9113 §4.3, §6.2 and §6.10: read, bounded, written.
import * as assert from "uvu/assert";
import { HeaderBlock } from "../../../src/protocol/http2/header-block.ts";
import {
  BLOCK_BYTES_MAX,
  CONTINUATIONS_MAX,
  GLITCHES_MAX,
} from "../../../src/protocol/http2/limits.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import { encodeFields, requestFields } from "../../support/http2-fields.ts";
import * as f from "../../support/http2-frames.ts";
import { seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";
import { clientRig } from "./client-rig.ts";
import { HAS_ALL, request, serverRig } from "./server-rig.ts";

const test = suite("protocol/http2/header-block");

const BLOCK = encodeFields(requestFields("/parts", [["x-long", "y".repeat(50)]]));
const WHOLE = `1 request /parts x-long=${"y".repeat(50)} end`;

/** The block in parts, none of them with END_HEADERS but the last. */
function parts(cuts: readonly number[], block: Uint8Array = BLOCK): Buffer[] {
  const bounds = [0, ...cuts, block.length];
  return bounds.slice(1).map((end, i) => {
    const part = block.subarray(bounds[i] ?? 0, end);
    const last = i === bounds.length - 2 ? f.Flag.endHeaders : 0;
    if (i > 0) return f.continuation(1, part, last);
    return f.headers(1, part, f.Flag.endStream | last);
  });
}

test("a block may be cut anywhere", () => {
  for (let at = 0; at <= BLOCK.length; at++) {
    const server = serverRig();
    server.feed(...parts([at]));
    assert.equal(server.events, [WHOLE], `cut at ${at}`);
  }
  const random = seeded("cuts");
  for (let i = 0; i < 50; i++) {
    const cuts = Array.from({ length: 7 }, () => random.below(BLOCK.length + 1));
    const server = serverRig();
    server.feed(...parts(cuts.sort((a, b) => a - b)));
    assert.equal(server.events, [WHOLE], `cuts ${cuts.join()}`);
  }
});

test("padding and priority lie around the first part only", () => {
  const server = serverRig();
  const first = Buffer.concat([f.priorityFields(3), BLOCK.subarray(0, 9)]);
  const flags = f.Flag.endStream | f.Flag.priority;
  server.feed(f.headers(1, first, flags, 7), f.continuation(1, BLOCK.subarray(9)));
  assert.equal(server.events, [WHOLE]);
});

test("nothing may come between the parts", () => {
  const between: readonly Buffer[] = [
    f.data(1, "a"),
    f.ping(),
    f.settings(),
    f.priority(3, 1),
    f.unknown(0),
    request(3),
    f.continuation(3, BLOCK.subarray(9)),
    f.windowUpdate(0, 2_000),
  ];
  for (const frame of between) {
    const server = serverRig();
    server.feed(f.headers(1, BLOCK.subarray(0, 9), f.Flag.endStream), frame);
    assert.equal(server.rig.told(), ["GOAWAY 0 protocolError"], frame.toString("hex"));
  }
});

test("CONTINUATION without a block is an error, also behind one that was whole", () => {
  for (const before of [[], parts([]), parts([20])]) {
    const server = serverRig();
    server.feed(...before, f.continuation(1, BLOCK));
    assert.ok(server.rig.told().at(-1)?.endsWith("protocolError"));
  }
});

test("so many CONTINUATION frames, and no more (CVE-2024-27316)", () => {
  const cuts = Array.from({ length: CONTINUATIONS_MAX }, (_, i) => 5 * i);
  const server = serverRig();
  server.feed(...parts(cuts));
  assert.equal(server.events, [WHOLE]);
  const other = serverRig();
  other.feed(...parts([...cuts, BLOCK.length]));
  assert.equal(other.events, []);
  assert.equal(other.rig.told(), ["GOAWAY 0 enhanceYourCalm"]);
});

test("empty parts cost something, so a flood of them ends the connection", () => {
  const server = serverRig();
  const empty = Buffer.concat([f.headers(1, Buffer.alloc(0), 0), f.continuation(1, BLOCK)]);
  let count = 0;
  for (; !server.isOver && count < 2 * GLITCHES_MAX; count++) {
    const bytes = Buffer.from(empty);
    bytes.writeUInt32BE(2 * count + 1, 5);
    bytes.writeUInt32BE(2 * count + 1, 14);
    server.feed(bytes);
    if (!server.isOver) server.respond(2 * count + 1, undefined, true);
    if (!server.isOver) server.feed(f.data(2 * count + 1, "", f.Flag.endStream), f.ping());
  }
  assert.ok(count <= GLITCHES_MAX, `${count} blocks`);
});

test("a block of 65,536 bytes is taken, one of a byte more is not", () => {
  const piece = Buffer.alloc(16_384);
  for (const more of [0, 1]) {
    const block = new HeaderBlock();
    assert.ok(block.begin(1, false, false, piece, 0, piece.length));
    for (let i = 0; i < 2; i++) assert.ok(block.continue(piece, 0, piece.length));
    assert.ok(block.continue(piece, 1, piece.length));
    assert.is(block.continue(piece, 0, 1 + more), more === 0);
  }
  assert.is(BLOCK_BYTES_MAX, 4 * piece.length);
});

test("its bytes are those of the parts, whatever sizes they have", () => {
  const random = seeded("header-block");
  const block = new HeaderBlock();
  for (let round = 0; round < 100; round++) {
    const bytes = random.bytes(random.below(40_000));
    const first = random.below(bytes.length + 1);
    const second = random.between(first, bytes.length);
    assert.ok(block.begin(7, true, false, bytes, 0, first));
    assert.ok(block.continue(bytes, first, second));
    assert.ok(block.continue(bytes, second, bytes.length));
    const taken = block.bytes;
    assert.equal(Buffer.from(taken.subarray(0, block.length)), Buffer.from(bytes));
    assert.is(block.streamId, 7);
    block.end();
    assert.is(block.streamId, 0);
    assert.not(block.bytes === taken, "they belong to whoever took them");
  }
});

test("a block of ours that is longer than a frame is written in parts", () => {
  for (const size of [16_000, 16_384, 32_700, 40_000]) {
    const client = clientRig();
    const value = "v".repeat(size);
    client.ask(true, "GET", `X-Long: ${value}\r\n`);
    const frames = client.rig.frames.slice(-4).filter(({ stream }) => stream === 1);
    const lengths = frames.map(({ payload }) => payload.length);
    assert.ok(lengths.slice(0, -1).every((length) => length === 16_384));
    assert.ok((lengths.at(-1) ?? 0) > 0, "no part is empty");
    const flags = frames.map(({ type, flags }) => `${type} ${flags}`);
    const [head, ...rest] = flags;
    assert.is(head, `1 ${frames.length === 1 ? HAS_ALL : f.Flag.endStream}`);
    assert.equal(
      rest,
      rest.map((_, i) => `9 ${i === rest.length - 1 ? f.Flag.endHeaders : 0}`),
    );
    const fields = new HpackReader().decode(Buffer.concat(frames.map(({ payload }) => payload)));
    assert.is(fields.find(({ name }) => name === "x-long")?.value, value);
    client.rig.assertLawful();
  }
});

test("HEADERS whose padding or priority does not fit end the connection", () => {
  const wrong: readonly Buffer[] = [
    f.frame(f.FrameType.headers, HAS_ALL | f.Flag.padded, 1, Buffer.of(5, 0, 0, 0, 0)),
    f.frame(f.FrameType.headers, HAS_ALL | f.Flag.padded, 1),
    f.frame(f.FrameType.headers, HAS_ALL | f.Flag.priority, 1, Buffer.alloc(4)),
  ];
  for (const bytes of wrong) {
    const server = serverRig();
    server.feed(bytes);
    assert.ok(server.isOver);
    assert.equal(server.events, []);
  }
});

test("a request that depends on itself is reset, and decoded", () => {
  const server = serverRig();
  const indexed = encodeFields(requestFields("/self"), "indexed");
  const first = Buffer.concat([f.priorityFields(1), indexed]);
  server.feed(f.headers(1, first, HAS_ALL | f.Flag.priority));
  assert.equal(server.rig.told(), ["RST_STREAM 1 protocolError"]);
  server.feed(f.headers(3, Buffer.of(0xc1, 0xc0, 0xbf, 0xbe), HAS_ALL));
  assert.equal(server.events, ["3 request /self end"]);
});

test("a frame longer than 16,384 bytes ends the connection before it is there", () => {
  const server = serverRig();
  server.feed(f.frame(f.FrameType.data, 0, 1, Buffer.alloc(0), 16_385));
  assert.equal(server.rig.told(), ["GOAWAY 0 frameSizeError"]);
});

test.run();
