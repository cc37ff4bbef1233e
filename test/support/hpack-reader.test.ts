/** The tests' own HPACK decoder against the examples of RFC 7541 Appendix C, and against errors. */
import * as assert from "uvu/assert";
import { HpackReader } from "./hpack-reader.ts";
import { encodeFields, huffmanLiteral, tableSize } from "./http2-fields.ts";
import { suite } from "./test.ts";

const test = suite("support/hpack-reader");

function read(reader: HpackReader, hex: string): string[] {
  return reader.decode(Buffer.from(hex, "hex")).map(({ name, value }) => `${name}: ${value}`);
}

test("requests with and without Huffman coding, C.3 and C.4", () => {
  const plain = new HpackReader();
  const coded = new HpackReader();
  const first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
  assert.equal(read(plain, "828684410f7777772e6578616d706c652e636f6d"), first);
  assert.equal(read(coded, "828684418cf1e3c2e5f23a6ba0ab90f4ff"), first);
  const second = [...first, "cache-control: no-cache"];
  assert.equal(read(plain, "828684be58086e6f2d6361636865"), second);
  assert.equal(read(coded, "828684be5886a8eb10649cbf"), second);
  assert.equal(plain.entries, coded.entries);
});

test("responses in a table of 256 bytes, C.6", () => {
  const reader = new HpackReader();
  reader.limit(256);
  const date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
  const more = ["cache-control: private", date, "location: https://www.example.com"];
  const first =
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3";
  const size = tableSize(256).toString("hex");
  assert.equal(read(reader, size + first), [":status: 302", ...more]);
  assert.equal(read(reader, "4883640effc1c0bf"), [":status: 307", ...more]);
  assert.is(reader.entries.length, 4);
});

test("how a field was written is told, and every byte is kept", () => {
  const reader = new HpackReader();
  const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  const block = Buffer.concat([
    encodeFields([["a", bytes, "never"]]),
    huffmanLiteral("b", bytes, "indexed"),
  ]);
  assert.equal(reader.decode(block), [
    { name: "a", value: bytes, isNeverIndexed: true },
    { name: "b", value: bytes, isNeverIndexed: false },
  ]);
  assert.equal(reader.entries, [["b", bytes]]);
});

test("errors of decoding are thrown", () => {
  const errors = ["80", "be", "ff80808080808080", "3fe21f", "8220", "0001", "000161", "00016182ff"];
  for (const hex of errors) assert.throws(() => read(new HpackReader(), hex), /^HPACK: /, hex);
  const small = new HpackReader();
  small.limit(100);
  assert.throws(() => read(small, "82"), /size update/);
});

test.run();
