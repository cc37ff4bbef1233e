/**
 * Heads that come again are not encoded and not decoded again. Whatever comes in whatever order, what is
 * made of it is what would have been made without; and when it does come again, nothing is worked out.
 */
import * as assert from "uvu/assert";
import { HpackDecoder } from "../../../src/codec/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/codec/hpack/encoder.ts";
import { clientIdField } from "../../../src/codec/http1/client-id.ts";
import { Field } from "../../../src/codec/http1/field-names.ts";
import { Method } from "../../../src/codec/http1/method.ts";
import { RequestHead } from "../../../src/codec/http1/request-head.ts";
import { ResponseHead } from "../../../src/codec/http1/response-head.ts";
import { MemoPace } from "../../../src/codec/http2/memo-pace.ts";
import { ReceivedRequest, ReceivedResponse } from "../../../src/codec/http2/received-block.ts";
import { RequestFields } from "../../../src/codec/http2/request-fields.ts";
import { ResponseFields } from "../../../src/codec/http2/response-fields.ts";
import { sendRequestHead, sendResponseHead } from "../../../src/codec/http2/send-head.ts";
import { SentBlock } from "../../../src/codec/http2/sent-block.ts";
import { encodeRequestHead, encodeResponseHead } from "../../../src/codec/http2/write-head.ts";
import { type Random, seeded } from "../../support/random.ts";
import { latin1 } from "../../support/read-http1.ts";
import { suite } from "../../support/test.ts";
import { linesOf, memory } from "./harness.ts";

const test = suite("codec/http2/again");
const IN = 64;
const BLOCK = 131_072;
const OTHER = 163_840;
const DECODED = 262_144;
const ROUNDS = 3_000;
const CLIENTS = [null, clientIdField("a.mesh"), clientIdField("b.mesh")] as const;

const REQUEST_FIELDS = [
  "Accept: */*",
  "Authorization: Bearer x",
  "Cookie: a=b",
  "Expect: 100-continue",
  "TE: trailers",
  "X-One: 1",
  "x-one: 1",
  "X-One: 2",
  "Content-Type: text/plain",
  "Connection: x-one",
] as const;
const RESPONSE_FIELDS = [
  "Server: nginx",
  "server: nginx",
  "Date: Tue, 11 Jun 2024 10:11:12 GMT",
  "Set-Cookie: a=b",
  "Content-Length: 64",
  "Content-Length: 65",
  "X-Long: long",
] as const;

/** Few enough that one comes again and again, and again after another. */
function some(random: Random, all: readonly string[]): string {
  return all.filter(() => random.below(12) === 0).join("\r\n");
}

function requestText(random: Random): string {
  const line = random.pick([
    "GET / HTTP/1.1",
    "GET /a HTTP/1.1",
    "HEAD / HTTP/1.1",
    "GET / HTTP/1.0",
  ]);
  const fields = [`Host: ${random.pick(["web", "api"])}`, some(random, REQUEST_FIELDS)];
  return `${[line, ...fields].filter((each) => each !== "").join("\r\n")}\r\n\r\n`;
}

function responseText(random: Random): string {
  const line = random.pick(["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found", "HTTP/1.1 200 Fine"]);
  return `${[line, some(random, RESPONSE_FIELDS)].filter((each) => each !== "").join("\r\n")}\r\n\r\n`;
}

/** Draws from `make`, and mostly what it drew before. */
function repeating(random: Random, make: (random: Random) => string): () => string {
  let last = [make(random), make(random)] as [string, string];
  return () => {
    if (random.below(5) === 0) last = [make(random), last[0]];
    return last[random.below(8) === 0 ? 1 : 0];
  };
}

/** What the peer's SETTINGS do to a table, now and then. */
function resize(random: Random, encoders: readonly HpackEncoder[]): void {
  if (random.below(40) !== 0) return;
  const bytes = random.pick([0, 64, 200, 4_096]);
  for (const encoder of encoders) encoder.setTableBytesMax(bytes);
}

/**
 * Reads blocks as a peer does, and tells their fields. The blocks themselves may differ: what an encoder
 * finds without a search depends on the blocks that it made before.
 */
function reader(): (at: number, end: number) => string[] {
  const decoder = new HpackDecoder();
  return (at, end) => {
    const lines: string[] = [];
    const field = (
      _: number,
      start: number,
      nameEnd: number,
      from: number,
      to: number,
      flags = 0,
    ) => {
      const text = (a: number, b: number): string => String.fromCharCode(...memory.subarray(a, b));
      lines.push(`${text(start, nameEnd)}: ${text(from, to)} ${flags}`);
      return true;
    };
    assert.ok(decoder.decode(memory, at, end, memory, DECODED, { field }));
    return lines;
  };
}

function place(text: string, base: number): number {
  const bytes = latin1(text);
  memory.set(bytes, base);
  return base + bytes.length;
}

test("a request is encoded as it would be without the one before", () => {
  const random = seeded("sent requests");
  const next = repeating(random, requestText);
  const sent = new SentBlock();
  const [encoder, plain] = [new HpackEncoder(), new HpackEncoder()];
  const [read, readPlain] = [reader(), reader()];
  for (let round = 0; round < ROUNDS; round++) {
    resize(random, [encoder, plain]);
    const text = next();
    const base = IN + random.below(8);
    const head = new RequestHead();
    head.reset();
    if (head.parse(memory, base, place(text, base)) !== 1) continue;
    head.clientId = CLIENTS[random.below(9)] ?? null;
    head.keepsAbsolute = random.below(20) === 0;
    const carries = random.below(6) === 0;
    const end = sendRequestHead(sent, encoder, memory, base, head, BLOCK, carries);
    const plainEnd = encodeRequestHead(plain, memory, base, head, memory, OTHER, carries);
    assert.equal(read(BLOCK, end), readPlain(OTHER, plainEnd), text);
  }
});

test("a response is encoded as it would be without the one before", () => {
  const random = seeded("sent responses");
  const next = repeating(random, responseText);
  const sent = new SentBlock();
  const [encoder, plain] = [new HpackEncoder(), new HpackEncoder()];
  const [read, readPlain] = [reader(), reader()];
  for (let round = 0; round < ROUNDS; round++) {
    resize(random, [encoder, plain]);
    const text = next();
    const base = IN + random.below(8);
    const head = new ResponseHead();
    head.reset();
    if (head.parse(memory, base, place(text, base)) !== 1) continue;
    const minor = random.below(6) - 1 > 1 ? 1 : random.below(3) - 1;
    const end = sendResponseHead(sent, encoder, memory, base, head, BLOCK, minor);
    const plainEnd = encodeResponseHead(plain, memory, base, head, memory, OTHER, minor);
    assert.equal(read(BLOCK, end), readPlain(OTHER, plainEnd), text);
  }
});

/** All of a head, but for what it keeps to itself. */
function shown(head: RequestHead | ResponseHead): unknown {
  const { fields, framing, error, ...rest } = head;
  return { ...rest, framing: { ...framing }, lines: linesOf(fields, DECODED), ids: idsOf(head) };
}

function idsOf({ fields }: RequestHead | ResponseHead): number[] {
  return Array.from({ length: fields.count }, (_, i) => fields.id(i));
}

test("a request's block means what it would mean without the one before", () => {
  const random = seeded("received requests");
  const next = repeating(random, requestText);
  const received = new ReceivedRequest();
  const encoder = new HpackEncoder();
  const [decoder, plain] = [new HpackDecoder(), new HpackDecoder()];
  const fields = new RequestFields();
  let again = 0;
  for (let round = 0; round < ROUNDS; round++) {
    resize(random, [encoder]);
    const text = next();
    const from = new RequestHead();
    from.reset();
    if (from.parse(memory, IN, place(text, IN)) !== 1) continue;
    const end = encodeRequestHead(encoder, memory, IN, from, memory, BLOCK, random.below(20) > 0);
    const isEnd = random.below(20) > 0;
    const kind = isEnd ? 1 : 0;
    const read = (with_: HpackDecoder, head: RequestHead): string => {
      fields.begin(head, memory, DECODED);
      assert.ok(with_.decode(memory, BLOCK, end, memory, DECODED, fields));
      return fields.finish(with_.outEnd, isEnd, with_.isTooLarge, true);
    };
    const head = new RequestHead();
    head.reset();
    memory.fill(0, DECODED, DECODED + 4_096);
    let verdict = "ok";
    if (received.again(decoder, memory, BLOCK, end, kind, head, memory, DECODED)) again++;
    else {
      const before = decoder.table.changes;
      verdict = read(decoder, head);
      if (verdict === "ok") {
        received.keep(decoder, before, memory, BLOCK, end, kind, head, memory, DECODED);
      }
    }
    const actual = verdict === "ok" ? shown(head) : null;
    const actualText = memory.slice(DECODED, DECODED + head.end);
    const expected = new RequestHead();
    expected.reset();
    assert.is(read(plain, expected), verdict, text);
    if (verdict !== "ok") continue;
    assert.equal(actual, shown(expected), text);
    assert.equal(actualText, memory.slice(DECODED, DECODED + expected.end), text);
  }
  assert.ok(again > ROUNDS / 20, `only ${again} came again`);
});

test("a response's block means what it would mean without the one before", () => {
  const random = seeded("received responses");
  const next = repeating(random, responseText);
  const received = new ReceivedResponse();
  const encoder = new HpackEncoder();
  const [decoder, plain] = [new HpackDecoder(), new HpackDecoder()];
  const fields = new ResponseFields();
  let again = 0;
  for (let round = 0; round < ROUNDS; round++) {
    resize(random, [encoder]);
    const text = next();
    const from = new ResponseHead();
    from.reset();
    if (from.parse(memory, IN, place(text, IN)) !== 1) continue;
    const end = encodeResponseHead(
      encoder,
      memory,
      IN,
      from,
      memory,
      BLOCK,
      random.below(20) === 0 ? 0 : 1,
    );
    const [isEnd, isHead] = [random.below(20) === 0, random.below(20) === 0];
    const kind = (isEnd ? 1 : 0) | (isHead ? 2 : 0);
    const read = (with_: HpackDecoder, head: ResponseHead): boolean => {
      fields.begin(head, memory, DECODED);
      assert.ok(with_.decode(memory, BLOCK, end, memory, DECODED, fields));
      return fields.finish(with_.outEnd, isEnd, isHead);
    };
    const head = new ResponseHead();
    memory.fill(0, DECODED, DECODED + 4_096);
    let isGood = true;
    if (received.again(decoder, memory, BLOCK, end, kind, head, memory, DECODED)) again++;
    else {
      const before = decoder.table.changes;
      isGood = read(decoder, head);
      if (isGood) {
        received.keep(decoder, before, memory, BLOCK, end, kind, head, memory, DECODED);
      }
    }
    const actual = isGood ? shown(head) : null;
    const expected = new ResponseHead();
    assert.is(read(plain, expected), isGood, text);
    if (isGood) assert.equal(actual, shown(expected), text);
  }
  assert.ok(again > ROUNDS / 20, `only ${again} came again`);
});

class CountingEncoder extends HpackEncoder {
  begun = 0;

  override begin(out: Uint8Array, at: number): number {
    this.begun++;
    return super.begin(out, at);
  }
}

test("what comes again is taken from what was kept, and what has a secret never is", () => {
  const sent = new SentBlock();
  const encoder = new CountingEncoder();
  /** Returns whether it was encoded. */
  const send = (text: string): boolean => {
    const before = encoder.begun;
    const head = new RequestHead();
    head.reset();
    assert.is(head.parse(memory, IN, place(text, IN)), 1);
    sendRequestHead(sent, encoder, memory, IN, head, BLOCK, true);
    return encoder.begun > before;
  };
  const plain = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
  const secret = "GET / HTTP/1.1\r\nHost: web\r\nCookie: a=b\r\n\r\n";
  assert.equal([send(plain), send(plain)], [true, true], "the first one fills the table");
  assert.equal([send(plain), send(plain)], [false, false]);
  assert.equal([send(secret), send(secret), send(secret)], [true, true, true]);
  encoder.setTableBytesMax(100);
  assert.is(send(plain), true, "the table is another");
});

test("a text whose fields lie elsewhere is another one", () => {
  const sent = new SentBlock();
  const encoder = new HpackEncoder();
  /** As who writes a head without parsing it may: nothing stands between name and value. */
  const send = (nameBytes: number): Uint8Array => {
    const head = new RequestHead();
    head.reset();
    head.fields.reset(0);
    head.method = Method.get;
    head.end = place("abc", IN) - IN;
    head.fields.add(Field.other, 0, nameBytes, nameBytes, head.end);
    const end = sendRequestHead(sent, encoder, memory, IN, head, BLOCK, false);
    return memory.slice(BLOCK, end);
  };
  for (const nameBytes of [1, 2]) send(nameBytes);
  assert.equal(send(1), send(1));
  assert.not.equal(send(2), send(1));
});

test("where nothing comes again, hardly anything is kept", () => {
  const pace = new MemoPace();
  const kept = Array.from({ length: 1_000 }, () => pace.miss()).filter(Boolean).length;
  assert.ok(kept < 25, `${kept} were kept`);
  pace.hit();
  assert.ok(pace.miss());
});

test.run();
