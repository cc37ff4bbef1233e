/** What the tests' follower of a connection must notice, and what it must let pass. */
import * as assert from "uvu/assert";
import * as f from "./http2-frames.ts";
import { Http2State } from "./http2-state.ts";
import { strictRequestFields, strictResponseFields, strictTrailerFields } from "./strict-http2.ts";
import { suite } from "./test.ts";

const test = suite("support/http2-state");

const ENDS = f.Flag.endStream | f.Flag.endHeaders;
const NOTHING = Buffer.alloc(0);
const PIECE = Buffer.alloc(16_384);

/** A server's view of a client that has sent its SETTINGS, and then these bytes. */
function after(...bytes: readonly Buffer[]): Http2State {
  const state = new Http2State("server");
  for (const frame of new f.FrameReader().push(Buffer.concat([f.settings(), ...bytes]))) {
    state.receive(frame);
  }
  return state;
}

test("what RFC 9113 does not allow is noticed", () => {
  const open = f.headers(1, NOTHING);
  const wrong: Readonly<Record<string, readonly Buffer[]>> = {
    "window of stream": [open, f.repeated(f.data(1, PIECE), 4)],
    "after its end": [f.headers(1, NOTHING, ENDS), f.data(1, "a")],
    "DATA on the idle": [f.data(1, "a")],
    "RST_STREAM on the idle": [f.rstStream(1, 8)],
    "RST_STREAM twice": [open, f.repeated(f.rstStream(1, 8), 2)],
    "in the middle of a block": [f.headers(1, NOTHING, 0), f.ping()],
    "of 0": [f.windowUpdate(0, 0)],
    overflows: [f.windowUpdate(0, f.WINDOW_BYTES_MAX)],
    "after 3": [f.headers(3, NOTHING), f.headers(1, NOTHING)],
    "not sent": [f.SETTINGS_ACK],
    "a frame of 16385": [f.unknown(0, 16_385)],
    "a frame of type": [f.priority(1, 0)],
    GOAWAY: [f.goAway(1, 0), f.goAway(3, 0)],
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    const { violations } = after(...bytes);
    assert.ok(
      violations.some((violation) => violation.includes(what)),
      `${what}: ${violations.join()}`,
    );
  }
});

test("settings count from their ACK on", () => {
  const state = after();
  const sent = f.settings([
    [f.Setting.initialWindowSize, 0],
    [f.Setting.maxConcurrentStreams, 1],
  ]);
  const follow = (bytes: Buffer): void => {
    for (const frame of new f.FrameReader().push(bytes)) state.receive(frame);
  };
  for (const frame of new f.FrameReader().push(sent)) state.sent(frame);
  follow(Buffer.concat([f.headers(1, NOTHING), f.headers(3, NOTHING), f.data(3, PIECE)]));
  assert.equal(state.violations, []);
  assert.is(state.openStreams, 2);
  follow(Buffer.concat([f.SETTINGS_ACK, f.data(3, "a"), f.headers(5, NOTHING)]));
  assert.equal(state.violations, ["window of stream 3 is overdrawn", "2 streams and one more"]);
});

test("what a hostile server says on an idle stream opens none", () => {
  const state = new Http2State("server");
  const sent = Buffer.concat([f.headers(1, NOTHING, 0), f.data(3, PIECE)]);
  for (const frame of new f.FrameReader().push(sent)) state.sent(frame);
  assert.is(state.openStreams, 0);
});

test("fields that are not pure are refused", () => {
  const fields = (...pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([name, value]) => ({ name, value, isNeverIndexed: false }));
  const good: readonly (readonly [string, string])[] = [
    [":method", "GET"],
    [":scheme", "http"],
    [":authority", "web"],
    [":path", "/"],
  ];
  strictRequestFields(fields(...good, ["te", "trailers"], ["l5d-orig-proto", "HTTP/1.1"]));
  const bad: readonly (readonly [string, string])[] = [
    ["Foo", "a"],
    ["", "a"],
    ["foo", " a"],
    ["foo", "a\r\nb"],
    ["connection", "close"],
    ["te", "gzip"],
    ["host", "web"],
    [":path", "/"],
    ["l5d-client-id", "a"],
    ["content-length", "+1"],
  ];
  for (const pair of bad) {
    assert.throws(() => strictRequestFields(fields(...good, pair)), /not strict/, pair.join());
  }
  strictResponseFields(fields([":status", "200"], ["foo", ""]));
  assert.throws(() => strictResponseFields(fields([":status", "101"])));
  assert.throws(() => strictResponseFields(fields(["foo", "a"], [":status", "200"])));
  assert.throws(() => strictTrailerFields(fields([":status", "200"])));
  assert.throws(() => strictTrailerFields(fields(["content-length", "1"])));
});

test.run();
