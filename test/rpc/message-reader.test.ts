/** Length-prefixed messages: every split, every limit, hostile prefixes. */
import * as assert from "uvu/assert";
import { MESSAGE_BYTES_MAX } from "../../src/rpc/limits.ts";
import { AssemblyBudget, MessageReader, writePrefix } from "../../src/rpc/message-reader.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("rpc/message-reader");

function framed(...messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    messages.map((message) => {
      const out = new Uint8Array(5 + message.length);
      writePrefix(out, 0, message.length);
      out.set(message, 5);
      return out;
    }),
  );
}

function readAll(reader: MessageReader, ...pieces: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (const piece of pieces) {
    reader.read(piece, 0, piece.length, (message) => messages.push(message));
  }
  return messages;
}

test("the prefix is a zero and four bytes of length, most significant first", () => {
  const out = new Uint8Array(6).fill(0xff);
  writePrefix(out, 1, 0x01020304);
  assert.equal(out, Uint8Array.of(0xff, 0, 1, 2, 3, 4));
});

test("messages are the same however their bytes are cut", () => {
  const random = seeded("rpc/message-reader splits");
  const messages = [random.bytes(7), new Uint8Array(0), random.bytes(1), random.bytes(12)];
  const bytes = framed(...messages);
  for (let a = 0; a <= bytes.length; a++) {
    for (let b = a; b <= bytes.length; b++) {
      const budget = new AssemblyBudget();
      const reader = new MessageReader(budget);
      const parts = [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)];
      assert.equal(readAll(reader, ...parts), messages, `cut at ${a} and ${b}`);
      assert.is(reader.isWithin, false);
      assert.is(budget.usedBytes, 0);
    }
  }
});

test("a prefix of a message says that more is to come, and holds no more than came", () => {
  const bytes = framed(new Uint8Array(10_000).fill(7));
  for (const length of [1, 4, 5, 6, 9_999, 10_004]) {
    const budget = new AssemblyBudget();
    const reader = new MessageReader(budget);
    assert.equal(readAll(reader, bytes.subarray(0, length)), []);
    assert.is(reader.isWithin, true);
    assert.ok(budget.usedBytes <= Math.max(4_096, 2 * length), `${budget.usedBytes} bytes`);
    reader.clear();
    assert.is(budget.usedBytes, 0);
  }
});

test("random messages in random pieces", () => {
  const random = seeded("rpc/message-reader random");
  for (let round = 0; round < 50; round++) {
    const messages = Array.from({ length: random.between(0, 6) }, () =>
      random.bytes(random.pick([0, 1, 5, 300, 70_000])),
    );
    const bytes = framed(...messages);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + random.pick([1, 4, 1_000, 16_384]));
      pieces.push(bytes.subarray(at, end));
      at = end;
    }
    assert.equal(readAll(new MessageReader(new AssemblyBudget()), ...pieces), messages);
  }
});

test("what is handed out is nobody else's memory", () => {
  const reader = new MessageReader(new AssemblyBudget());
  const bytes = framed(Uint8Array.of(1, 2, 3));
  const [message] = readAll(reader, bytes);
  bytes.fill(9);
  assert.equal(message, Uint8Array.of(1, 2, 3));
  assert.is(message?.buffer.byteLength, 3);
});

test("4 MiB is a message, one byte more is none", () => {
  const largest = new Uint8Array(MESSAGE_BYTES_MAX).fill(3);
  const [message] = readAll(new MessageReader(new AssemblyBudget()), framed(largest));
  assert.is(message?.length, MESSAGE_BYTES_MAX);
  for (const length of [MESSAGE_BYTES_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
    const prefix = new Uint8Array(5);
    writePrefix(prefix, 0, length);
    const budget = new AssemblyBudget();
    const reader = new MessageReader(budget);
    assert.equal(readAll(reader, prefix), []);
    assert.is(reader.fault, "too-large", String(length));
    assert.is(budget.usedBytes, 0);
  }
});

test("a compressed message is refused by its flag, and so is a flag that means nothing", () => {
  for (const [flag, fault] of [
    [1, "compressed"],
    [2, "bad-flag"],
    [0x81, "bad-flag"],
    [0xff, "bad-flag"],
  ] as const) {
    const reader = new MessageReader(new AssemblyBudget());
    const good = framed(Uint8Array.of(1));
    assert.equal(readAll(reader, good, Uint8Array.of(flag), good), [Uint8Array.of(1)]);
    assert.is(reader.fault, fault);
  }
});

test("the readers of a thread share a budget, and one that is refused holds nothing", () => {
  const budget = new AssemblyBudget(10_000);
  const first = new MessageReader(budget);
  const second = new MessageReader(budget);
  readAll(first, framed(new Uint8Array(9_000)).subarray(0, 9_000));
  readAll(second, framed(new Uint8Array(5_000)).subarray(0, 3_000));
  assert.is(second.fault, "no-memory");
  first.clear();
  assert.is(budget.usedBytes, 0);
});

test.run();
