import * as assert from "uvu/assert";
import { HEAD_BYTES_MAX } from "../../../src/codec/http1/field-section.ts";
import { REQUEST_LINE_BYTES_MAX, RequestHead } from "../../../src/codec/http1/request-head.ts";
import { REQUEST_HEAD_GROWTH_BYTES } from "../../../src/codec/http1/write-request.ts";
import {
  latin1,
  type Parsed,
  type RequestFacts,
  readRequest,
  readRequestWith,
} from "../../support/read-http1.ts";
import { PLAIN, REQUESTS } from "../../support/requests-http1.ts";
import { ROUTING } from "../../support/routing-http1.ts";
import { strictRequest } from "../../support/strict-http1.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http1/request-table");

function read(text: string): Parsed<RequestFacts> {
  return readRequest(latin1(text));
}

function errorOf(text: string): string {
  const result = read(text);
  return result.kind === "malformed" ? result.error : result.kind;
}

/** The field lines after Host that go on when these come. */
function linesOf(fields: string): string {
  const result = read(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  if (result.kind !== "done") return errorOf(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return result.written.slice("GET / HTTP/1.1\r\nHost: a\r\n".length, -2);
}

for (const row of [...REQUESTS, ...ROUTING]) {
  test(`RequestHead ${row.error === null ? "passes on" : "refuses"} ${row.name}`, () => {
    const result = read(row.input);
    if (row.error !== null) return assert.equal(result, { kind: "malformed", error: row.error });
    const facts = { ...PLAIN, ...row.facts };
    assert.equal(result, { kind: "done", facts, written: row.written, rest: 0 });
    strictRequest(row.written);
  });
}

test("a name takes the 77 token bytes and no other (H1-16)", () => {
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte);
    const field = `x${char}y: z\r\n`;
    const isToken = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char);
    if (isToken) assert.is(linesOf(field), field, `byte ${byte}`);
    // A colon ends the name: a field "x" with another value.
    else if (char === ":") assert.is(linesOf(field), "x: y: z\r\n");
    else assert.match(linesOf(field), /^bad-(?:field-name|line-end)$/, `byte ${byte}`);
  }
});

test("a value takes every byte but controls, and takes it as it is (H1-16)", () => {
  for (let byte = 0; byte < 256; byte++) {
    const field = `x: a${String.fromCharCode(byte)}b\r\n`;
    const isText = byte === 9 || (byte >= 32 && byte !== 127);
    if (isText) assert.is(linesOf(field), field, `byte ${byte}`);
    else assert.match(linesOf(field), /^bad-(?:field-value|line-end)$/, `byte ${byte}`);
  }
});

test("a target takes visible ASCII but the number sign (H1-16, H1-17)", () => {
  for (let byte = 0; byte < 256; byte++) {
    const target = `/a${String.fromCharCode(byte)}b`;
    const result = read(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const isAllowed = byte > 32 && byte < 127 && byte !== 35;
    assert.is(result.kind, isAllowed ? "done" : "malformed", `byte ${byte}`);
    if (result.kind === "done") assert.is(result.facts.target, target);
  }
});

test("a head has at most 100 fields (H1-16)", () => {
  assert.is(linesOf("x: y\r\n".repeat(99)), "x: y\r\n".repeat(99));
  assert.is(linesOf("x: y\r\n".repeat(100)), "too-many-fields");
});

test("a head has at most 64 KiB (H1-16)", () => {
  const around = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".length;
  const head = (length: number): string =>
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(length - around)}\r\n\r\n`;
  assert.is(errorOf(head(HEAD_BYTES_MAX - 1)), "done");
  assert.is(errorOf(head(HEAD_BYTES_MAX)), "done");
  assert.is(errorOf(head(HEAD_BYTES_MAX + 1)), "head-too-large");
  assert.is(errorOf(head(HEAD_BYTES_MAX).slice(0, -1)), "incomplete");
  assert.is(errorOf(head(10 * HEAD_BYTES_MAX)), "head-too-large");
  assert.is(errorOf(`${head(HEAD_BYTES_MAX + 1)}\0`), "head-too-large");
});

test("a request line has at most 16 KiB, its CRLF included (H1-17)", () => {
  const request = (length: number): string =>
    `GET /${"a".repeat(length - "GET / HTTP/1.1\r\n".length)} HTTP/1.1\r\nHost: a\r\n\r\n`;
  assert.is(errorOf(request(REQUEST_LINE_BYTES_MAX - 1)), "done");
  assert.is(errorOf(request(REQUEST_LINE_BYTES_MAX)), "done");
  for (let more = 1; more <= 20; more++) {
    assert.is(errorOf(request(REQUEST_LINE_BYTES_MAX + more)), "target-too-long");
  }
  assert.is(errorOf(`GET /${"a".repeat(65_536)}`), "target-too-long");
});

test("a method has at most 32 bytes (H1-17)", () => {
  assert.is(errorOf(`${"A".repeat(32)} / HTTP/1.1\r\nHost: a\r\n\r\n`), "done");
  assert.is(errorOf(`${"A".repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`), "bad-method");
});

test("a Host has at most 253 bytes (H1-18)", () => {
  const host = "a".repeat(253);
  assert.is(errorOf(`GET / HTTP/1.1\r\nHost: ${host}:65535\r\n\r\n`), "done");
  assert.is(errorOf(`GET / HTTP/1.1\r\nHost: ${host}a\r\n\r\n`), "bad-host");
});

test("what comes behind a head is left alone (H1-27)", () => {
  const request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  for (const rest of ["hello", "GET / HTTP/1.1\r\n", "\0\0", "\r\n"]) {
    const result = read(request + rest);
    assert.is(result.kind === "done" && result.rest, rest.length);
    assert.is(result.kind === "done" && result.written, request);
  }
});

test("a head that takes all the room there is grows by what is allowed", () => {
  const start = "GET / HTTP/1.1\r\nHost:a\r\nTE:trailers\r\n";
  const fields = "x:y\r\n".repeat(97);
  const value = "z".repeat(HEAD_BYTES_MAX - start.length - fields.length - "x:\r\n\r\n".length);
  const input = `${start}${fields}x:${value}\r\n\r\n`;
  const result = read(input);
  assert.is(input.length, HEAD_BYTES_MAX);
  assert.ok(result.kind === "done" && result.written.endsWith("Connection: TE\r\n\r\n"));
  const growth = result.kind === "done" ? result.written.length - input.length : -1;
  // So the rebuilt head is longer than a chunk of a worker's memory.
  assert.ok(growth > 99 && growth <= REQUEST_HEAD_GROWTH_BYTES, `${growth}`);
});

test("reset() forgets the last request, whatever became of it", () => {
  const head = new RequestHead();
  for (const row of [...REQUESTS, ...ROUTING]) {
    for (const cut of [0, 1, 10, row.input.length >> 1]) {
      readRequestWith(head, [latin1(row.input.slice(0, row.input.length - cut))]);
      const input = latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      const { kind, facts } = { facts: null, ...readRequestWith(head, [input]) };
      assert.equal({ kind, facts }, { kind: "done", facts: PLAIN }, row.name);
    }
  }
});

test.run();
