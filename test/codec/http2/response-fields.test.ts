// Which blocks are responses (RFC 9113 §8.3.2) and which are trailers (§8.1).
import * as assert from "uvu/assert";
import { encodeFields, type Field } from "../../support/http2-fields.ts";
import { suite } from "../../support/test.ts";
import { readResponseBlock, readTrailerBlock } from "./harness.ts";

const test = suite("codec/http2/response-fields");

const OK: Field = [":status", "200"];

type Row = readonly [what: string, fields: readonly Field[], isEnd?: boolean];

const MALFORMED: readonly Row[] = [
  ["no :status", [["x-a", "b"]]],
  ["nothing at all", []],
  ["two :status", [OK, OK]],
  [":status behind a field", [["x-a", "b"], OK]],
  [":status of two digits", [[":status", "20"]]],
  [":status of four digits", [[":status", "2000"]]],
  [":status with a sign", [[":status", "+20"]]],
  [":status with a letter", [[":status", "2x0"]]],
  [":status 099", [[":status", "099"]]],
  [":status 600", [[":status", "600"]]],
  ["an empty :status", [[":status", ""]]],
  [":status with a reason", [[":status", "200 OK"]]],
  ["101", [[":status", "101"]], false],
  ["an interim response that ends the stream", [[":status", "103"]]],
  ["a request's pseudo-header field", [OK, [":path", "/"]]],
  ["an unknown pseudo-header field", [OK, [":reason", "x"]]],
  ["Connection", [OK, ["connection", "close"]]],
  ["Keep-Alive", [OK, ["keep-alive", "timeout=5"]]],
  ["Upgrade", [OK, ["upgrade", "h2c"]]],
  ["Transfer-Encoding", [OK, ["transfer-encoding", "chunked"]], false],
  ["a capital in a name", [OK, ["X-a", "b"]]],
  ["an empty name", [OK, ["", "b"]]],
  ["CRLF in a value", [OK, ["x-a", "b\r\nc: d"]]],
  ["a blank before a value", [OK, ["x-a", " b"]]],
  ["a length and no content", [OK, ["content-length", "5"]]],
  ["two lengths", [OK, ["content-length", "5"], ["content-length", "5"]], false],
  ["a length that is no number", [OK, ["content-length", "x"]], false],
  ["101 fields", [OK, ...Array.from({ length: 101 }, (_, i): Field => [`x-${i}`, ""])]],
];

for (const [what, fields, isEnd = true] of MALFORMED) {
  test(`a response is malformed: ${what}`, () => {
    for (const form of ["plain", "indexed", "never"] as const) {
      assert.not(readResponseBlock(encodeFields(fields, form), isEnd).isGood);
    }
  });
}

test("a response is right, with its fields in their order", () => {
  const fields: Field[] = [OK, ["x-b", "1"], ["content-length", "5"], ["x-a", ""]];
  const { isGood, head, lines } = readResponseBlock(encodeFields(fields), false);
  assert.ok(isGood);
  assert.is(head.status, 200);
  assert.is(head.framing.contentLength, 5);
  assert.not(head.framing.isChunked);
  assert.is(head.reasonStart, -1);
  assert.equal(lines, [
    ["x-b", "1"],
    ["content-length", "5"],
    ["x-a", ""],
  ]);
});

test("a response without a length has content until its end, or none", () => {
  const block = encodeFields([OK]);
  assert.ok(readResponseBlock(block, false).head.framing.isChunked);
  assert.not(readResponseBlock(block, true).head.framing.isChunked);
});

test("a length without content is right where there is none to be", () => {
  const length: Field = ["content-length", "5"];
  assert.ok(readResponseBlock(encodeFields([OK, length]), true, true).isGood, "of HEAD");
  assert.ok(readResponseBlock(encodeFields([[":status", "304"], length])).isGood, "of 304");
  const interim = readResponseBlock(
    encodeFields([
      [":status", "103"],
      ["link", "x"],
    ]),
    false,
  );
  assert.ok(interim.isGood);
  assert.is(interim.head.status, 103);
});

test("what no table may hold is still marked", () => {
  const block = encodeFields([OK, ["x-a", "b", "never"], ["x-b", "c"]]);
  assert.equal(readResponseBlock(block).lines, [
    ["x-a", "b", true],
    ["x-b", "c"],
  ]);
});

const WRONG_TRAILERS: readonly (readonly [what: string, fields: readonly Field[]])[] = [
  ["a pseudo-header field", [[":path", "/"]]],
  [":status", [["x-a", "b"], OK]],
  ["an unknown pseudo-header field", [[":x", "/"]]],
  ["Connection", [["connection", "close"]]],
  ["Transfer-Encoding", [["transfer-encoding", "chunked"]]],
  ["a capital in a name", [["X-a", "b"]]],
  ["CRLF in a value", [["x-a", "b\r\n\r\n"]]],
  ["an empty name", [["", "b"]]],
  ["101 fields", Array.from({ length: 101 }, (_, i): Field => [`x-${i}`, ""])],
];

for (const [what, fields] of WRONG_TRAILERS) {
  test(`trailers are malformed: ${what}`, () => {
    assert.is(readTrailerBlock(encodeFields(fields)), null);
  });
}

test("trailers are right, also when there are none", () => {
  assert.equal(
    readTrailerBlock(
      encodeFields([
        ["grpc-status", "0"],
        ["x-a", "b", "never"],
      ]),
    ),
    [
      ["grpc-status", "0"],
      ["x-a", "b", true],
    ],
  );
  assert.equal(readTrailerBlock(new Uint8Array(0)), []);
});

test.run();
