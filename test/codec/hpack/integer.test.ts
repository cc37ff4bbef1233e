import * as assert from "uvu/assert";
import {
  INTEGER_MAX,
  IntegerReader,
  Prefix,
  writeInteger,
} from "../../../src/codec/hpack/integer.ts";
import { seeded } from "../../support/random.ts";
import { forEachPrefix } from "../../support/splits.ts";
import { suite } from "../../support/test.ts";
import { hex } from "./harness.ts";

const test = suite("codec/hpack/integer");

const BYTES_MAX = 6;
/** A prefix of a whole byte, which HPACK itself has not, is in the RFC's examples. */
const WHOLE_BYTE = 0xff;
const PREFIXES = [...Object.values(Prefix), WHOLE_BYTE];

/** The value and how many bytes it took, or null. */
function read(bytes: Uint8Array, prefix: number): [value: number, bytes: number] | null {
  const reader = new IntegerReader();
  const end = reader.read(bytes, 0, bytes.length, prefix);
  return end === -1 ? null : [reader.value, end];
}

function written(value: number, prefix: number, head = 0): Uint8Array {
  const out = new Uint8Array(BYTES_MAX);
  return out.slice(0, writeInteger(out, 0, head, prefix, value));
}

test("C.1: 10 and 1337 in five bits, 42 in a byte", () => {
  const table: [number, number, string][] = [
    [10, Prefix.bits5, "0a"],
    [1_337, Prefix.bits5, "1f9a0a"],
    [42, WHOLE_BYTE, "2a"],
  ];
  for (const [value, prefix, digits] of table) {
    assert.equal(written(value, prefix), hex(digits));
    assert.equal(read(hex(digits), prefix), [value, digits.length / 2]);
  }
});

test("bits before the prefix are written and not read", () => {
  assert.equal(written(2, Prefix.bits7, 0x80), hex("82"));
  assert.equal(written(31, Prefix.bits5, 0x20), hex("3f00"));
  assert.equal(read(hex("ff9a0a"), Prefix.bits5), [1_337, 3]);
});

test("what is written is read, around each power of two and at random", () => {
  const random = seeded("integers");
  const values = [0, INTEGER_MAX];
  for (let bits = 1; bits < 31; bits++) values.push(2 ** bits - 1, 2 ** bits, 2 ** bits + 1);
  for (const prefix of PREFIXES) {
    values.push(prefix - 1, prefix, prefix + 1, prefix + 127, prefix + 128);
    for (let i = 0; i < 200; i++) values.push(random.below(2 ** random.between(1, 31)));
    for (const value of values) {
      const bytes = written(value, prefix);
      assert.equal(read(bytes, prefix), [value, bytes.length], `${value} in ${prefix}`);
      forEachPrefix(bytes, (short) => assert.is(read(short, prefix), null));
    }
  }
});

test("the end that is given is the end, whatever comes behind it", () => {
  const reader = new IntegerReader();
  const bytes = hex("1f9a0a");
  assert.is(reader.read(bytes, 0, 2, Prefix.bits5), -1);
  assert.is(reader.read(bytes, 0, 1, Prefix.bits5), -1);
  assert.is(reader.read(bytes, 0, 0, Prefix.bits5), -1);
  assert.is(reader.read(bytes, 1, 3, Prefix.bits4), 2, "0x9a ends its prefix of four bits");
});

// H2-18. None may come back small, which is what arithmetic of 32 bits makes of some of them.
test("integers above 2^31 - 1 are refused: 2^31, 2^32, 2^35, 2^53 and more", () => {
  for (const prefix of PREFIXES) {
    const first = prefix.toString(16).padStart(2, "0");
    const largest = written(INTEGER_MAX, prefix);
    assert.equal(read(largest, prefix), [INTEGER_MAX, BYTES_MAX]);
    for (const above of [0n, 1n, 2n ** 31n, 2n ** 35n, 2n ** 53n, 2n ** 64n]) {
      for (const more of [0n, 1n, BigInt(prefix)]) {
        const value = 2n ** 31n + above + more;
        assert.is(read(bigInteger(value, prefix), prefix), null, `${value} in ${first}`);
      }
    }
  }
});

test("zeros may pad an integer up to five further bytes and no more", () => {
  assert.equal(read(hex("7f 80 80 80 80 00"), Prefix.bits7), [127, 6]);
  assert.equal(read(hex("7f 81 80 80 80 00"), Prefix.bits7), [128, 6]);
  assert.is(read(hex("7f 80 80 80 80 80 00"), Prefix.bits7), null);
  assert.is(read(hex("7f 81 80 80 80 80 80 80 80 80 80 00"), Prefix.bits7), null);
  assert.is(read(hex(`7f ${"ff".repeat(1_000)} 00`), Prefix.bits7), null);
});

function bigInteger(value: bigint, prefix: number): Uint8Array {
  const bytes = [prefix];
  let rest = value - BigInt(prefix);
  for (; rest >= 128n; rest /= 128n) bytes.push(Number(128n + (rest % 128n)));
  return Uint8Array.from([...bytes, Number(rest)]);
}

test.run();
