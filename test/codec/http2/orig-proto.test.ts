// `l5d-orig-proto` and what goes with it: believed from a sidecar only, and never more than it can mean.
import * as assert from "uvu/assert";
import { type Field, requestFields } from "../../support/http2-fields.ts";
import { suite } from "../../support/test.ts";
import { readRequestFields } from "./harness.ts";

const test = suite("codec/http2/orig-proto");

function read(value: string, more: readonly Field[] = [], believesMesh = true) {
  return readRequestFields(requestFields("/", [["l5d-orig-proto", value], ...more]), {
    believesMesh,
  });
}

test("it tells the version and the form", () => {
  const rows: readonly (readonly [value: string, version: number, isAbsolute: boolean])[] = [
    ["HTTP/1.1", 1, false],
    ["HTTP/1.0", 0, false],
    ["http/1.1", 1, false],
    ["HTTP/1.1; absolute-form", 1, true],
    ["HTTP/1.0; absolute-form", 0, true],
    ["HTTP/1.1; absolute-for", 1, false],
    ["HTTP/1.1; other-form", 1, false],
  ];
  for (const [value, version, isAbsolute] of rows) {
    const { verdict, head } = read(value);
    assert.is(verdict, "ok");
    assert.is(head.origVersion, version, value);
    assert.is(head.minorVersion, version, value);
    assert.is(head.keepsAbsolute, isAbsolute, value);
  }
});

test("what it cannot mean is ignored", () => {
  for (const value of ["", "HTTP/1", "HTTP/2.0", "HTTP/0.9", "xHTTP/1.1", "HTTP/3"]) {
    const { verdict, head } = read(value);
    assert.is(verdict, "ok");
    assert.is(head.origVersion, -1, value);
    assert.is(head.minorVersion, 1, value);
    assert.not(head.keepsAbsolute, value);
  }
});

test("from anybody but a sidecar it means nothing", () => {
  const more: Field[] = [["host", "other"]];
  const { head, written } = read("HTTP/1.0; absolute-form", [["l5d-orig-case", "t"]], false);
  assert.is(head.origVersion, -1);
  assert.is(written, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
  assert.is(read("HTTP/1.1", more, false).verdict, "malformed");
});

test("the Host of a request that is carried marks a place, and never says where it goes", () => {
  const { verdict, written, head, text } = read("HTTP/1.1", [
    ["x-a", "b"],
    ["host", "other"],
    ["x-c", "d"],
  ]);
  assert.is(verdict, "ok");
  assert.is(written, "GET / HTTP/1.1\r\nx-a: b\r\nHost: web\r\nx-c: d\r\n\r\n");
  assert.is(text(head.authorityStart, head.authorityEnd), "web");
});

test("absolute form has the authority, not the Host, and asterisk form stays", () => {
  assert.is(
    read("HTTP/1.1; absolute-form").written,
    "GET http://web/ HTTP/1.1\r\nHost: web\r\n\r\n",
  );
  const options: Field[] = [
    [":method", "OPTIONS"],
    [":scheme", "http"],
    [":authority", "web"],
    [":path", "*"],
    ["l5d-orig-proto", "HTTP/1.1; absolute-form"],
  ];
  const { written } = readRequestFields(options, { believesMesh: true });
  assert.is(written, "OPTIONS * HTTP/1.1\r\nHost: web\r\n\r\n");
});

test("signs that lie change no more than the case of names", () => {
  for (const signs of ["tt", "u", "C", "Cl", "ttttt", "m", "\x7f", "mffff."]) {
    const { verdict, written } = read("HTTP/1.1", [
      ["x-a", "b"],
      ["l5d-orig-case", signs === "\x7f" ? "x" : signs],
    ]);
    assert.is(verdict, "ok");
    assert.is(written.toLowerCase(), "get / http/1.1\r\nhost: web\r\nx-a: b\r\n\r\n", signs);
  }
});

test("content of HTTP/1.0 has a length, or its request is malformed", () => {
  const carried = (more: readonly Field[]) => {
    const fields = requestFields("/", [["l5d-orig-proto", "HTTP/1.0"], ...more], "POST");
    return readRequestFields(fields, { isEnd: false, believesMesh: true });
  };
  assert.is(carried([]).verdict, "malformed");
  assert.is(
    carried([["content-length", "5"]]).written,
    "POST / HTTP/1.0\r\nHost: web\r\ncontent-length: 5\r\nConnection: close\r\n\r\n",
  );
});

test("neither field goes on to the backend", () => {
  const { written } = read("HTTP/1.1", [["l5d-orig-case", "l"]]);
  assert.not(written.includes("l5d-"));
});

test.run();
