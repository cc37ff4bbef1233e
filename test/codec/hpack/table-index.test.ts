import * as assert from "uvu/assert";
import { DynamicTable } from "../../../src/codec/hpack/dynamic-table.ts";
import { TableIndex } from "../../../src/codec/hpack/table-index.ts";
import { ViewedBytes } from "../../../src/lib/viewed-bytes.ts";
import { latin1 } from "../../support/read-http1.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/hpack/table-index");

/** One hash for everything, so that only the bytes tell entries apart. */
const HASH = 0x1234_5678;

class Indexed {
  readonly table = new DynamicTable(4_096, 4_096);
  readonly #index = new TableIndex(this.table);

  add(name: string, value: string, fieldHash = HASH, nameHash = HASH): void {
    const at = this.table.reserve(name.length, value.length, 0, 0);
    this.table.lines.array.set(latin1(`${name}: ${value}\r\n`), at);
    this.#index.addNewest(fieldHash, nameHash);
  }

  /** Age of the entry, or -1. */
  field(name: string, value: string, hash = HASH): number {
    const bytes = new ViewedBytes(latin1(name + value));
    const nameEnd = name.length;
    const end = nameEnd + value.length;
    return this.#index.findField(hash, bytes, 0, nameEnd, bytes, nameEnd, end);
  }

  name(name: string, hash = HASH): number {
    return this.#index.findName(hash, new ViewedBytes(latin1(name)), 0, name.length);
  }
}

test("entries with one hash are told apart by their bytes and lengths", () => {
  const indexed = new Indexed();
  const entries: [string, string][] = [
    ["name", "value"],
    ["name", "valuf"],
    ["name", "value2"],
    ["name", ""],
    ["nbme", "value"],
    ["nam", "evalue"],
    ["name2", "value"],
  ];
  for (const [name, value] of entries) indexed.add(name, value);
  for (const [i, [name, value]] of entries.entries()) {
    const age = entries.length - 1 - i;
    assert.is(indexed.field(name, value), age, `${name}: ${value}`);
    assert.is(indexed.field(name.toUpperCase(), value), age);
  }
  for (const [name, value] of [
    ["name", "VALUE"],
    ["name", "valu"],
    ["name", "value22"],
    ["", "namevalue"],
    ["namd", "value"],
    ["name: v", "alue"],
  ] as const) {
    assert.is(indexed.field(name, value), -1, `${name}: ${value}`);
  }
});

test("names with one hash are told apart by their bytes and lengths", () => {
  const indexed = new Indexed();
  for (const name of ["name", "nam", "name2", "nbme"]) indexed.add(name, "v");
  assert.is(indexed.name("name"), 3);
  assert.is(indexed.name("NAM"), 2);
  assert.is(indexed.name("name2"), 1);
  assert.is(indexed.name("nbme"), 0);
  for (const name of ["", "na", "namf", "name: v", "name22"]) assert.is(indexed.name(name), -1);
});

test("of equal entries the newest is found", () => {
  const indexed = new Indexed();
  indexed.add("a", "1");
  indexed.add("a", "1");
  indexed.add("a", "2");
  assert.is(indexed.field("a", "1"), 1);
  assert.is(indexed.name("a"), 0);
});

test("another hash in the same bucket is passed over", () => {
  const indexed = new Indexed();
  const other = HASH ^ 0x4000_0000;
  indexed.add("a", "1", HASH, HASH);
  indexed.add("b", "2", other, other);
  assert.is(indexed.field("a", "1"), 1);
  assert.is(indexed.name("a"), 1);
  assert.is(indexed.field("b", "2", other), 0);
  assert.is(indexed.field("a", "1", other), -1);
  assert.is(indexed.name("a", other), -1);
});

test("what has left the table is not found, nor what a full turn of the ring has overwritten", () => {
  const indexed = new Indexed();
  for (let i = 0; i < 1_000; i++) {
    indexed.add(`n${i}`, "v", i, i);
    const count = indexed.table.count;
    assert.is(indexed.field(`n${i}`, "v", i), 0);
    const oldest = i - count + 1;
    assert.is(indexed.field(`n${oldest}`, "v", oldest), count - 1);
    assert.is(indexed.field(`n${oldest - 1}`, "v", oldest - 1), -1);
    assert.is(indexed.name(`n${oldest - 1}`, oldest - 1), -1);
  }
  indexed.table.resize(0);
  assert.is(indexed.field("n999", "v", 999), -1);
  indexed.table.resize(4_096);
  assert.is(indexed.field("n999", "v", 999), -1);
  assert.is(indexed.name("n999", 999), -1);
});

test("a chain is followed for eight entries", () => {
  const indexed = new Indexed();
  for (let i = 0; i < 20; i++) indexed.add(`n${i}`, "v");
  for (let i = 0; i < 20; i++) {
    assert.is(indexed.field(`n${i}`, "v"), i < 12 ? -1 : 19 - i);
    assert.is(indexed.name(`n${i}`), i < 12 ? -1 : 19 - i);
  }
});

test("sequence numbers may wrap", () => {
  const indexed = new Indexed();
  indexed.table.newest = 0x7fff_ffff - 50;
  for (let i = 0; i < 200; i++) {
    indexed.add(`n${i}`, "v", i, i);
    assert.is(indexed.field(`n${i}`, "v", i), 0);
    if (i >= 10) assert.is(indexed.field(`n${i - 10}`, "v", i - 10), 10);
  }
  assert.ok(indexed.table.newest < 0, "they have");
});

test.run();
