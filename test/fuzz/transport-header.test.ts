// timeout: 180s
// Transport headers, sound and damaged; see test/support/fuzz.ts to run longer.
import * as assert from "uvu/assert";
import {
  decodeTransportHeader,
  encodeTransportHeader,
  TRANSPORT_HEADER_BYTES_MAX,
  type TransportHeader,
} from "../../src/codec/transport-header.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { mutatedBytes } from "./mutate.ts";

const test = suite("fuzz/transport-header");
test.timeout(FUZZ_TIMEOUT_MS);

/** Preface and length. */
const HEAD_BYTES = 27;

function anyHeader(random: Random): TransportHeader {
  const label = (): string => "abcdefgh-xyz".slice(0, random.pick([1, 5, 8, 10, 12]));
  const labels = Array.from({ length: random.below(6) }, label);
  return {
    port: random.chance(0.5) ? random.between(1, 300) : random.between(1, 65_535),
    name: labels.join("."),
    protocol: random.pick(["http1", "http2", null]),
  };
}

function encode(header: TransportHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TRANSPORT_HEADER_BYTES_MAX);
  return bytes.slice(0, encodeTransportHeader(header, bytes, 0));
}

test("what is written is read, wherever it lies and whatever follows", () => {
  fuzz("sound headers", (random) => {
    const header = anyHeader(random);
    const bytes = encode(header);
    const before = random.below(40);
    const all = Uint8Array.from([...random.bytes(before), ...bytes, ...random.bytes(40)]);
    const end = before + bytes.length;
    const cut = before + random.below(bytes.length);
    assert.is(decodeTransportHeader(all, before, cut), "incomplete");
    const reach = random.between(end, all.length);
    assert.equal(decodeTransportHeader(all, before, reach), { ...header, end });
  });
});

test("damaged messages never throw, and what is read is a header", () => {
  fuzz("damaged headers", (random) => {
    const sound = encode(anyHeader(random));
    const message = random.chance(0.2)
      ? random.bytes(random.below(60))
      : mutatedBytes(random, sound.subarray(HEAD_BYTES));
    const bytes = Uint8Array.from([...sound.subarray(0, HEAD_BYTES), ...message]);
    bytes[HEAD_BYTES - 2] = message.length >> 8;
    bytes[HEAD_BYTES - 1] = message.length & 0xff;
    const result = decodeTransportHeader(bytes, 0, bytes.length);
    assert.is.not(result, "incomplete");
    if (typeof result === "string" || "error" in result) return;
    const { end, ...header } = result;
    assert.is(end, bytes.length);
    const again = encode(header);
    assert.equal(decodeTransportHeader(again, 0, again.length), { ...header, end: again.length });
  });
});

test("damage anywhere makes at most another header, a part, or an error", () => {
  fuzz("damaged connections", (random) => {
    const bytes = mutatedBytes(random, encode(anyHeader(random)));
    let settled: unknown = null;
    for (let length = 0; length <= bytes.length; length += 1) {
      const result = decodeTransportHeader(bytes, 0, length);
      // Once it is more than incomplete, further bytes change nothing.
      if (settled !== null) assert.equal(result, settled);
      else if (result !== "incomplete") settled = result;
    }
  });
});

test.run();
