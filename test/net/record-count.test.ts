/** What OpenSSL holds is told from the numbers of bytes, however the records were cut on their way. */
import * as assert from "uvu/assert";
import { RecordCount } from "../../src/net/record-count.ts";
import { suite } from "../support/test.ts";

const test = suite("net/record-count");
const ROOM = 65_536;

function empty(): RecordCount {
  const records = new RecordCount();
  records.learnEmpty();
  records.begin();
  return records;
}

test("a record that came whole is all", () => {
  assert.ok(empty().took(1_140, 1_118, ROOM));
  assert.not.ok(empty().took(1_190, 1_118, ROOM), "50 bytes of the next one are there");
});

test("the part of a record that came before counts when the rest comes with another record", () => {
  const records = empty();
  records.tookNone(50);
  records.begin();
  assert.not.ok(records.took(1_140, 1_118, ROOM), "50 of these bytes are another record");
});

test.run();
