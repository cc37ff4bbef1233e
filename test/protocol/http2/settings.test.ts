// SETTINGS and PING of a connection, RFC 9113 §6.5 and §6.7: taken, acknowledged, bounded.
import * as assert from "uvu/assert";
import {
  CONTROL_FRAMES_QUEUED_MAX,
  SETTINGS_TIMEOUT_MS,
} from "../../../src/protocol/http2/limits.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import * as f from "../../support/http2-frames.ts";
import { suite } from "../../support/test.ts";
import { clientRig } from "./client-rig.ts";
import { memoryOf } from "./memory.ts";
import { Rig } from "./rig.ts";
import { request, serverRig, TestServer } from "./server-rig.ts";

const test = suite("protocol/http2/settings");

const HELLO = "SETTINGS 000300000064000600010000";

test("a server says SETTINGS and a larger window before it has heard anything", () => {
  const server = new TestServer(new Rig(true), memoryOf());
  server.start();
  assert.equal(server.rig.told(), [HELLO, "WINDOW_UPDATE 0 +983041"]);
});

test("each SETTINGS is acknowledged once, an ACK is not", () => {
  const server = serverRig();
  server.feed(f.settings(), f.settings([[0xface, 7]]), f.SETTINGS_ACK);
  assert.equal(server.rig.told(), ["SETTINGS ack", "SETTINGS ack"]);
});

test("wrong SETTINGS end the connection", () => {
  const most = 2 ** 32 - 1;
  const rows: readonly (readonly [bytes: Buffer, code: string])[] = [
    [f.settings([[f.Setting.enablePush, 2]]), "protocolError"],
    [f.settings([[f.Setting.initialWindowSize, 2 ** 31]]), "flowControlError"],
    [f.settings([[f.Setting.initialWindowSize, most]]), "flowControlError"],
    [f.settings([[f.Setting.maxFrameSize, 16_383]]), "protocolError"],
    [f.settings([[f.Setting.maxFrameSize, 2 ** 24]]), "protocolError"],
    [f.frame(f.FrameType.settings, 0, 0, Buffer.alloc(5)), "frameSizeError"],
    [f.frame(f.FrameType.settings, f.Flag.ack, 0, Buffer.alloc(6)), "frameSizeError"],
    [f.settings(Array.from({ length: 33 }, () => [9, 1] as const)), "enhanceYourCalm"],
  ];
  for (const [bytes, code] of rows) {
    const server = serverRig();
    server.feed(bytes);
    assert.equal(server.rig.told(), [`GOAWAY 0 ${code}`], bytes.toString("hex"));
  }
});

test("the bounds of SETTINGS are within them", () => {
  const server = serverRig();
  const bounds: f.Settings = [
    [f.Setting.enablePush, 1],
    [f.Setting.initialWindowSize, 2 ** 31 - 1],
    [f.Setting.maxFrameSize, 16_384],
    [f.Setting.maxFrameSize, 2 ** 24 - 1],
    [f.Setting.maxConcurrentStreams, 2 ** 32 - 1],
    [f.Setting.headerTableSize, 2 ** 32 - 1],
  ];
  server.feed(f.settings(bounds), f.settings(Array.from({ length: 32 }, () => [9, 1] as const)));
  assert.equal(server.rig.told(), ["SETTINGS ack", "SETTINGS ack"]);
});

test("the first frame must be SETTINGS", () => {
  const wrong = [f.ping(), request(1), f.windowUpdate(0, 5_000), f.unknown(0), f.SETTINGS_ACK];
  for (const first of wrong) {
    const server = new TestServer(new Rig(true), memoryOf());
    server.start();
    server.feed(f.PREFACE, first);
    assert.is(server.rig.told().at(-1), "GOAWAY 0 protocolError");
    assert.ok(server.isOver);
  }
});

test("a wrong preface is an error at its first wrong byte", () => {
  for (let at = 0; at < f.PREFACE.length; at++) {
    const wrong = Buffer.from(f.PREFACE);
    wrong[at] = (wrong[at] ?? 0) ^ 0x20;
    const server = new TestServer(new Rig(true), memoryOf());
    server.feed(wrong.subarray(0, at));
    assert.not(server.isOver);
    server.feed(wrong.subarray(at, at + 1));
    assert.ok(server.isOver, `byte ${at}`);
  }
});

test("a peer that never acknowledges our SETTINGS is left after ten seconds", () => {
  const server = new TestServer(new Rig(true), memoryOf());
  server.start();
  server.feed(f.PREFACE, f.settings());
  server.nowMs += SETTINGS_TIMEOUT_MS;
  server.sweep();
  assert.not(server.isOver);
  server.nowMs += 1;
  server.sweep();
  assert.is(server.rig.told().at(-1), "GOAWAY 0 settingsTimeout");
  const acknowledged = serverRig();
  acknowledged.nowMs += SETTINGS_TIMEOUT_MS + 1;
  acknowledged.sweep();
  assert.not(acknowledged.isOver);
});

test("a PING comes back with its eight bytes, an ACK does not", () => {
  const server = serverRig();
  server.feed(f.ping("12345678"), f.ping("abcdefgh", f.Flag.ack));
  assert.equal(server.rig.told(), ["PING 12345678 ack"]);
  server.feed(f.frame(f.FrameType.ping, 0, 0, Buffer.alloc(7)));
  assert.equal(server.rig.told(), ["GOAWAY 0 frameSizeError"]);
});

test("what the peer does not read is bounded (CVE-2019-9512, CVE-2019-9515)", () => {
  for (const flood of [f.ping(), f.settings()]) {
    const server = serverRig();
    server.rig.output.isTaken = false;
    for (let sent = 0; !server.isOver; sent++) {
      assert.ok(sent <= CONTROL_FRAMES_QUEUED_MAX, "it goes on");
      // Time in which the budget refills: it is not what ends this.
      server.nowMs += 1_000;
      server.feed(flood);
    }
    const frames = server.rig.told();
    assert.ok(frames.length > CONTROL_FRAMES_QUEUED_MAX - 5, `${frames.length} frames`);
    assert.is(frames.at(-1), "GOAWAY 0 enhanceYourCalm");
    assert.equal(server.faults, ["flood"]);
  }
});

test("a peer that reads may send PING for as long as it likes, if it takes its time", () => {
  const server = serverRig();
  for (let i = 0; i < 3 * CONTROL_FRAMES_QUEUED_MAX; i++) {
    server.nowMs += 100;
    server.feed(f.ping());
  }
  assert.not(server.isOver);
  assert.is(server.rig.told().length, 3 * CONTROL_FRAMES_QUEUED_MAX);
});

test("answers count while they wait, not while content does", () => {
  const most = f.WINDOW_BYTES_MAX;
  const server = serverRig([[f.Setting.initialWindowSize, most]]);
  server.feed(f.windowUpdate(0, most - f.WINDOW_DEFAULT_BYTES), request(1, false));
  server.respond(1);
  server.rig.output.isTaken = false;
  for (let i = 0; i < 2 * CONTROL_FRAMES_QUEUED_MAX; i++) {
    server.nowMs += 1_000;
    server.send(1, 10);
    server.feed(f.ping());
    // The socket takes everything that waits, and content comes in its place.
    server.rig.output.queuedBytes = 0;
    server.sender.pump();
  }
  assert.not(server.isOver);
});

test("a server may not allow push; a client may", () => {
  const allowed = f.settings([[f.Setting.enablePush, 1]]);
  const client = clientRig();
  client.feed(allowed);
  assert.equal(client.rig.told(), ["GOAWAY 0 protocolError"]);
  const server = serverRig();
  server.feed(allowed);
  assert.equal(server.rig.told(), ["SETTINGS ack"]);
});

test("our header table is as small as the peer wants it, from the next block on", () => {
  const client = clientRig();
  const reader = new HpackReader();
  client.ask();
  client.feed(f.settings([[f.Setting.headerTableSize, 0]]));
  client.ask();
  const blocks = client.rig.frames.filter(({ type }) => type === f.FrameType.headers);
  const fields = blocks.map(({ payload }) => {
    const decoded = reader.decode(payload);
    reader.limit(0);
    return decoded.map(({ name, value }) => `${name}: ${value}`);
  });
  assert.is(fields.length, 2);
  assert.equal(fields[0], fields[1]);
  assert.is(reader.entries.length, 0);
});

test("a client says its preface, that it wants no pushes, and its window", () => {
  const client = clientRig();
  const [settings] = client.rig.frames;
  assert.equal(
    settings?.payload,
    f
      .settings([
        [f.Setting.enablePush, 0],
        [f.Setting.maxHeaderListSize, 65_536],
      ])
      .subarray(9),
  );
  client.rig.assertLawful();
});

test.run();
