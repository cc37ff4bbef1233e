import * as assert from "uvu/assert";
import { HEAD_BYTES_MAX, Step } from "../../../src/codec/http1/field-section.ts";
import { RequestHead } from "../../../src/codec/http1/request-head.ts";
import { ResponseHead } from "../../../src/codec/http1/response-head.ts";
import {
  bytewise,
  latin1,
  type Parsed,
  readRequest,
  readResponse,
} from "../../support/read-http1.ts";
import { REQUESTS } from "../../support/requests-http1.ts";
import { RESPONSES } from "../../support/responses-http1.ts";
import { ROUTING } from "../../support/routing-http1.ts";
import { forEachPrefix, forEachSplit } from "../../support/splits.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http1/splits");
test.timeout(60_000);

/** Longer examples are only cut into single bytes, and only their start is. */
const EVERY_CUT_BYTES_MAX = 600;
const BYTEWISE_BYTES_MAX = 70_000;

type Read = (...pieces: readonly Uint8Array[]) => Parsed<unknown>;

interface Example {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly read: Read;
}

const EXAMPLES: readonly Example[] = [
  ...[...REQUESTS, ...ROUTING].map(({ name, input }) => ({
    name: `request ${name}`,
    bytes: latin1(input),
    read: readRequest,
  })),
  ...RESPONSES.map(({ name, input, body, choice }) => ({
    name: `response ${name}`,
    bytes: latin1(input),
    read: (...pieces: readonly Uint8Array[]) => readResponse(pieces, body, choice),
  })),
];
const SHORT = EXAMPLES.filter(({ bytes }) => bytes.length <= EVERY_CUT_BYTES_MAX);

test("every head cut in two gives what the whole gives", () => {
  for (const { bytes, name, read } of SHORT) {
    const whole = read(bytes);
    forEachSplit(bytes, (head, tail) => assert.equal(read(head, tail), whole, name));
  }
});

test("every head in single bytes gives what the whole gives", () => {
  for (const { bytes, name, read } of EXAMPLES) {
    const start = bytes.slice(0, BYTEWISE_BYTES_MAX);
    assert.equal(read(...bytewise(start)), read(start), name);
  }
});

test("every prefix waits for more, or fails as the whole does", () => {
  for (const { bytes, name, read } of SHORT) {
    const whole = read(bytes);
    forEachPrefix(bytes, (prefix) => {
      const result = read(prefix);
      if (result.kind !== "incomplete") assert.equal(result, whole, name);
      if (whole.kind === "done") assert.is(result.kind, "incomplete", name);
    });
  }
});

test("a refusal does not depend on what comes behind it", () => {
  for (const { bytes, name, read } of SHORT) {
    const whole = read(bytes);
    if (whole.kind !== "malformed") continue;
    for (const more of ["\0", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "x".repeat(70_000)]) {
      assert.equal(read(bytes, latin1(more)), whole, name);
      assert.equal(read(latin1(String.fromCharCode(...bytes) + more)), whole, name);
    }
  }
});

test("a head may move between two calls", () => {
  for (const row of [...REQUESTS, ...ROUTING]) {
    if (row.error !== null || row.input.length > EVERY_CUT_BYTES_MAX) continue;
    const bytes = latin1(row.input);
    const head = new RequestHead();
    head.reset();
    let step: Step = Step.incomplete;
    for (let count = 1; count < bytes.length; count += 3) {
      const moved = new Uint8Array(bytes.length + 2 * count).fill(10);
      moved.set(bytes.subarray(0, count), count);
      step = head.parse(moved, count, 2 * count);
      assert.is(step, Step.incomplete);
    }
    assert.is(head.parse(bytes, 0, bytes.length), Step.done, row.name);
    assert.is(head.end, bytes.length);
  }
});

/** The bytes, counting how many are read one by one. */
function counted(bytes: Uint8Array): { bytes: Uint8Array; reads: () => number } {
  let reads = 0;
  const proxy = new Proxy(bytes, {
    get: (target, key) => {
      reads++;
      return Reflect.get(target, key, target);
    },
  });
  return { bytes: proxy, reads: () => reads };
}

/** Heads whose parts are as long, or as many, as they may be. */
function longHeads(): string[] {
  const start = "GET / HTTP/1.1\r\nHost: a\r\n";
  const room = HEAD_BYTES_MAX - start.length - 4;
  const line = `x: ${"y".repeat(Math.floor(room / 99) - 5)}\r\n`;
  return [
    `${start}x: ${"y".repeat(room - 3)}\r\n\r\n`,
    `${start}x:${" ".repeat(room - 2)}\r\n\r\n`,
    `${start}${"x".repeat(room - 1)}:\r\n\r\n`,
    `${start}${line.repeat(99)}\r\n`,
    `${start}Connection: ${"a, ".repeat(20_000)}\r\n\r\n`,
    `${start}Connection: ${", ".repeat(30_000)}\r\n\r\n`,
    `${start}Connection: ${"a".repeat(60_000)}\r\n\r\n`,
    `${start}${`Connection: ${"a,".repeat(64)}\r\n`.repeat(49)}${`a: ${"b".repeat(400)}\r\n`.repeat(50)}\r\n`,
    `${start}Transfer-Encoding: ${"a,".repeat(20_000)}\r\n\r\n`,
    `${start}Content-Length: ${"0".repeat(60_000)}\r\n\r\n`,
    `${start}Upgrade: ${"a,".repeat(20_000)}\r\n\r\n`,
    `${start}TE: ${"a ".repeat(20_000)}\r\n\r\n`,
    `GET /${"a".repeat(16_367)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET http://${"a".repeat(16_000)} HTTP/1.1\r\nHost: ${"a".repeat(40_000)}\r\n\r\n`,
  ];
}

test("the work on a request is linear, in single bytes as in one piece", () => {
  for (const [index, text] of longHeads().entries()) {
    for (const stepBytes of [1, 7, 1_460, HEAD_BYTES_MAX]) {
      const { bytes, reads } = counted(latin1(text));
      const head = new RequestHead();
      head.reset();
      let step: Step = Step.incomplete;
      for (let end = 0; step === Step.incomplete; ) {
        assert.ok(end < bytes.length, `head ${index} ended`);
        end = Math.min(end + stepBytes, text.length);
        step = head.parse(bytes, 0, end);
        if (end === text.length) break;
      }
      assert.is.not(step, Step.incomplete, `head ${index}`);
      assert.ok(reads() < 8 * text.length, `head ${index}: ${reads()} of ${text.length}`);
    }
  }
});

test("the work on a response is linear in its fields", () => {
  const fields = `x: ${"y".repeat(30_000)}\r\nKeep-Alive: ${"timeout".repeat(4_000)}\r\n`;
  for (const stepBytes of [1, 1_460]) {
    const text = `HTTP/1.1 200 OK\r\n${fields}Connection: ${"a,".repeat(60)}\r\n\r\n`;
    const { bytes, reads } = counted(latin1(text));
    const head = new ResponseHead();
    head.reset();
    let step: Step = Step.incomplete;
    for (let end = 0; step === Step.incomplete && end < text.length; ) {
      end = Math.min(end + stepBytes, text.length);
      step = head.parse(bytes, 0, end);
    }
    assert.is(step, Step.done);
    assert.ok(reads() < 8 * text.length, `${reads()} of ${text.length}`);
  }
});

test("nothing is read behind the end", () => {
  for (const text of [
    "GET / HTTP/1.1\r\nHost: a",
    "GET / HT",
    "GET",
    "\r",
    "",
    "GET / HTTP/1.1\r\nA: b\r",
  ]) {
    const all = latin1(`${text}${"x".repeat(100)}`);
    const proxy = new Proxy(all, {
      get: (target, key) => {
        assert.ok(Number(key) < text.length || key === "length", `read ${String(key)}`);
        return Reflect.get(target, key, target);
      },
    });
    const head = new RequestHead();
    head.reset();
    assert.is(head.parse(proxy, 0, text.length), Step.incomplete);
  }
});

test.run();
