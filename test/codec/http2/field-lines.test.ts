// What HTTP/2 needs of HTTP/1's codec: fields added by hand, the line that frames a message, reasons.
import * as assert from "uvu/assert";
import { FIELDS_MAX, FieldSection, Step } from "../../../src/codec/http1/field-section.ts";
import { Framing } from "../../../src/codec/http1/framing.ts";
import { framingFieldOf } from "../../../src/codec/http1/framing-field.ts";
import { reasonBytesOf, reasonOf } from "../../../src/codec/http1/reasons.ts";
import { isUpgrade } from "../../../src/codec/http1/upgrade-field.ts";
import { type Random, seeded } from "../../support/random.ts";
import { latin1, textOf } from "../../support/read-http1.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http2/field-lines");

type Words = [id: number, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number];
/** Room for those that a sidecar adds to as many as a message may have. */
const CAPACITY = FIELDS_MAX + 8;

type Entry = { words: Words; isNever: boolean };

function entriesOf(fields: FieldSection): Entry[] {
  return Array.from({ length: fields.count }, (_, i) => ({
    words: [
      fields.id(i),
      fields.nameStart(i),
      fields.nameEnd(i),
      fields.valueStart(i),
      fields.valueEnd(i),
    ],
    isNever: fields.isNeverIndexed(i),
  }));
}

/** Does one random thing to both; the section says whether there was room. */
function step(random: Random, fields: FieldSection, model: Entry[]): void {
  const any = (): number => random.below(60_000);
  const words: Words = [any(), any(), any(), any(), any()];
  const isRoom = model.length < CAPACITY;
  const at = random.below(model.length + 1);
  const old = model[at];
  switch (random.below(5)) {
    case 0:
    case 1:
      assert.is(fields.add(...words), isRoom);
      if (isRoom) model.push({ words, isNever: false });
      break;
    case 2:
      assert.is(fields.insert(at, ...words), isRoom);
      if (isRoom) model.splice(at, 0, { words, isNever: false });
      break;
    case 3:
      if (old === undefined) return;
      fields.set(at, ...words);
      old.words = words;
      break;
    default:
      if (old === undefined) return;
      fields.markNeverIndexed(at);
      old.isNever = true;
  }
}

test("fields that are added, inserted, replaced and marked are as in a plain list", () => {
  const random = seeded("field-section");
  const fields = new FieldSection();
  for (let round = 0; round < 50; round++) {
    fields.reset(0);
    const model: Entry[] = [];
    for (let steps = random.below(250); steps > 0; steps--) step(random, fields, model);
    assert.equal(entriesOf(fields), model);
  }
});

test("a section that is reset has forgotten what no table may hold", () => {
  const fields = new FieldSection();
  fields.reset(0);
  fields.add(0, 0, 1, 2, 3);
  fields.markNeverIndexed(0);
  fields.reset(0);
  fields.add(0, 0, 1, 2, 3);
  assert.not(fields.isNeverIndexed(0));
});

type Row = readonly [lines: string, isChunked: boolean, hasLength: boolean, index: number];

test("the line that frames a message goes on only where it says exactly what we would", () => {
  const rows: readonly Row[] = [
    ["X: y\r\nContent-Length: 5\r\n", false, true, 1],
    ["Content-Length: 05\r\n", false, true, -1],
    ["Content-Length: 5\r\n", false, false, -1],
    ["Content-Length: 5\r\n", true, false, -1],
    ["X: y\r\n", false, true, -1],
    ["Content-Length: 123456789012345\r\n", false, true, 0],
    ["Content-Length: 0\r\n", false, true, 0],
    ["Transfer-Encoding: chunked\r\nX: y\r\n", true, false, 0],
    ["Transfer-Encoding: Chunked\r\n", true, false, -1],
    ["Transfer-Encoding: gzip\r\n", true, false, -1],
    ["Transfer-Encoding: chunked\r\n", false, false, -1],
  ];
  for (const [lines, isChunked, hasLength, index] of rows) {
    const bytes = latin1(`pad${lines}\r\n`);
    const fields = new FieldSection();
    fields.reset(0);
    assert.is(fields.parse(bytes, 3, bytes.length), Step.done);
    const framing = new Framing();
    framing.read(bytes, 3, fields, 1);
    assert.is(framingFieldOf(bytes, 3, fields, framing, isChunked, hasLength), index, lines);
  }
});

test("an Upgrade value counts that is a list of plain names without h2c", () => {
  const rows: readonly (readonly [value: string, is: boolean])[] = [
    ["websocket", true],
    ["websocket, foo", true],
    ["foo/2", false],
    ["", false],
    ["h2c", false],
    ["H2C", false],
    ["websocket, h2c", false],
    ["h2c2", true],
    ["websocket,, foo", true],
  ];
  for (const [value, is] of rows) {
    const bytes = latin1(`xx${value}`);
    assert.is(isUpgrade(bytes, 2, bytes.length), is, value);
  }
});

test("a status has its reason, as text and as bytes, or none", () => {
  assert.is(reasonOf(404), "Not Found");
  for (let status = 100; status < 600; status++) {
    assert.is(textOf(reasonBytesOf(status)), reasonOf(status));
    assert.match(reasonOf(status), /^[A-Za-z -]*$/);
  }
  assert.is(reasonOf(299), "");
});

test.run();
