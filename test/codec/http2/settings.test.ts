// The peer's SETTINGS, RFC 9113 §6.5.2: defaults, bounds, and what is not for it to say.
import * as assert from "uvu/assert";
import { ErrorCode } from "../../../src/codec/http2/error-code.ts";
import { PeerSettings, Setting, writeSetting } from "../../../src/codec/http2/settings.ts";
import * as f from "../../support/http2-frames.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http2/settings");

/** Reads entries that have other bytes around them; returns the ErrorCode. */
function read(peer: PeerSettings, entries: f.Settings): number {
  const payload = f.settings(entries).subarray(f.HEAD_BYTES);
  const bytes = Buffer.concat([Buffer.alloc(5, 0xff), payload, Buffer.alloc(6, 0xff)]);
  return peer.read(bytes, 5, 5 + payload.length);
}

test("the defaults are the RFC's", () => {
  const peer = new PeerSettings(true);
  assert.is(peer.headerTableBytes, 4_096);
  assert.is(peer.initialWindowBytes, 65_535);
  assert.is(peer.maxConcurrentStreams, 100);
});

test("values are taken in their order, unknown ones left alone", () => {
  const peer = new PeerSettings(false);
  const code = read(peer, [
    [Setting.headerTableSize, 2 ** 32 - 1],
    [Setting.maxConcurrentStreams, 0],
    [Setting.initialWindowSize, 7],
    [Setting.maxHeaderListSize, 1],
    [0xffff, 5],
    [0, 5],
    [Setting.initialWindowSize, 2 ** 31 - 1],
  ]);
  assert.is(code, ErrorCode.noError);
  assert.is(peer.headerTableBytes, 2 ** 32 - 1);
  assert.is(peer.maxConcurrentStreams, 0);
  assert.is(peer.initialWindowBytes, 2 ** 31 - 1);
});

test("values out of bounds are errors, each of its kind", () => {
  const { protocolError, flowControlError, noError } = ErrorCode;
  const rows: readonly (readonly [setting: number, value: number, code: number])[] = [
    [Setting.enablePush, 0, noError],
    [Setting.enablePush, 1, noError],
    [Setting.enablePush, 2, protocolError],
    [Setting.initialWindowSize, 0, noError],
    [Setting.initialWindowSize, 2 ** 31, flowControlError],
    [Setting.initialWindowSize, 2 ** 32 - 1, flowControlError],
    [Setting.maxFrameSize, 16_383, protocolError],
    [Setting.maxFrameSize, 16_384, noError],
    [Setting.maxFrameSize, 2 ** 24 - 1, noError],
    [Setting.maxFrameSize, 2 ** 24, protocolError],
    [Setting.maxFrameSize, 0, protocolError],
  ];
  for (const [setting, value, code] of rows) {
    const peer = new PeerSettings(false);
    assert.is(
      read(peer, [
        [9, 9],
        [setting, value],
        [9, 9],
      ]),
      code,
      `${setting}: ${value}`,
    );
  }
  assert.is(read(new PeerSettings(true), [[Setting.enablePush, 1]]), protocolError);
});

test("what we write is what is read", () => {
  const bytes = new Uint8Array(16).fill(0xa5);
  assert.is(writeSetting(bytes, 3, Setting.initialWindowSize, 2 ** 31 - 1), 9);
  assert.equal([...bytes.subarray(2, 10)], [0xa5, 0, 4, 0x7f, 0xff, 0xff, 0xff, 0xa5]);
});

test.run();
