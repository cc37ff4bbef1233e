// RFC 9113 §5.2 and §6.9: what our side may send, and what it gives back of what it received.
import * as assert from "uvu/assert";
import {
  CONNECTION_WINDOW_BYTES,
  STREAM_WINDOW_BYTES,
} from "../../../src/protocol/http2/limits.ts";
import * as f from "../../support/http2-frames.ts";
import { seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";
import { HAS_HEADERS, request, serverRig, type TestServer } from "./server-rig.ts";

const test = suite("protocol/http2/flow-control");

const PIECE = Buffer.alloc(16_384);

/** A server with the streams 1, 3, … to answer, and the client's windows of this size. */
function answering(streams: number, window = f.WINDOW_DEFAULT_BYTES): TestServer {
  const server = serverRig([[f.Setting.initialWindowSize, window]]);
  for (let id = 1; id < 2 * streams; id += 2) {
    server.feed(request(id));
    server.respond(id);
  }
  server.rig.told();
  return server;
}

/** Bytes of DATA per stream in these frames' text. */
function sentOn(frames: readonly string[], id: number): number {
  const sizes = frames.map((text) => text.match(/^DATA ([0-9]+) ([0-9]+)/) ?? []);
  return sizes.reduce((sum, [, on, size]) => sum + (Number(on) === id ? Number(size) : 0), 0);
}

test("a stream sends as much as its window allows, and the rest when it grows", () => {
  const server = answering(1, 10);
  server.send(1, 25, true);
  assert.equal(server.rig.told(), ["DATA 1 10"]);
  assert.is(server.stream(1).keptBytes, 15);
  server.feed(f.windowUpdate(1, 1));
  assert.equal(server.rig.told(), ["DATA 1 1"]);
  server.feed(f.windowUpdate(1, 100));
  assert.equal(server.rig.told(), ["DATA 1 14 end"]);
  assert.is(server.events.at(-1), "1 closed");
  server.rig.assertLawful();
});

test("all streams together send as much as the connection's window allows", () => {
  const server = answering(3, 100_000);
  server.send(1, 40_000);
  server.send(3, 40_000);
  server.send(5, 40_000);
  const frames = server.rig.told();
  assert.is(sentOn(frames, 1), 40_000);
  assert.is(sentOn(frames, 3), 25_535);
  assert.is(sentOn(frames, 5), 0);
  server.feed(f.windowUpdate(0, 1_000));
  assert.is(sentOn(server.rig.told(), 3), 1_000);
  server.feed(f.windowUpdate(0, 1_000_000));
  const rest = server.rig.told();
  assert.is(sentOn(rest, 3), 13_465);
  assert.is(sentOn(rest, 5), 40_000);
  server.rig.assertLawful();
});

test("no DATA frame is longer than 16,384 bytes, though the peer would take more", () => {
  const server = serverRig([
    [f.Setting.maxFrameSize, 1_000_000],
    [f.Setting.initialWindowSize, 60_000],
  ]);
  server.feed(request(1));
  server.respond(1);
  server.send(1, 40_000, true);
  assert.equal(server.rig.told().slice(1), ["DATA 1 16384", "DATA 1 16384", "DATA 1 7232 end"]);
});

test("an end without content needs no window", () => {
  const server = answering(1, 0);
  server.send(1, 0, true);
  assert.equal(server.rig.told(), ["DATA 1 0 end"]);
});

test("SETTINGS move the windows of open streams, below zero too", () => {
  const server = answering(1, 100);
  server.send(1, 90);
  server.send(1, 110);
  assert.equal(server.rig.told(), ["DATA 1 90", "DATA 1 10"]);
  server.feed(f.settings([[f.Setting.initialWindowSize, 20]]));
  assert.is(server.stream(1).sendWindow, -80);
  server.feed(f.windowUpdate(1, 80));
  assert.equal(server.rig.told(), ["SETTINGS ack"]);
  server.feed(f.windowUpdate(1, 1));
  assert.equal(server.rig.told(), ["DATA 1 1"]);
  server.feed(f.settings([[f.Setting.initialWindowSize, 1_000]]));
  assert.equal(server.rig.told(), ["SETTINGS ack", "DATA 1 99"]);
  server.rig.assertLawful();
});

test("a window above 2^31 - 1 ends the stream, or the connection", () => {
  const most = f.WINDOW_BYTES_MAX;
  const server = answering(2, 10);
  server.feed(f.windowUpdate(1, most - 10));
  assert.equal(server.rig.told(), []);
  server.feed(f.windowUpdate(1, 1));
  assert.equal(server.rig.told(), ["RST_STREAM 1 flowControlError"]);
  server.feed(f.windowUpdate(3, most - 20));
  server.feed(f.settings([[f.Setting.initialWindowSize, 31]]));
  assert.equal(server.rig.told(), ["GOAWAY 3 flowControlError"]);
  const other = answering(1);
  other.feed(f.windowUpdate(0, most - f.WINDOW_DEFAULT_BYTES));
  assert.equal(other.rig.told(), []);
  other.feed(f.windowUpdate(0, 1));
  assert.equal(other.rig.told(), ["GOAWAY 1 flowControlError"]);
});

test("an increment of 0 ends the stream, or the connection", () => {
  const server = answering(1);
  server.feed(f.windowUpdate(1, 0));
  assert.equal(server.rig.told(), ["RST_STREAM 1 protocolError"]);
  server.feed(f.windowUpdate(0, 0));
  assert.equal(server.rig.told(), ["GOAWAY 1 protocolError"]);
});

test("content beyond our window ends the stream, or the connection", () => {
  const server = serverRig();
  server.isConsuming = false;
  server.feed(request(1, false), f.repeated(f.data(1, PIECE), 3), f.data(1, Buffer.alloc(16_383)));
  assert.equal(server.rig.told(), []);
  server.feed(f.data(1, "x"));
  assert.equal(server.rig.told(), ["RST_STREAM 1 flowControlError"]);
});

test("content is given back when it is consumed, half a window at a time", () => {
  const server = serverRig();
  server.isConsuming = false;
  server.feed(request(1, false), f.data(1, PIECE), f.data(1, PIECE));
  server.consumed(server.stream(1), 16_384);
  assert.equal(server.rig.told(), []);
  server.consumed(server.stream(1), 16_384);
  assert.equal(server.rig.told(), ["WINDOW_UPDATE 1 +32768"]);
  server.feed(f.data(1, "", f.Flag.endStream));
  server.consumed(server.stream(1), 40_000);
  assert.equal(server.rig.told(), [], "not for a stream that the peer has ended");
});

test("padding is given back though nobody consumes it", () => {
  const server = serverRig();
  server.isConsuming = false;
  const padded = f.data(1, "twelve bytes", f.Flag.none, 255);
  server.feed(request(1, false), f.repeated(padded, 128));
  assert.equal(server.rig.told(), ["WINDOW_UPDATE 1 +32768"]);
  assert.is(server.stream(1).receiveWindow, STREAM_WINDOW_BYTES - 128 * 12);
  server.rig.assertLawful();
});

/** What the client may still send on the connection; the rest of a half is owed. */
function assertRestored(server: TestServer): void {
  const left = server.rig.state.sendWindow;
  assert.ok(left > CONNECTION_WINDOW_BYTES / 2, `${left} bytes are left`);
  assert.ok(left <= CONNECTION_WINDOW_BYTES, `${left} bytes are left`);
}

test("whatever becomes of streams, the connection's window comes back (H2-14)", () => {
  const server = serverRig();
  server.isConsuming = false;
  const random = seeded("connection window");
  let id = 1;
  for (let i = 0; i < 300; i++, id += 2) {
    server.feed(request(id, false));
    const padding = random.below(256);
    server.feed(f.repeated(f.data(id, random.bytes(random.between(5, 9_000)), 0, padding), 3));
    if (random.chance(0.5)) server.feed(f.rstStream(id, f.ErrorCode.cancel));
    else server.resetStream(server.stream(id), f.ErrorCode.cancel, false);
    server.feed(f.data(id, random.bytes(9_000), 0, padding));
    assert.not(server.isOver, `stream ${id}`);
    assertRestored(server);
  }
  server.isConsuming = true;
  server.feed(request(id, false));
  for (let sent = 0; sent < 20_000_000; sent += 1_638_400) {
    server.feed(f.repeated(f.data(id, PIECE), 100));
    assertRestored(server);
  }
  assert.not(server.isOver);
  assert.is(server.streamCount, 1);
});

test("streams that wait take turns, one frame each", () => {
  const server = answering(3, 100_000);
  server.send(1, 65_535);
  server.rig.told();
  for (const id of [1, 3, 5]) server.send(id, 34_000, true);
  assert.equal(server.rig.told(), []);
  server.feed(f.windowUpdate(0, 1_000_000));
  const turn = ["DATA 1 16384", "DATA 3 16384", "DATA 5 16384"];
  const last = ["DATA 1 1232 end", "DATA 3 1232 end", "DATA 5 1232 end"];
  assert.equal(server.rig.told(), [...turn, ...turn, ...last]);
});

test("a stream that its own window blocks does not hold up the others", () => {
  const server = answering(2, 10);
  server.send(1, 20);
  server.send(3, 20);
  server.rig.told();
  server.feed(f.windowUpdate(3, 10));
  assert.equal(server.rig.told(), ["DATA 3 10"]);
});

test("a stream that ended while it waited is passed over", () => {
  const server = answering(3, 100_000);
  server.send(1, 65_535);
  for (const id of [1, 3, 5]) server.send(id, 100, true);
  server.rig.told();
  server.feed(f.rstStream(3, f.ErrorCode.cancel), f.rstStream(1, f.ErrorCode.cancel));
  server.feed(f.windowUpdate(0, 1_000));
  assert.equal(server.rig.told(), ["DATA 5 100 end"]);
});

test("a stream that is over does not wait on behind one that is blocked", () => {
  const server = answering(4, 100_000);
  server.send(1, 65_535);
  for (const id of [1, 3, 5, 7]) server.send(id, 100, true);
  const streams = [1, 3, 5, 7].map((id) => server.stream(id));
  assert.equal(
    streams.map(({ isQueued }) => isQueued),
    [true, true, true, true],
  );
  for (const id of [7, 3]) server.feed(f.rstStream(id, f.ErrorCode.cancel));
  assert.equal(
    streams.map(({ isQueued, next }) => [isQueued, next?.id ?? 0]),
    [
      [true, 5],
      [false, 0],
      [true, 0],
      [false, 0],
    ],
  );
  server.rig.told();
  server.feed(f.windowUpdate(0, 1_024), request(9));
  server.respond(9);
  server.send(9, 10, true);
  assert.equal(
    server.rig.told().map((text) => text.replace(/ end$/, "")),
    ["DATA 1 100", "DATA 5 100", "HEADERS 9", "DATA 9 10"],
  );
});

test("nothing is sent while the socket has too much, and all of it afterwards", () => {
  const server = answering(1, 1_000_000);
  server.feed(f.windowUpdate(0, 1_000_000));
  server.rig.output.isTaken = false;
  server.send(1, 100_000, true);
  const before = server.rig.told();
  assert.ok(sentOn(before, 1) < 82_000);
  server.feed(f.windowUpdate(1, 1_024));
  assert.equal(server.rig.told(), [], "a window's growth does not help");
  server.rig.output.isTaken = true;
  server.rig.output.flush();
  server.sender.pump();
  assert.is(sentOn([...before, ...server.rig.told()], 1), 100_000);
  server.rig.assertLawful();
});

test("HEADERS need no window", () => {
  const server = answering(1, 0);
  server.feed(request(3), f.headers(5, request(5).subarray(9), HAS_HEADERS));
  server.respond(3);
  server.respond(5, "HTTP/1.1 204 No Content\r\n\r\n", true);
  assert.equal(server.rig.told(), ["HEADERS 3", "HEADERS 5 end"]);
});

test.run();
