// timeout: 180s
// exclusive
/**
 * Field blocks that are endless, that grow by decoding (CVE-2016-6581, CVE-2024-27316,
 * CVE-2026-49975), or that no HPACK decoder may accept. The limits: 8 CONTINUATION frames and 64 KiB
 * for a block, 100 fields and 64 KiB for what it decodes to.
 */
import * as assert from "uvu/assert";
import { eventually, patient } from "../support/eventually.ts";
import { bytesOfBits, EOS_CODE, huffmanEncode } from "../support/hpack-huffman.ts";
import { assertCalmed, withstands } from "../support/http2-attack.ts";
import {
  DYNAMIC_INDEX,
  encodeFields,
  type Field,
  indexed,
  integer,
  literal,
  requestFields,
  tableSize,
  text,
} from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { type Rig, startRig } from "../support/http2-rig.ts";
import { nameOf } from "../support/http2-state.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-abuse-headers");
test.timeout(30_000);

let rig: Rig;

test.before(async () => {
  rig = await startRig();
});
test.after(async () => {
  await rig.stop();
});

const HEAD = encodeFields(requestFields("/bad"));
const NOTHING = Buffer.alloc(0);
const OPEN = f.Flag.endStream;

/** Sends bytes on a new connection, as fast as they go; they must end it. */
async function calms(what: string, bytes: Uint8Array): Promise<void> {
  await withstands(rig, async () => {
    const peer = await Http2Peer.connect(rig.port);
    await peer.link.flood(bytes);
    await assertCalmed(peer, what);
    return peer.link.writtenBytes;
  });
}

test("a block without an end closes the connection", async () => {
  // H2-03
  const first = f.headers(1, HEAD, OPEN);
  const more = (part: Uint8Array, count: number): Buffer =>
    Buffer.concat([first, f.repeated(f.continuation(1, part, f.Flag.none), count)]);
  await calms("empty CONTINUATION frames", more(NOTHING, 90_000));
  await calms("CONTINUATION frames of 1 byte", more(Buffer.of(0x82), 90_000));
  await calms("endless fields", more(f.repeated(literal("x-a", "b"), 2_000), 60));
  await calms(
    "empty CONTINUATION frames behind an empty HEADERS",
    Buffer.concat([
      f.headers(1, NOTHING, OPEN),
      f.repeated(f.continuation(1, NOTHING, f.Flag.none), 90_000),
    ]),
  );
});

test("a block of eight CONTINUATION frames is served, one of more bytes is not", async () => {
  // H2-03
  const peer = await Http2Peer.connect(rig.port);
  const block = encodeFields(requestFields("/split"));
  const size = Math.ceil(block.length / 9);
  const part = (i: number): Buffer => block.subarray(i * size, (i + 1) * size);
  const frames = Array.from({ length: 8 }, (_, i) =>
    f.continuation(1, part(i + 1), i === 7 ? f.Flag.endHeaders : f.Flag.none),
  );
  peer.link.write(Buffer.concat([f.headers(peer.nextId(), part(0), OPEN), ...frames]));
  assert.is((await peer.over(1)).outcome, "200 ended", peer.describe());
  peer.close();
  const large = encodeFields(requestFields("/bad", [["x-a", "b".repeat(70_000)]]));
  const other = await Http2Peer.connect(rig.port);
  other.link.block(other.nextId(), large, "end");
  await assertCalmed(other, "a block of 70,000 bytes");
});

test("other frames between those of a block are a connection error", async () => {
  // H2-03
  const between: Readonly<Record<string, Uint8Array>> = {
    DATA: f.data(1, "a"),
    "HEADERS of another stream": f.headers(3, HEAD),
    PING: f.ping(),
    SETTINGS: f.settings(),
    "CONTINUATION of another stream": f.continuation(3, NOTHING),
    "a frame of an unknown type": f.unknown(1),
  };
  for (const [what, bytes] of Object.entries(between)) {
    const peer = await Http2Peer.connect(rig.port);
    peer.link.write(Buffer.concat([f.headers(1, HEAD, OPEN), bytes]));
    assert.is(nameOf(await peer.closed()), "protocolError", `${what}: ${peer.describe()}`);
  }
});

test("a large entry that is referred to over and over is counted at its size", async () => {
  // H2-04: 4 KB in the table, 4,000 references, 16 MB if they were kept.
  await withstands(rig, async () => {
    const peer = await Http2Peer.connect(rig.port);
    const head = encodeFields(requestFields("/fill"));
    const fill = Buffer.concat([head, literal("x", "a".repeat(4_000), "indexed")]);
    const bomb = Buffer.concat([HEAD, f.repeated(indexed(DYNAMIC_INDEX), 4_000)]);
    peer.link.block(peer.nextId(), fill, "end");
    for (let i = 0; i < 100; i++) peer.link.block(peer.nextId(), bomb, "end");
    await refusedOrClosed(peer, 3, 201);
    return peer.link.writtenBytes;
  });
});

test("a small entry that is referred to over and over is counted by fields", async () => {
  // H2-05: one byte on the wire for each field, and windows that let no answer out.
  for (const name of ["x", "cookie"]) {
    await withstands(rig, async () => {
      const settings: f.Settings = [[f.Setting.initialWindowSize, 0]];
      const peers = await Promise.all(
        [0, 1, 2].map(() => Http2Peer.connect(rig.port, { settings })),
      );
      const fill = encodeFields(requestFields("/fill", [[name, "", "indexed"]]));
      const bomb = Buffer.concat([HEAD, f.repeated(indexed(DYNAMIC_INDEX), 16_000)]);
      let sent = 0;
      for (const peer of peers) {
        peer.link.block(peer.nextId(), fill, "end");
        await eventually(() => peer.link.stream(1).status === 200);
        for (let i = 0; i < 99; i++) peer.link.block(peer.nextId(), bomb, "end");
        await refusedOrClosed(peer, 3, 199);
        sent += peer.link.writtenBytes;
        peer.close();
      }
      assert.not.ok(rig.web.requests.some(({ target }) => target === "/bad"));
      return sent;
    });
  }
});

/** Every stream is refused and the connection is in step, or it is closed for good. */
async function refusedOrClosed(peer: Http2Peer, from: number, last: number): Promise<void> {
  for (let id = from; id <= last; id += 2) {
    const stream = await peer.over(id);
    if (peer.link.end !== null) {
      assert.ok(peer.goAway !== null, peer.describe());
      return;
    }
    assert.match(stream.outcome, /^(?:431 ended|reset 11|reset 1)$/, `stream ${id}`);
  }
  const good = peer.link.stream(peer.get("/good"));
  // Its head is enough: there may be no window for its body.
  await eventually(() => good.status === 200, { what: peer.describe() });
  assert.equal(peer.link.violations, []);
}

test("many tiny fields are refused in linear time", async () => {
  // H2-06
  await withstands(rig, async () => {
    const peer = await Http2Peer.connect(rig.port);
    const tiny = Array.from({ length: 6_000 }, (_, i): Field => [`x-${i}`, ""]);
    const startMs = performance.now();
    for (let i = 0; i < 10; i++) peer.request(requestFields("/bad", tiny));
    await refusedOrClosed(peer, 1, 19);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < patient(2_000), `${tookMs} ms`);
    return peer.link.writtenBytes;
  });
});

test("fields without a name are a stream error each, and count", async () => {
  // H2-07
  const block = Buffer.concat([HEAD, f.repeated(literal("", ""), 50)]);
  const peer = await Http2Peer.connect(rig.port);
  const parts = Array.from({ length: 2_000 }, () =>
    f.headers(peer.nextId(), block, OPEN | f.Flag.endHeaders),
  );
  await withstands(rig, async () => {
    await peer.link.flood(Buffer.concat(parts));
    await assertCalmed(peer);
    return peer.link.writtenBytes;
  });
});

/** RFC 7541: what is an error of decoding, by its bytes. */
const UNDECODABLE: Readonly<Record<string, Uint8Array>> = {
  "index 0": Buffer.of(0x80),
  "an index behind the static table": indexed(DYNAMIC_INDEX),
  "an index of 2^31": integer(2 ** 31, 7, 0x80),
  "an index of 2^35": integer(2 ** 35, 7, 0x80),
  "an index of more than 2^53": Buffer.from("ffffffffffffffffffff01", "hex"),
  "an integer of zeros without an end": Buffer.from("ff80808080808080808080808000", "hex"),
  "a name behind the static table": Buffer.concat([integer(70, 6, 0x40), text("a")]),
  "a table of more than 4,096 bytes": tableSize(4_097),
  "a table of 2^32 bytes": tableSize(2 ** 32),
  "a name that does not end": Buffer.of(0x00, 0x05, 0x61),
  "a value that does not end": Buffer.concat([Buffer.of(0x00), text("a"), Buffer.of(0x05, 0x61)]),
  "a value that is missing": Buffer.concat([Buffer.of(0x00), text("a")]),
  "a length of 2^31": Buffer.concat([Buffer.of(0x00), text("a"), integer(2 ** 31, 7, 0)]),
  "EOS in a string": huffmanString(bytesOfBits(`00011${EOS_CODE}`)),
  "padding of eight bits": huffmanString(Buffer.concat([huffmanEncode("a"), Buffer.of(0xff)])),
  "padding of zeros": huffmanString(Buffer.of(0b00011_000)),
};

function huffmanString(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x00), text("x-a"), integer(bytes.length, 7, 0x80), bytes]);
}

test("what HPACK cannot decode ends the connection", async () => {
  // H2-18
  const isBehind = (what: string): boolean => !what.startsWith("a table");
  for (const [what, bytes] of Object.entries(UNDECODABLE)) {
    const peer = await Http2Peer.connect(rig.port);
    const block = isBehind(what) ? [HEAD, bytes] : [bytes, HEAD];
    peer.link.block(peer.nextId(), Buffer.concat(block), "end");
    assert.is(nameOf(await peer.closed()), "compressionError", `${what}: ${peer.describe()}`);
  }
  const peer = await Http2Peer.connect(rig.port);
  peer.link.block(peer.nextId(), Buffer.concat([HEAD, tableSize(100)]), "end");
  assert.is(nameOf(await peer.closed()), "compressionError", "a size update behind a field");
});

test("size updates before a block are followed", async () => {
  // H2-18
  const peer = await Http2Peer.connect(rig.port);
  const get = encodeFields(requestFields("/good"));
  const fill = Buffer.concat([get, literal("x-a", "b", "indexed")]);
  peer.link.block(peer.nextId(), fill, "end");
  peer.link.block(peer.nextId(), Buffer.concat([get, indexed(DYNAMIC_INDEX)]), "end");
  peer.link.block(peer.nextId(), Buffer.concat([tableSize(0), tableSize(4_096), fill]), "end");
  for (const id of [1, 3, 5]) assert.is((await peer.over(id)).outcome, "200 ended");
  const again = Buffer.concat([tableSize(0), get, indexed(DYNAMIC_INDEX)]);
  peer.link.block(peer.nextId(), again, "end");
  assert.is(nameOf(await peer.closed()), "compressionError", "an entry that was evicted");
});

test.run();
