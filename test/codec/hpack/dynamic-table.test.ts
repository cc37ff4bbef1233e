import * as assert from "uvu/assert";
import { DynamicTable } from "../../../src/codec/hpack/dynamic-table.ts";
import { type Random, seeded } from "../../support/random.ts";
import { latin1, textOf } from "../../support/read-http1.ts";
import { suite } from "../../support/test.ts";
import { tableBytes } from "./harness.ts";

const test = suite("codec/hpack/dynamic-table");

interface Entry {
  readonly name: string;
  readonly value: string;
  readonly id: number;
  readonly flags: number;
}

function add(table: DynamicTable, { name, value, id, flags }: Entry): boolean {
  const at = table.reserve(name.length, value.length, id, flags);
  if (at === -1) return false;
  table.lines.array.set(latin1(`${name}: ${value}\r\n`), at);
  return true;
}

/** The entries, newest first. */
function entriesOf(table: DynamicTable): Entry[] {
  return Array.from({ length: table.count }, (_, age) => {
    const slot = table.slot(age);
    const start = table.start(slot);
    const nameEnd = start + table.nameBytes(slot);
    const valueStart = nameEnd + 2;
    const valueEnd = valueStart + table.valueBytes(slot);
    const { array } = table.lines;
    assert.is(textOf(array, nameEnd, valueStart) + textOf(array, valueEnd, valueEnd + 2), ": \r\n");
    const name = textOf(array, start, nameEnd);
    const value = textOf(array, valueStart, valueEnd);
    return { name, value, id: table.field(slot), flags: table.flags(slot) };
  });
}

function named(name: string, value: string): Entry {
  return { name, value, id: 0, flags: 0 };
}

function anyEntry(random: Random): Entry {
  const lengthMax = random.pick([0, 10, 40, 400]);
  return {
    name: textOf(random.bytes(random.between(0, lengthMax))),
    value: textOf(random.bytes(random.between(0, lengthMax))),
    id: random.below(256),
    flags: random.below(8),
  };
}

test("it has no memory before the first entry", () => {
  const table = new DynamicTable(4_096, 4_096);
  assert.is(table.lines.array.length, 0);
  assert.equal(entriesOf(table), []);
});

test("entries come newest first, and leave oldest first when there is no room (§4.4)", () => {
  const table = new DynamicTable(100, 100);
  assert.ok(add(table, named("a", "1")));
  assert.ok(add(table, named("b", "2")));
  assert.equal(entriesOf(table), [named("b", "2"), named("a", "1")]);
  assert.is(table.sizeBytes, 68);
  assert.ok(add(table, named("c", "3")));
  assert.equal(entriesOf(table), [named("c", "3"), named("b", "2")]);
});

test("an entry of exactly the limit fits, one byte more empties the table (§4.4)", () => {
  const table = new DynamicTable(100, 100);
  add(table, named("a", "1"));
  assert.ok(add(table, named("b".repeat(34), "2".repeat(34))));
  assert.is(table.count, 1);
  assert.is(table.sizeBytes, 100);
  assert.not(add(table, named("b".repeat(34), "2".repeat(35))));
  assert.is(table.count, 0);
  assert.is(table.sizeBytes, 0);
  assert.ok(add(table, named("a", "1")));
  assert.equal(entriesOf(table), [named("a", "1")]);
});

test("a smaller limit drops entries at once, a limit of 0 all (§4.3)", () => {
  const table = new DynamicTable(200, 200);
  for (const name of ["a", "b", "c", "d"]) add(table, named(name, name));
  table.resize(102);
  assert.equal(entriesOf(table), [named("d", "d"), named("c", "c"), named("b", "b")]);
  table.resize(101);
  assert.is(table.count, 2);
  table.resize(0);
  assert.is(table.count, 0);
  assert.not(add(table, named("", "")));
  table.resize(32);
  assert.ok(add(table, named("", "")));
});

test("a limit above the bound is a mistake of ours", () => {
  assert.throws(() => new DynamicTable(4_096, 4_096).resize(8_192), /assertion failed/);
  assert.throws(() => new DynamicTable(100, 101), /assertion failed/);
});

test("it holds what a plain list would hold, through growth, moves and changes of size", () => {
  for (let round = 0; round < 30; round++) {
    const random = seeded(`table ${round}`);
    const bytesMax = random.pick([0, 100, 1_000, 4_096, 16_384]);
    const table = new DynamicTable(bytesMax, bytesMax);
    let limit = bytesMax;
    let model: Entry[] = [];
    for (let step = 0; step < 400; step++) {
      if (random.chance(0.02)) {
        limit = random.below(bytesMax + 1);
        table.resize(limit);
      } else {
        const entry = anyEntry(random);
        assert.is(add(table, entry), tableBytes([entry]) <= limit);
        model = tableBytes([entry]) <= limit ? [entry, ...model] : [];
      }
      while (tableBytes(model) > limit) model.pop();
      assert.is(table.count, model.length);
      assert.is(table.sizeBytes, tableBytes(model));
      assert.ok(table.lines.array.length <= Math.max(1_024, 4 * bytesMax), "memory is bounded");
      if (step % 20 === 0) assert.equal(entriesOf(table), model);
    }
    assert.equal(entriesOf(table), model);
  }
});

test("the memory of the default size never exceeds 8 KiB", () => {
  const random = seeded("memory");
  const table = new DynamicTable(4_096, 4_096);
  for (let step = 0; step < 5_000; step++) {
    const length = random.pick([0, 1, 30, 2_000, 4_064]);
    add(table, named("", "x".repeat(length)));
    assert.ok(table.lines.array.length <= 8_192);
  }
});

test("sequence numbers go on over the wrap of 32 bits", () => {
  const table = new DynamicTable(4_096, 4_096);
  for (let i = 0; i < 3; i++) add(table, named("old", String(i)));
  table.newest = 0x7fff_ffff - 5;
  table.resize(0);
  table.resize(4_096);
  for (let i = 0; i < 300; i++) {
    add(table, named("n", String(i)));
    const [newest, before] = entriesOf(table);
    assert.is(newest?.value, String(i));
    if (i > 0) assert.is(before?.value, String(i - 1));
  }
  assert.ok(table.newest < 0, "it has wrapped");
});

test.run();
