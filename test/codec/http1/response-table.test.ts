import * as assert from "uvu/assert";
import { HEAD_BYTES_MAX, Step } from "../../../src/codec/http1/field-section.ts";
import { BodyKind } from "../../../src/codec/http1/framing.ts";
import { ResponseHead } from "../../../src/codec/http1/response-head.ts";
import { ConnectionChoice } from "../../../src/codec/http1/write-response.ts";
import { latin1, readResponse } from "../../support/read-http1.ts";
import { PLAIN_RESPONSE, RESPONSES } from "../../support/responses-http1.ts";
import { strictResponse } from "../../support/strict-http1.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http1/response-table");

for (const row of RESPONSES) {
  test(`ResponseHead ${row.error === null ? "passes on" : "refuses"} ${row.name}`, () => {
    const result = readResponse([latin1(row.input)], row.body, row.choice);
    if (row.error !== null) return assert.equal(result, { kind: "malformed", error: row.error });
    const facts = { ...PLAIN_RESPONSE, ...row.facts };
    assert.equal(result, { kind: "done", facts, written: row.written, rest: 0 });
    strictResponse(row.written);
  });
}

test("an endless head is refused at 64 KiB, whatever it is made of", () => {
  for (const text of ["x", "x: y", "x: y\r\n", "x:\r\ny: z\r\n"]) {
    const head = new ResponseHead();
    head.reset();
    const bytes = latin1(`HTTP/1.1 200 OK\r\n${text}${"x".repeat(2 * HEAD_BYTES_MAX)}`);
    let step: Step = Step.incomplete;
    let end = 0;
    for (; step === Step.incomplete && end < bytes.length; end += 1_000) {
      step = head.parse(bytes, 0, end);
    }
    assert.is(step, Step.malformed);
    assert.is(head.error, "head-too-large");
    assert.ok(end <= HEAD_BYTES_MAX + 2_000);
  }
});

test("a head of 64 KiB passes, one byte more does not", () => {
  const around = "HTTP/1.1 200 OK\r\nX: \r\n\r\n".length;
  for (const more of [-1, 0, 1]) {
    const value = "y".repeat(HEAD_BYTES_MAX - around + more);
    const input = latin1(`HTTP/1.1 200 OK\r\nX: ${value}\r\n\r\n`);
    const { kind } = readResponse([input], BodyKind.none, ConnectionChoice.silent);
    assert.is(kind, more > 0 ? "malformed" : "done");
  }
});

test("a status line has at most 1 KiB, however much comes with it", () => {
  for (let more = -3; more <= 3; more++) {
    const reason = "x".repeat(1_024 - "HTTP/1.1 200 \r\n".length + more);
    const input = latin1(`HTTP/1.1 200 ${reason}\r\nX: y\r\n\r\n`);
    const { kind } = readResponse([input], null, ConnectionChoice.silent);
    assert.is(kind, more > 0 ? "malformed" : "done", `${1_024 + more} bytes`);
  }
});

test("what comes behind a head is left alone", () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  for (const rest of ["hello", "HTTP/1.1 200 OK\r\n", "\0"]) {
    const result = readResponse([latin1(head + rest)], null, ConnectionChoice.silent);
    assert.is(result.kind === "done" && result.rest, rest.length);
    assert.is(result.kind === "done" && result.written, head);
  }
});

test("reset() forgets the last response, whatever became of it", () => {
  const head = new ResponseHead();
  const plain = latin1("HTTP/1.1 204 x\r\nA: b\r\n\r\n");
  for (const { input, name } of RESPONSES) {
    for (const cut of [0, 1, input.length >> 1]) {
      const bytes = latin1(input.slice(0, input.length - cut));
      head.reset();
      head.parse(bytes, 0, bytes.length);
      head.reset();
      assert.is(head.parse(plain, 0, plain.length), Step.done, name);
      const { status, keepAlive, idleSeconds, upgrades, fields, framing } = head;
      assert.equal(
        [status, keepAlive, idleSeconds, upgrades, fields.count, framing.contentLength],
        [204, true, -1, false, 1, -1],
      );
      assert.not(framing.isChunked);
    }
  }
});

test.run();
