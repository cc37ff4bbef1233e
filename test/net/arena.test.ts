/** The arena: chunks beyond what was seen at first, memory that stays where it was, and its end. */
import * as assert from "uvu/assert";
import { Arena, CHUNK_BYTES, NONE, OUTPUT } from "../../src/net/arena.ts";
import { suite } from "../support/test.ts";

const test = suite("arena");

function take(arena: Arena, count: number): number[] {
  return Array.from({ length: count }, () => arena.allocate());
}

test("every chunk can be written to the end, and no two are the same memory", () => {
  const arena = new Arena(100);
  const first = arena.bytes;
  first[OUTPUT] = 7;
  const chunks = take(arena, 100);
  chunks.forEach((chunk, i) => {
    arena.bytes[chunk] = i;
    arena.bytes[chunk + CHUNK_BYTES - 1] = 255 - i;
  });
  assert.is(new Set(chunks).size, 100);
  assert.ok(first.length < arena.bytes.length, "it was seen by and by");
  chunks.forEach((chunk, i) => {
    assert.is(arena.bytes[chunk], i);
    assert.is(arena.bytes[chunk + CHUNK_BYTES - 1], 255 - i);
  });
  assert.is(arena.bytes[OUTPUT], 7);
  // An older view is of the same memory.
  const [chunk = NONE] = chunks;
  arena.bytes[chunk] = 99;
  assert.is(first[chunk], 99);
});

test("no more is seen than is needed", () => {
  const arena = new Arena(2_048);
  const before = arena.bytes.length;
  for (let i = 0; i < 10_000; i++) arena.free(arena.allocate());
  assert.is(arena.bytes.length, before);
  const needed = 40 * CHUNK_BYTES;
  take(arena, 40);
  assert.ok(arena.bytes.length >= needed && arena.bytes.length < 3 * needed);
});

test("when all chunks are used there is none, until one is given back", () => {
  const arena = new Arena(33);
  const chunks = take(arena, 33);
  assert.not.ok(chunks.includes(NONE));
  assert.is(arena.allocate(), NONE);
  assert.is(arena.used, 33);
  const [chunk = NONE] = chunks;
  arena.free(chunk);
  assert.is(arena.allocate(), chunk);
});

test("an arena without chunks has its scratch memory", () => {
  const arena = new Arena(0);
  arena.bytes[OUTPUT] = 1;
  arena.view.setUint32(0, 1, true);
  assert.is(arena.allocate(), NONE);
});

test("more than there are addresses for is refused", () => {
  assert.throws(() => new Arena(2 ** 33), /mmap of/);
});

test.run();
