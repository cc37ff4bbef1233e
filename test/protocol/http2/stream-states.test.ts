// RFC 9113 §5.1: what a server may be sent on a stream that is idle, open, half closed or closed.
import * as assert from "uvu/assert";
import { encodeFields } from "../../support/http2-fields.ts";
import * as f from "../../support/http2-frames.ts";
import { suite } from "../../support/test.ts";
import { HAS_ALL, HAS_HEADERS, request, serverRig, type TestServer } from "./server-rig.ts";

const test = suite("protocol/http2/stream-states");

const TRAILERS = encodeFields([["x-sum", "1"]]);

/** Ways to bring stream 1 of a server into a state. */
const STATES: Readonly<Record<string, (server: TestServer) => void>> = {
  idle: () => {},
  open: (server) => server.feed(request(1, false)),
  "half closed (remote)": (server) => server.feed(request(1)),
  "half closed (local)": (server) => {
    server.feed(request(1, false));
    server.respond(1, undefined, true);
  },
  "closed by both": (server) => {
    server.feed(request(1));
    server.respond(1, undefined, true);
  },
  "closed by the peer's RST_STREAM": (server) => {
    server.feed(request(1, false), f.rstStream(1, f.ErrorCode.cancel));
  },
  "closed by our RST_STREAM": (server) => {
    server.feed(request(1, false));
    server.resetStream(server.stream(1), f.ErrorCode.cancel, false);
  },
  "never used, under one that was": (server) => server.feed(request(3, false)),
};

type Row = readonly [state: string, what: string, frame: Buffer, answer: string];

const HEADERS = f.headers(1, TRAILERS, HAS_ALL);
const OPENING = request(1, false);
const DATA = f.data(1, "twelve bytes");
const RESET = f.rstStream(1, f.ErrorCode.cancel);
const UPDATE = f.windowUpdate(1, 2_000);
const PRIORITY = f.priority(1, 0);
const GONE = "RST_STREAM 1 streamClosed";

/** What our side writes when the frame comes; empty: nothing. */
const ROWS: readonly Row[] = [
  ["idle", "DATA", DATA, "GOAWAY 0 protocolError"],
  ["idle", "RST_STREAM", RESET, "GOAWAY 0 protocolError"],
  ["idle", "WINDOW_UPDATE", UPDATE, "GOAWAY 0 protocolError"],
  ["idle", "CONTINUATION", f.continuation(1, TRAILERS), "GOAWAY 0 protocolError"],
  ["idle", "PRIORITY", PRIORITY, ""],
  ["idle", "HEADERS", OPENING, ""],
  ["open", "DATA", DATA, ""],
  ["open", "trailers", HEADERS, ""],
  ["open", "HEADERS without END_STREAM", f.headers(1, TRAILERS), "RST_STREAM 1 protocolError"],
  ["open", "RST_STREAM", RESET, ""],
  ["open", "WINDOW_UPDATE", UPDATE, ""],
  ["half closed (remote)", "DATA", DATA, GONE],
  ["half closed (remote)", "HEADERS", HEADERS, GONE],
  ["half closed (remote)", "RST_STREAM", RESET, ""],
  ["half closed (remote)", "WINDOW_UPDATE", UPDATE, ""],
  ["half closed (remote)", "PRIORITY", PRIORITY, ""],
  ["half closed (local)", "DATA", DATA, ""],
  ["half closed (local)", "trailers", HEADERS, ""],
  ["half closed (local)", "RST_STREAM", RESET, ""],
  ["closed by both", "DATA", DATA, GONE],
  ["closed by both", "HEADERS", OPENING, "GOAWAY 1 streamClosed"],
  ["closed by both", "RST_STREAM", RESET, ""],
  ["closed by both", "WINDOW_UPDATE", UPDATE, ""],
  ["closed by both", "PRIORITY", PRIORITY, ""],
  ["closed by the peer's RST_STREAM", "DATA", DATA, GONE],
  ["closed by the peer's RST_STREAM", "HEADERS", OPENING, "GOAWAY 1 streamClosed"],
  ["closed by the peer's RST_STREAM", "RST_STREAM", RESET, ""],
  ["closed by our RST_STREAM", "DATA", DATA, ""],
  ["closed by our RST_STREAM", "trailers", HEADERS, ""],
  ["closed by our RST_STREAM", "WINDOW_UPDATE", UPDATE, ""],
  ["closed by our RST_STREAM", "RST_STREAM", RESET, ""],
  ["never used, under one that was", "HEADERS", OPENING, "GOAWAY 3 protocolError"],
  ["never used, under one that was", "DATA", DATA, GONE],
];

for (const [state, what, frame, answer] of ROWS) {
  test(`${what} on a stream that is ${state}: ${answer === "" ? "no error" : answer}`, () => {
    const server = serverRig();
    STATES[state]?.(server);
    server.rig.told();
    server.feed(frame);
    assert.equal(server.rig.told(), answer === "" ? [] : [answer]);
    assert.is(server.isOver, answer.startsWith("GOAWAY"));
  });
}

test("both ends make a stream closed, in either order, and it leaves the table", () => {
  for (const first of ["peer", "we"]) {
    const server = serverRig();
    server.feed(request(1, false));
    const end = (): void => server.feed(f.data(1, "ab", f.Flag.endStream));
    if (first === "peer") end();
    server.respond(1);
    server.send(1, 3, true);
    assert.is(server.streamCount, first === "peer" ? 0 : 1);
    if (first === "we") end();
    assert.is(server.streamCount, 0);
    assert.is(server.events.at(-1), "1 closed");
    assert.equal(server.rig.told(), ["HEADERS 1", "DATA 1 3 end"]);
    server.rig.assertLawful();
  }
});

test("a stream that one side resets is told so once", () => {
  const server = serverRig();
  server.feed(request(1, false), RESET, RESET);
  assert.equal(server.events.slice(1), ["1 reset cancel by peer"]);
  server.feed(request(3, false));
  server.resetStream(server.stream(3), f.ErrorCode.internalError, false);
  server.resetStream(server.stream(3), f.ErrorCode.internalError, false);
  assert.equal(server.events.slice(3), ["3 reset internalError by us"]);
  assert.equal(server.rig.told(), ["RST_STREAM 3 internalError"]);
  assert.is(server.streamCount, 0);
});

test("after the peer's RST_STREAM for a stream that we reset, DATA on it is an error", () => {
  const server = serverRig();
  server.feed(request(1, false));
  server.resetStream(server.stream(1), f.ErrorCode.cancel, false);
  server.feed(DATA, RESET);
  server.rig.told();
  server.feed(DATA);
  assert.equal(server.rig.told(), [GONE]);
});

test("DATA on a stream that has ended is answered with one RST_STREAM, however much comes", () => {
  for (const state of ["closed by both", "closed by the peer's RST_STREAM"]) {
    const server = serverRig();
    STATES[state]?.(server);
    server.rig.told();
    server.feed(DATA, DATA, DATA);
    assert.equal(server.rig.told(), [GONE]);
    server.rig.assertLawful();
  }
});

test("streams of the other side's numbers, and the number 0, are errors of the connection", () => {
  const wrong: readonly Buffer[] = [
    request(2),
    request(0),
    f.data(0, "a"),
    f.data(2, "a"),
    f.rstStream(0, 8),
    f.rstStream(2, 8),
    f.priority(0, 1),
    f.windowUpdate(2, 2_000),
    f.frame(f.FrameType.settings, 0, 1),
    f.frame(f.FrameType.ping, 0, 1, Buffer.alloc(8)),
    f.frame(f.FrameType.goAway, 0, 1, Buffer.alloc(8)),
    f.pushPromise(1, 2, TRAILERS),
  ];
  for (const frame of wrong) {
    const server = serverRig();
    server.feed(frame);
    assert.equal(server.rig.told(), ["GOAWAY 0 protocolError"], frame.toString("hex"));
    assert.equal(server.faults, ["protocol"]);
  }
});

test("an end of the connection is told to every stream, and once", () => {
  const server = serverRig();
  server.feed(request(1, false), request(3), request(2));
  assert.equal(server.events.slice(2), [
    "1 reset protocolError by connection",
    "3 reset protocolError by connection",
  ]);
  assert.is(server.streamCount, 0);
  server.feed(request(5));
  server.fail(f.ErrorCode.internalError);
  assert.equal(server.rig.told(), ["GOAWAY 3 protocolError"]);
  assert.is(server.events.length, 4);
});

test("the reserved bit of a stream's number is ignored", () => {
  const server = serverRig();
  const bytes = Buffer.from(request(1));
  bytes[5] = (bytes[5] ?? 0) | 0x80;
  server.feed(bytes);
  assert.equal(server.events, ["1 request / end"]);
});

test("the highest number can be used, and nothing comes after it", () => {
  const server = serverRig();
  server.feed(request(2 ** 31 - 1));
  assert.is(server.streamCount, 1);
  server.feed(request(1));
  assert.equal(server.rig.told(), [`GOAWAY ${2 ** 31 - 1} protocolError`]);
});

test("trailers may be in the way of HEADERS flags that mean nothing", () => {
  const server = serverRig();
  server.feed(request(1, false), f.headers(1, TRAILERS, HAS_HEADERS | f.Flag.endStream | 0x42));
  assert.equal(server.events, ["1 request /", "1 trailers x-sum=1"]);
});

test.run();
