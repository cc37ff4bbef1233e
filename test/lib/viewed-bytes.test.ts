import * as assert from "uvu/assert";
import {
  copyBytes,
  hashBytes,
  hashFolded,
  isSame,
  ViewedBytes,
} from "../../src/lib/viewed-bytes.ts";
import { seeded } from "../support/random.ts";
import { latin1 } from "../support/read-http1.ts";
import { suite } from "../support/test.ts";

const test = suite("lib/viewed-bytes");

/** Some are copied by words, some by `set`. */
const LENGTHS = [...Array.from({ length: 40 }, (_, length) => length), 383, 384, 385, 386, 1_000];
const SPACE = 1_024;

/** Arrays that are a part of their buffer, as those of a thread's arena are. */
function part(bytes: Uint8Array): ViewedBytes {
  const whole = new Uint8Array(bytes.length + 13);
  const inner = new Uint8Array(whole.buffer, 7, bytes.length);
  inner.set(bytes);
  return new ViewedBytes(inner);
}

test("copyBytes copies a range of any length and touches nothing else", () => {
  const random = seeded("copies");
  for (const length of LENGTHS) {
    for (let offset = 0; offset < 9; offset++) {
      const from = part(random.bytes(SPACE));
      const before = random.bytes(SPACE);
      const to = part(before);
      const at = (offset * 5) % 9;
      assert.is(copyBytes(from, offset, offset + length, to, at), at + length);
      const expected = before.slice();
      expected.set(from.array.subarray(offset, offset + length), at);
      assert.equal(new Uint8Array(to.array), expected);
    }
  }
});

test("copyBytes reaches the last byte of both arrays", () => {
  for (const length of LENGTHS) {
    const from = part(seeded(length).bytes(length));
    const to = part(new Uint8Array(length));
    copyBytes(from, 0, length, to, 0);
    assert.equal(new Uint8Array(to.array), new Uint8Array(from.array));
  }
});

test("copyBytes copies within one array", () => {
  const bytes = part(latin1("abcdefghijklmnopqrstuvwxyz......................"));
  copyBytes(bytes, 1, 20, bytes, 26);
  assert.equal(
    new Uint8Array(bytes.array),
    latin1("abcdefghijklmnopqrstuvwxyzbcdefghijklmnopqrst..."),
  );
});

test("isSame and the hashes see each byte of a range and none beside it", () => {
  const random = seeded("differences");
  for (const length of LENGTHS) {
    const left = part(random.bytes(length + 20));
    const right = part(random.bytes(length + 20));
    right.array.set(left.array.subarray(3, 3 + length), 8);
    assert.ok(isSame(left, 3, 3 + length, right, 8));
    const hash = hashBytes(left, 3, 3 + length, 1);
    const folded = hashFolded(left, 3, 3 + length);
    assert.is(hashBytes(right, 8, 8 + length, 1), hash);
    assert.is(hashFolded(right, 8, 8 + length), folded);
    assert.is.not(hashBytes(left, 3, 3 + length, 2), hash, "the seed counts");
    for (let i = 0; i < length; i++) {
      const at = 8 + i;
      right.array[at] = (right.array[at] ?? 0) ^ 1;
      assert.not(isSame(left, 3, 3 + length, right, 8), `byte ${i} of ${length}`);
      assert.is.not(hashBytes(right, 8, 8 + length, 1), hash, `byte ${i} of ${length}`);
      assert.is.not(hashFolded(right, 8, 8 + length), folded, `byte ${i} of ${length}`);
      right.array[at] = (right.array[at] ?? 0) ^ 1;
    }
  }
});

test("hashFolded is the same for both cases of a letter", () => {
  for (const name of ["a", "te", "Via", "Host", "Accept", "X-Request-ID", "x".repeat(100)]) {
    const upper = new ViewedBytes(latin1(name.toUpperCase()));
    const lower = new ViewedBytes(latin1(name.toLowerCase()));
    assert.is(hashFolded(upper, 0, name.length), hashFolded(lower, 0, name.length), name);
  }
});

test("the hash spreads what differs in little: 4,096 values use most of 4,096 buckets", () => {
  const table: [string, (i: number) => string][] = [
    ["counters", (i) => `/api/items?id=${i}`],
    ["numbers in front", (i) => `${i}${"-".repeat(30)}`],
    ["one letter of a long value", (i) => `${"a".repeat(i % 97)}${"b".repeat(97)}${i}`],
  ];
  for (const [name, make] of table) {
    const buckets = new Set<number>();
    for (let i = 0; i < 4_096; i++) {
      const value = latin1(make(i));
      buckets.add(hashBytes(new ViewedBytes(value), 0, value.length, 7) & 4_095);
    }
    // A random function would use 63 of 100.
    assert.ok(buckets.size > 2_300, `${name}: ${buckets.size}`);
  }
});

test("use() goes over to another array, and back", () => {
  const first = latin1("first value");
  const second = latin1("other value");
  const bytes = new ViewedBytes(first);
  const expected = new ViewedBytes(latin1("other value"));
  assert.not(isSame(bytes, 0, 11, expected, 0));
  bytes.use(second);
  assert.ok(isSame(bytes, 0, 11, expected, 0));
  bytes.use(first);
  assert.not(isSame(bytes, 0, 11, expected, 0));
});

test.run();
