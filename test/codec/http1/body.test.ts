import * as assert from "uvu/assert";
import { BodyRelay } from "../../../src/codec/http1/body.ts";
import { BodyKind } from "../../../src/codec/http1/framing.ts";
import { CHUNKED } from "../../support/chunks-http1.ts";
import { seeded } from "../../support/random.ts";
import { bytewise, latin1, type Relayed, relayBody, textOf } from "../../support/read-http1.ts";
import { forEachPrefix, forEachSplit } from "../../support/splits.ts";
import { strictChunked } from "../../support/strict-http1.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http1/body");
const { none, length, chunked, untilClose } = BodyKind;

const CUT_BYTES_MAX = 1_200;

/** Calls `fn` with the pieces of the whole, of each 2-split, and of single bytes. */
function forEachCut(text: string, fn: (...pieces: Uint8Array[]) => void): void {
  const bytes = latin1(text);
  fn(bytes);
  fn(...bytewise(bytes));
  if (bytes.length <= CUT_BYTES_MAX) forEachSplit(bytes, fn);
}

test("length to length passes so many bytes and no more", () => {
  forEachCut("hello world", (...pieces) => {
    const result = relayBody(length, length, 5, ...pieces);
    assert.is(result.output, "hello");
    assert.ok(result.isDone && result.isWhole);
    assert.is(result.rest, " world");
    assert.is(result.ending, "");
  });
});

test("length to length that is cut short is not whole", () => {
  forEachPrefix(latin1("hello"), (prefix, count) => {
    const result = relayBody(length, length, 5, prefix);
    assert.is(result.output, "hello".slice(0, count));
    assert.not(result.isDone || result.isWhole);
    assert.is(result.ending, "");
  });
});

test("a length of 0 and no body at all are done before a byte", () => {
  for (const [kind, bytes] of [
    [length, 0],
    [none, -1],
    [none, 5],
  ] as const) {
    const result = relayBody(kind, kind, bytes, latin1("GET"));
    assert.is(result.output, "");
    assert.ok(result.isDone && result.isWhole);
    assert.is(result.rest, "GET");
  }
});

test("bytes with a length stay where they are", () => {
  const relay = new BodyRelay();
  relay.start(length, length, 1_000_000_000_000);
  const bytes = latin1("..hello..");
  assert.ok(relay.relay(bytes, 2, 7, 100));
  assert.equal([relay.outStart, relay.outEnd, relay.consumed], [2, 7, 7]);
  assert.is(relay.remaining, 999_999_999_995);
  assert.is(textOf(bytes), "..hello..");
});

test("chunked to chunked is coded anew, with the trailers that may pass", () => {
  for (const row of CHUNKED) {
    if (row.error !== null) continue;
    forEachCut(row.input, (...pieces) => {
      const result = relayBody(chunked, chunked, -1, ...pieces);
      assert.ok(result.isDone && result.isWhole && !result.isBroken, row.name);
      assert.equal(
        strictChunked(result.output),
        { data: row.data, trailers: row.passed },
        row.name,
      );
      assert.is(result.rest, row.rest);
      assert.is(result.ending, "");
    });
  }
});

test("chunked to chunked makes one chunk of what comes at once", () => {
  const { output } = relayBody(chunked, chunked, -1, latin1("1\r\na\r\n00;x\r\n\r\n"));
  assert.is(output, "1\r\na\r\n0\r\n\r\n");
  const pieces = ["3\r\nab", "c\r\n1\r", "\nd\r\n0\r\n", "\r\n"].map(latin1);
  assert.is(
    relayBody(chunked, chunked, -1, ...pieces).output,
    "2\r\nab\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n",
  );
});

test("chunked to the connection's end is the data alone", () => {
  for (const row of CHUNKED) {
    if (row.error !== null) continue;
    forEachCut(row.input, (...pieces) => {
      const result = relayBody(chunked, untilClose, -1, ...pieces);
      assert.is(result.output, row.data, row.name);
      assert.ok(result.isDone && result.isWhole);
      assert.is(result.rest, row.rest);
      assert.is(result.ending, "");
    });
  }
});

test("broken chunks are refused, and never end the body", () => {
  for (const row of CHUNKED) {
    if (row.error === null) continue;
    for (const to of [chunked, untilClose]) {
      forEachCut(row.input.slice(0, 20_000), (...pieces) => {
        const result = relayBody(chunked, to, -1, ...pieces);
        assert.ok(result.isBroken, row.name);
        assert.not(/(?:^|\r\n)0\r\n(?:.*\r\n)*\r\n$/.test(result.output), row.name);
      });
    }
  }
});

test("chunked that is cut short is not whole, and is not ended", () => {
  for (const row of CHUNKED) {
    if (row.error !== null || row.input.length > CUT_BYTES_MAX) continue;
    forEachPrefix(latin1(row.input.slice(0, row.input.length - row.rest.length)), (prefix) => {
      const result = relayBody(chunked, chunked, -1, prefix);
      assert.not(result.isDone || result.isWhole || result.isBroken, row.name);
      assert.is(result.ending, "");
      // What went on is whole chunks: with an end it would be the data so far.
      assert.ok(row.data.startsWith(strictChunked(`${result.output}0\r\n\r\n`).data), row.name);
    });
  }
});

test("the connection's end to chunked has a last chunk when it ends", () => {
  forEachCut("hello\r\nworld", (...pieces) => {
    const { output, isDone, isWhole, ending, rest } = relayBody(untilClose, chunked, -1, ...pieces);
    assert.not(isDone);
    assert.ok(isWhole);
    assert.is(rest, "");
    assert.is(ending, "0\r\n\r\n");
    assert.equal(strictChunked(output + ending), { data: "hello\r\nworld", trailers: [] });
  });
  assert.is(relayBody(untilClose, chunked, -1).ending, "0\r\n\r\n");
});

test("the connection's end to the same passes all bytes", () => {
  forEachCut("hello", (...pieces) => {
    const result: Relayed = relayBody(untilClose, untilClose, -1, ...pieces);
    assert.is(result.output, "hello");
    assert.ok(!result.isDone && result.isWhole);
    assert.is(result.ending, "");
  });
});

test("a relay serves one body after another", () => {
  const relay = new BodyRelay();
  const bytes = new Uint8Array(1_000);
  for (const text of [
    "1\r\na\r\n0\r\n\r\n",
    "2\r\nab",
    "zz",
    "0\r\nx: y\r\n\r\n",
    "0\r\nx:",
    "3\r\nabc\r\n0\r\n\r\n",
  ]) {
    relay.start(chunked, chunked, -1);
    bytes.set(latin1(text));
    relay.relay(bytes, 0, text.length, 500);
    relay.start(length, length, 2);
    assert.ok(relay.relay(bytes, 0, 4, 500));
    assert.ok(relay.isDone && relay.consumed === 2);
  }
  relay.start(chunked, chunked, -1);
  bytes.set(latin1("0\r\n\r\n"));
  assert.ok(relay.relay(bytes, 0, 5, 500) && relay.isDone);
  assert.is(textOf(bytes, relay.outStart, relay.outEnd), "0\r\n\r\n");
});

test("any data in any chunks and any pieces comes out as it went in", () => {
  const random = seeded("codec/http1/body");
  for (let round = 0; round < 300; round++) {
    let data = "";
    let input = "";
    for (let chunks = random.below(6); chunks > 0; chunks--) {
      const part = textOf(random.bytes(random.between(1, 400)));
      const zeros = "0".repeat(random.below(4));
      const extension = random.chance(0.3) ? `;${"e".repeat(random.below(40))}` : "";
      data += part;
      input += `${zeros}${part.length.toString(16)}${extension}\r\n${part}\r\n`;
    }
    const trailers = Array.from({ length: random.below(3) }, (_, i) => `x${i}: ${"y".repeat(i)}`);
    input += `0\r\n${trailers.map((line) => `${line.replace(" ", "")}\r\n`).join("")}\r\n`;
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < input.length; ) {
      const next = at + random.between(1, random.chance(0.5) ? 4 : 300);
      pieces.push(latin1(input.slice(at, next)));
      at = next;
    }
    const result = relayBody(chunked, chunked, -1, ...pieces);
    assert.equal(strictChunked(result.output), { data, trailers });
    assert.is(relayBody(chunked, untilClose, -1, ...pieces).output, data);
    const framed = relayBody(untilClose, chunked, -1, ...pieces);
    assert.is(strictChunked(framed.output + framed.ending).data, input);
  }
});

test.run();
