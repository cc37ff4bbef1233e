import * as assert from "uvu/assert";
import { detect } from "../../src/protocol/detect.ts";
import {
  DETECT_METHOD_BYTES_MAX,
  DETECT_TARGET_BYTES_MAX,
} from "../../src/protocol/detect-http1.ts";
import type { DetectReason, Verdict } from "../../src/protocol/verdict.ts";
import { capturedHello, clientHello, concat, latin1 } from "../support/client-hello.ts";
import { seeded } from "../support/random.ts";
import { forEachPrefix, forEachSplit } from "../support/splits.ts";
import { suite } from "../support/test.ts";

const test = suite("protocol/detect");

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

function look(input: string | Uint8Array, isFinal = false): Verdict {
  const bytes = typeof input === "string" ? latin1(input) : input;
  return detect(bytes, 0, bytes.length, isFinal);
}

/** Returns "PROTOCOL REASON", or "incomplete". */
function short(verdict: Verdict): string {
  return verdict.kind === "incomplete" ? "incomplete" : `${verdict.protocol} ${verdict.reason}`;
}

/** The verdict of each, which its last byte decides. */
const EXAMPLES: readonly (readonly [string, string])[] = [
  ["GET / HTTP/1.1", "http1 request-line"],
  ["POST /orders?id=1&x=%20#part HTTP/1.0", "http1 request-line"],
  ["OPTIONS * HTTP/1.1", "http1 request-line"],
  ["CONNECT orders.example:443 HTTP/1.1", "http1 request-line"],
  ["GET http://orders.example/ HTTP/1.1", "http1 request-line"],
  ["\r\nGET / HTTP/1.1", "http1 request-line"],
  ["P / HTTP/1.1", "http1 request-line"],
  ["PUT / HTTP/1.1", "http1 request-line"],
  ["PRI * HTTP/1.1", "http1 request-line"],
  ["PROPFIND /a HTTP/1.1", "http1 request-line"],
  ["!#$%&'*+-.^_`|~09azAZ / HTTP/1.1", "http1 request-line"],
  ["get / HTTP/1.1", "http1 request-line"],
  ["GET /\u00ff HTTP/1.1", "http1 request-line"],
  ["GET / HTTP/2.0", "http1 request-line"],
  ["GET / HTTP/9.9", "http1 request-line"],
  ["GET / HTTP/1.9", "http1 request-line"],
  [PREFACE, "http2 preface"],
  ["HELO host\r\n", "opaque not-recognised"],
  ["EHLO a b\n", "opaque not-recognised"],
  ["GET key\r\n", "opaque not-recognised"],
  ["get k\r", "opaque not-recognised"],
  ["PING\r", "opaque not-recognised"],
  ["*1\r", "opaque not-recognised"],
  ["SSH-2.0-OpenSSH_9.2p1 Debian-2\r", "opaque not-recognised"],
  ["\0", "opaque not-recognised"],
  ["\x80", "opaque not-recognised"],
  ["GET / h", "opaque malformed-request-line"],
  ["GET /\r", "opaque malformed-request-line"],
  ["GET /a b", "opaque malformed-request-line"],
  ["\n\nGET / HTTP/1.1", "opaque malformed-request-line"],
  ["BREW  / HTTP/", "opaque malformed-request-line"],
  [" GET / HTTP/", "opaque malformed-request-line"],
  ["GET\v/\x1cHTTP/", "opaque malformed-request-line"],
  ["word 0 w", "opaque not-recognised"],
  // The lengths of MongoDB's messages, and gzip.
  [" \x01", "opaque not-recognised"],
  ["\n\x01", "opaque not-recognised"],
  ["\x1f\x8b", "opaque not-recognised"],
];

test("detect() decides with the first byte that can decide, and with no byte less", () => {
  for (const [text, verdict] of EXAMPLES) {
    assert.is(short(look(text)), verdict, JSON.stringify(text));
    assert.is(short(look(text, true)), verdict, JSON.stringify(text));
    forEachPrefix(latin1(text), (prefix, length) => {
      assert.equal(look(prefix), { kind: "incomplete", needBytes: length + 1 });
      assert.is(look(prefix, true).kind, "decided");
    });
  }
});

test("detect() reads its range only, wherever the bytes were split", () => {
  for (const [text, verdict] of EXAMPLES) {
    forEachSplit(latin1(text), (head, tail) => {
      const bytes = concat([latin1("GET"), head, tail, latin1("\0\0\0\0\0\0\0\0")]);
      const end = 3 + head.length + tail.length;
      assert.is(short(detect(bytes, 3, end, false)), verdict);
      if (tail.length === 0) return;
      const cut = concat([latin1("PRI "), head, latin1("1.1 HTTP/1.1")]);
      assert.equal(detect(cut, 4, 4 + head.length, false), look(head));
      assert.equal(detect(cut, 4, 4 + head.length, true), look(head, true));
    });
  }
});

test("detect() keeps its verdict whatever follows", () => {
  const random = seeded("followers");
  for (const [text, verdict] of EXAMPLES) {
    for (let round = 0; round < 50; round += 1) {
      const bytes = concat([latin1(text), random.bytes(random.below(40))]);
      assert.is(short(look(bytes, random.chance(0.5))), verdict, JSON.stringify(text));
    }
  }
});

test("detect() shares one frozen result per verdict without names", () => {
  const verdict = look("GET / HTTP/1.1\r\n");
  assert.is(verdict, look("POST /a HTTP/1.0\r\n"));
  assert.ok(Object.isFrozen(verdict));
  assert.equal(verdict, {
    kind: "decided",
    protocol: "http1",
    sni: null,
    alpn: [],
    reason: "request-line",
  });
  assert.is(look(clientHello({})), look(clientHello({ keyShareBytes: 32 })));
});

test("detect() takes a preface that breaks off for a request line, unless it went beyond one", () => {
  for (let length = 1; length < PREFACE.length; length += 1) {
    const expected =
      length > 14 ? "http2 unfinished" : length === 14 ? "http1 request-line" : "http1 unfinished";
    assert.is(short(look(PREFACE.slice(0, length), true)), expected, String(length));
  }
  for (let at = 0; at < PREFACE.length; at += 1) {
    const broken = `${PREFACE.slice(0, at)}\0${PREFACE.slice(at + 1)}`;
    // Where a version of HTTP is left in the line, a lenient server might take it.
    const isLenient = at === 4 || at > 10;
    const before = isLenient ? "opaque malformed-request-line" : "opaque not-recognised";
    assert.is(short(look(broken, true)), at < 14 ? before : "http1 request-line", String(at));
  }
  assert.is(short(look(`${PREFACE}\0\0\0\x04`)), "http2 preface");
  assert.is(short(look(`\r\n${PREFACE}`)), "http1 request-line");
  assert.is(short(look(PREFACE.toLowerCase())), "opaque not-recognised");
});

test("detect() gives half a request of a known method to HTTP/1 when no more comes", () => {
  for (const method of METHODS) {
    assert.is(short(look(method, true)), "http1 unfinished");
    for (const rest of ["", "/", "key", "/a ", "/a HTT", "/a HTTP/", "/a HTTP/1", "/a HTTP/1."]) {
      const text = `${method} ${rest}`;
      assert.equal(look(text), { kind: "incomplete", needBytes: text.length + 1 });
      assert.is(short(look(text, true)), "http1 unfinished", text);
      assert.is(short(look(`\r\n${text}`, true)), "http1 unfinished", text);
    }
  }
  for (const text of [
    "PROPFIND /",
    "GETS /",
    "GE",
    "GE ",
    " ",
    "\t ",
    "\r",
    "\r\n",
    "\n\n",
    "OTHER h",
  ]) {
    assert.is(short(look(text)), "incomplete");
    assert.is(short(look(text, true)), "http1 unfinished", JSON.stringify(text));
  }
  for (const text of ["get /", "SET k", "hello", "word 0 "]) {
    assert.is(short(look(text)), "incomplete");
    assert.is(short(look(text, true)), "opaque unfinished", JSON.stringify(text));
  }
});

test("detect() is opaque for a line that is no request line, and says when it looked like one", () => {
  const cases: readonly (readonly [string, DetectReason])[] = [
    ["GET /\r\n", "malformed-request-line"],
    ["GET /\n", "malformed-request-line"],
    ["GET /a\tHTTP/1.1", "malformed-request-line"],
    ["GET /a\0b HTTP/1.1", "malformed-request-line"],
    ["GET /a\x7f HTTP/1.1", "malformed-request-line"],
    ["GET /  HTTP/1.1", "malformed-request-line"],
    ["GET / http/1.1", "malformed-request-line"],
    ["GET / HTTP/01.1", "malformed-request-line"],
    ["GET / HTTP/11.1", "malformed-request-line"],
    ["GET / HTTP/1,1", "malformed-request-line"],
    ["GET / HTTP/1.x", "malformed-request-line"],
    ["GET / HTTPS/1.1", "malformed-request-line"],
    ["GET https://orders.example/\r\n", "malformed-request-line"],
    // What nginx, Node or Python would read as a request.
    ["GET  / HTTP/1.1", "malformed-request-line"],
    ["FOO  / HTTP/1.1", "malformed-request-line"],
    ["FOO   a b c HTTP/1.0", "malformed-request-line"],
    ["foo   a b c HTTP/1.0", "not-recognised"],
    ["GET\t/ HTTP/1.1", "malformed-request-line"],
    ["GET /\tHTTP/1.1", "malformed-request-line"],
    [`${"M".repeat(40)} / HTTP/1.1`, "malformed-request-line"],
    [" GET / HTTP/1.1", "malformed-request-line"],
    ["\nGET / HTTP/1.1", "malformed-request-line"],
    ["\r\rGET / HTTP/1.1", "malformed-request-line"],
    ["\r\n\r\nGET / HTTP/1.1", "malformed-request-line"],
    ["\n\n\n\n\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "malformed-request-line"],
    ["\n\n\nPING\r\n", "not-recognised"],
    ["SET  a  b HTTPS/1\n", "not-recognised"],
    ["RTSP  x RTSP/1.0\n", "not-recognised"],
    ["GET\r\n", "not-recognised"],
    ["GET key\r\n", "not-recognised"],
    ["GET http:key\r\n", "not-recognised"],
    ["SET /k v\r\n", "not-recognised"],
    ["G\xc9T / HTTP/1.1", "not-recognised"],
    ["GET: / HTTP/1.1", "not-recognised"],
  ];
  for (const [text, reason] of cases) {
    assert.is(short(look(text)), `opaque ${reason}`, JSON.stringify(text));
    assert.is(short(look(text, true)), `opaque ${reason}`, JSON.stringify(text));
  }
});

test("detect() takes methods up to DETECT_METHOD_BYTES_MAX", () => {
  const method = "M".repeat(DETECT_METHOD_BYTES_MAX);
  assert.is(short(look(method)), "incomplete");
  assert.is(short(look(`${method} / HTTP/1.1`)), "http1 request-line");
  assert.is(short(look(`${method}M`)), "incomplete");
  assert.is(short(look(`${method}M\n`)), "opaque not-recognised");
  assert.is(short(look(`${method}M / HTTP/1.1`)), "opaque malformed-request-line");
});

test("detect() takes targets up to DETECT_TARGET_BYTES_MAX, and tells HTTP beyond it", () => {
  const fill = (start: string, length: number): string => start.padEnd(length, "a");
  const max = DETECT_TARGET_BYTES_MAX;
  assert.is(short(look(`GET ${fill("/", max)}`)), "incomplete");
  assert.is(short(look(`GET ${fill("/", max)} HTTP/1.1`)), "http1 request-line");
  assert.is(short(look(`GET ${fill("key", max)} HTTP/1.1`)), "http1 request-line");
  for (const start of ["/", "http://orders", "https://orders"]) {
    assert.is(short(look(`GET ${fill(start, max + 1)}`)), "http1 too-long", start);
    assert.is(short(look(`GET ${fill(start, 64 * 1024)} HTTP/1.1`)), "http1 too-long", start);
    assert.is(short(look(`PROPFIND ${fill(start, max + 1)}`)), "opaque too-long", start);
  }
  for (const start of ["key", "http:/", "https:", "*"]) {
    assert.is(short(look(`GET ${fill(start, max + 1)}`)), "opaque too-long", start);
  }
});

test("detect() is opaque when no byte has come at all", () => {
  assert.equal(look(""), { kind: "incomplete", needBytes: 1 });
  assert.is(short(look("", true)), "opaque timeout");
});

test("detect() reads the names of a ClientHello, and waits for all of it", () => {
  const bytes = capturedHello("go-post-quantum");
  const expected: Verdict = {
    kind: "decided",
    protocol: "tls",
    sni: "orders.example.com",
    alpn: ["h2", "http/1.1"],
    reason: "client-hello",
  };
  assert.equal(look(bytes), expected);
  assert.equal(look(bytes, true), expected);
  forEachPrefix(bytes, (prefix, length) => {
    const part = look(prefix);
    assert.is(part.kind, "incomplete");
    if (part.kind === "incomplete") {
      assert.ok(part.needBytes > length && part.needBytes <= bytes.length);
    }
    const expectedAtEnd =
      length === 0 ? "opaque timeout" : length < 6 ? "opaque unfinished" : "tls unfinished";
    assert.is(short(look(prefix, true)), expectedAtEnd);
  });
});

test("detect() returns the application protocols of a hello without a server name", () => {
  const verdict = look(capturedHello("openssl-alpn"));
  assert.is(verdict.kind === "decided" && verdict.sni, null);
  assert.equal(verdict.kind === "decided" && verdict.alpn, ["transport.l5d.io/v1"]);
});

test("detect() does not look beyond its end for the type of a handshake", () => {
  const bytes = capturedHello("openssl-bare");
  assert.is(short(detect(bytes, 0, 5, true)), "opaque unfinished");
  assert.is(short(detect(bytes, 0, 6, true)), "tls unfinished");
});

test("detect() says when an opaque connection began as a ClientHello", () => {
  const lies = clientHello({ sni: "web", lies: { hostName: 1 } });
  assert.is(short(look(lies)), "opaque malformed-hello");
  assert.is(short(look(lies, true)), "opaque malformed-hello");
  assert.is(short(look("\x16\x03\x01\x00\x04\x02")), "opaque not-recognised");
  assert.is(short(look("\x16\x02")), "opaque not-recognised");
  assert.is(short(look("\x16\x03\x01\x00\x00")), "opaque not-recognised");
});

test("detect() never throws, never waits at the end and never changes a verdict", () => {
  const random = seeded("mutated first bytes");
  const alphabet = latin1("GETPRI HTTP/1.1\r\n*:/\x16\x03\x01\0\x7fa9");
  const hello = clientHello({ sni: "web", alpn: ["h2"] });
  const seeds = [...EXAMPLES.map(([text]) => latin1(text)), hello, latin1(PREFACE)];
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = random.pick(seeds).slice();
    for (let count = random.below(4); count > 0; count -= 1) {
      bytes[random.below(bytes.length)] = random.pick([...alphabet]);
    }
    const part = detect(bytes, 0, random.below(bytes.length + 1), false);
    const whole = look(bytes);
    assert.is(look(bytes, true).kind, "decided");
    if (part.kind === "decided") assert.equal(whole, part);
    if (whole.kind === "incomplete") assert.ok(whole.needBytes > bytes.length);
    else assert.equal(look(bytes, true), whole);
  }
});

test.run();
