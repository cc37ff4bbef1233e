// Frames' heads, their numbers, the control frames and what lies around content, RFC 9113 §4 and §6.
import * as assert from "uvu/assert";
import * as control from "../../../src/codec/http2/control-frames.ts";
import {
  FRAME_HEAD_BYTES,
  readLength,
  readU31,
  readU32,
  writeFrameHead,
  writeU32,
} from "../../../src/codec/http2/frame-head.ts";
import { Payload } from "../../../src/codec/http2/payload.ts";
import * as f from "../../support/http2-frames.ts";
import { seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http2/frame-head");

/** What `write` puts behind seven bytes, and that it touches nothing else. */
function written(write: (bytes: Uint8Array, at: number) => number): Buffer {
  const bytes = new Uint8Array(64).fill(0xa5);
  const end = write(bytes, 7);
  assert.ok(bytes.subarray(0, 7).every((byte) => byte === 0xa5));
  assert.ok(bytes.subarray(end).every((byte) => byte === 0xa5));
  return Buffer.from(bytes.subarray(7, end));
}

test("a head is nine bytes, and reads as it was written", () => {
  const random = seeded("frame-head");
  for (let i = 0; i < 500; i++) {
    const length = random.pick([0, 1, 255, 256, 65_536, 2 ** 24 - 1, random.below(2 ** 24)]);
    const id = random.pick([0, 1, 2 ** 31 - 1, random.below(2 ** 31)]);
    const type = random.below(256);
    const flags = random.below(256);
    const bytes = written((out, at) => writeFrameHead(out, at, length, type, flags, id));
    assert.is(bytes.length, FRAME_HEAD_BYTES);
    assert.equal(bytes, f.frame(type, flags, id, new Uint8Array(0), length));
    assert.is(readLength(bytes, 0), length);
    assert.is(readU31(bytes, 5), id);
  }
});

test("numbers of 32 bits have no sign, and those of 31 no reserved bit", () => {
  for (const value of [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    const bytes = written((out, at) => writeU32(out, at, value));
    assert.is(readU32(bytes, 0), value);
    assert.is(readU31(bytes, 0), value % 2 ** 31);
  }
  assert.is(readU32(Uint8Array.of(0xff), 0), 0xff00_0000, "bytes that are not there are 0");
});

test("control frames are as the RFC has them", () => {
  const code = 2 ** 32 - 1;
  assert.equal(
    written((out, at) => control.writeRstStream(out, at, 7, code)),
    f.rstStream(7, code),
  );
  assert.equal(
    written((out, at) => control.writeGoAway(out, at, 2 ** 31 - 1, 11)),
    f.goAway(2 ** 31 - 1, 11),
  );
  assert.equal(
    written((out, at) => control.writeWindowUpdate(out, at, 3, 2 ** 31 - 1)),
    f.windowUpdate(3, 2 ** 31 - 1),
  );
  const entries: f.Settings = [
    [6, 65_536],
    [4, 2 ** 31 - 1],
  ];
  assert.equal(
    written((out, at) => control.writeSettings(out, at, 0, entries)),
    f.settings(entries),
  );
  assert.equal(
    written((out, at) => control.writeSettings(out, at, f.Flag.ack, [])),
    f.SETTINGS_ACK,
  );
  const bytes = new Uint8Array(64);
  bytes.set(Buffer.from("outrider", "latin1"), 40);
  const end = control.writePing(bytes, 3, f.Flag.ack, 40);
  assert.equal(Buffer.from(bytes.subarray(3, end)), f.ping("outrider", f.Flag.ack));
});

type Row = readonly [
  flags: number,
  payload: readonly number[],
  content: string | null,
  self?: true,
];

const { padded, priority } = f.Flag;
const [A, B] = [0x61, 0x62];

const PAYLOADS: readonly Row[] = [
  [0, [], ""],
  [0, [A, B], "ab"],
  [padded, [], null],
  [padded, [0], ""],
  [padded, [0, A, B], "ab"],
  [padded, [1, A, B], "a"],
  [padded, [2, A, B], ""],
  [padded, [3, A, B], null],
  [padded, [255, A, B], null],
  [priority, [0, 0, 0, 0], null],
  [priority, [0, 0, 0, 0, 0], ""],
  [priority, [0, 0, 0, 0, 0, A], "a"],
  [priority, [0, 0, 0, 5, 0, A], "a", true],
  [priority, [0x80, 0, 0, 5, 0, A], "a", true],
  [padded | priority, [1, 0, 0, 0, 0, 0, A, 0], "a"],
  [padded | priority, [1, 0, 0, 0, 5, 0, A, 0], "a", true],
  [padded | priority, [1, 0, 0, 0, 0, 0], null],
  [padded | priority, [2, 0, 0, 0, 0, 0, A], null],
];

test("padding and priority are taken off, or do not fit", () => {
  const payload = new Payload();
  for (const [flags, bytes, content, isSelf = false] of PAYLOADS) {
    const framed = Uint8Array.from([9, 9, 9, ...bytes, A, A, A, A, A, A]);
    const isGood = payload.read(framed, 3, 3 + bytes.length, flags, 5);
    assert.is(isGood, content !== null, `${flags} ${bytes.join()}`);
    if (content === null) continue;
    const text = Buffer.from(framed.subarray(payload.start, payload.end)).toString("latin1");
    assert.is(text, content, `${flags} ${bytes.join()}`);
    assert.is(payload.isSelfDependent, isSelf, `${flags} ${bytes.join()}`);
  }
});

test.run();
