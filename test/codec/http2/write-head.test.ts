// The blocks that we send, read by a second decoder; and requests and responses that travel as
// HTTP/2 between two sidecars and come out as the HTTP/1 that went in.
import * as assert from "uvu/assert";
import { HpackDecoder } from "../../../src/codec/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/codec/hpack/encoder.ts";
import { encodeTrailers } from "../../../src/codec/http2/write-head.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import { seeded } from "../../support/random.ts";
import { latin1 } from "../../support/read-http1.ts";
import { suite } from "../../support/test.ts";
import {
  encodeRequestText,
  encodeResponseText,
  fieldsIn,
  readRequestBlock,
  readResponseBlock,
  readTrailerBlock,
} from "./harness.ts";

const test = suite("codec/http2/write-head");

const LINE = "GET / HTTP/1.1\r\nHost: web\r\n";
const FOUR = [":method: GET", ":scheme: http", ":authority: web", ":path: /"];

type Row = readonly [what: string, text: string, fields: readonly string[]];

const REQUESTS: readonly Row[] = [
  ["the four and nothing else", LINE, FOUR],
  [
    "names in lower case, in their order",
    `${LINE}X-B: 1\r\nX-A:\r\n`,
    [...FOUR, "x-b: 1", "x-a: "],
  ],
  [
    "nothing of the connection",
    `${LINE}Connection: keep-alive, X-A\r\nKeep-Alive: 5\r\nX-A: b\r\nProxy-Connection: close\r\n`,
    FOUR,
  ],
  ["no Upgrade, no HTTP2-Settings", `${LINE}Upgrade: h2c\r\nHTTP2-Settings: x\r\n`, FOUR],
  ["TE: trailers alone", `${LINE}TE: gzip, trailers\r\n`, [...FOUR, "te: trailers"]],
  ["no other TE", `${LINE}TE: gzip\r\n`, FOUR],
  [
    "no identity, nothing of the mesh",
    `${LINE}L5d-Client-Id: x\r\nX-Forwarded-Client-Cert: x\r\nl5d-orig-proto: HTTP/1.0\r\n`,
    FOUR,
  ],
  [
    "secrets for no table",
    `${LINE}Cookie: a=b\r\nAuthorization: x\r\nProxy-Authorization: y\r\n`,
    [...FOUR, "cookie: a=b (never)", "authorization: x (never)", "proxy-authorization: y (never)"],
  ],
  [
    "no Transfer-Encoding",
    "POST /a HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n",
    [":method: POST", ":scheme: http", ":authority: web", ":path: /a"],
  ],
  [
    "a length as a number",
    "PUT /a HTTP/1.1\r\nHost: web\r\nContent-Length: 007\r\n",
    [":method: PUT", ":scheme: http", ":authority: web", ":path: /a", "content-length: 7"],
  ],
  [
    "the authority of the target, not of Host",
    "GET http://one/x HTTP/1.1\r\nHost: two\r\n",
    [":method: GET", ":scheme: http", ":authority: one", ":path: /x"],
  ],
  ["/ for an absolute target without a path", "GET http://web HTTP/1.1\r\nHost: web\r\n", FOUR],
  [
    "* for OPTIONS without a path",
    "OPTIONS http://web HTTP/1.1\r\nHost: web\r\n",
    [":method: OPTIONS", ":scheme: http", ":authority: web", ":path: *"],
  ],
  [
    "* for OPTIONS *",
    "OPTIONS * HTTP/1.1\r\nHost: web\r\n",
    [":method: OPTIONS", ":scheme: http", ":authority: web", ":path: *"],
  ],
];

for (const [what, text, fields] of REQUESTS) {
  test(`a request has ${what}`, () => {
    assert.equal(fieldsIn(encodeRequestText(`${text}\r\n`, false)), fields);
  });
}

test("a request for https says so", () => {
  const block = encodeRequestText(`${LINE}\r\n`, false, new HpackEncoder(), (head) => {
    head.isHttps = true;
  });
  assert.is(fieldsIn(block)[1], ":scheme: https");
});

test("the same request again is a byte for each field", () => {
  const encoder = new HpackEncoder();
  const reader = new HpackReader();
  const text = `${LINE}User-Agent: test\r\nL5d-X: y\r\nETag: x\r\n\r\n`;
  const first = encodeRequestText(text, true, encoder);
  const second = encodeRequestText(text, true, encoder);
  assert.equal(fieldsIn(first, reader), fieldsIn(second, reader));
  assert.is(second.length, 4 + 5, "Host, two fields, the version and the case of the names");
});

/** Requests of HTTP/1, as our own writer would have them, which must come out as they went in. */
const CARRIED: readonly (readonly [what: string, text: string, isEnd?: boolean])[] = [
  ["a plain one", LINE],
  ["names of any case", `${LINE}x-a: 1\r\nX-B: 2\r\nETAG: 3\r\neTag: 4\r\nX-Request-ID: 5\r\n`],
  ["Host in lower case, not first", "GET / HTTP/1.1\r\nX-A: b\r\nhost: web\r\nX-C: d\r\n"],
  ["absolute form", "GET http://web/x HTTP/1.1\r\nHost: web\r\n"],
  ["HTTP/1.0", "GET / HTTP/1.0\r\nHost: web\r\nX-A: b\r\nConnection: close\r\n"],
  [
    "chunked, between two fields",
    "POST / HTTP/1.1\r\nHost: web\r\nX-A: b\r\ntransfer-encoding: chunked\r\nX-C: d\r\n",
    false,
  ],
  [
    "chunked as the last field",
    "POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n",
    false,
  ],
  ["a length", "POST / HTTP/1.1\r\nContent-Length: 5\r\nHost: web\r\nX-A: b\r\n", false],
  ["POST without a length", "POST / HTTP/1.1\r\nHost: web\r\n"],
  ["a cookie", `${LINE}COOKIE: a=b; c=d\r\nX-A: b\r\n`],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: web\r\nX-A: b\r\n"],
  ["Expect", "PUT / HTTP/1.1\r\nHost: web\r\nEXPECT: 100-continue\r\nContent-Length: 5\r\n", false],
];

for (const [what, text, isEnd = true] of CARRIED) {
  test(`a request comes out as it went in: ${what}`, () => {
    const isAbsolute = text.startsWith("GET http:");
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (let times = 0; times < 2; times++) {
      const block = encodeRequestText(`${text}\r\n`, true, encoder, (head) => {
        if (isAbsolute) head.keepsAbsolute = true;
      });
      const options = { isEnd, believesMesh: true };
      const { verdict, written } = readRequestBlock(block, options, decoder);
      assert.is(verdict, "ok");
      assert.is(written, `${text}\r\n`);
    }
  });
}

test("requests with random names come out as they went in", () => {
  const random = seeded("carried");
  for (let round = 0; round < 200; round++) {
    const lines = Array.from({ length: random.below(20) }, (_, i) => {
      const word = Array.from({ length: random.between(1, 9) }, () => random.pick([..."aBcDe-"]));
      return `X${i}${word.join("")}: ${random.below(100)}\r\n`;
    });
    const text = `${LINE}${lines.join("")}\r\n`;
    const block = encodeRequestText(text, true);
    assert.is(readRequestBlock(block, { believesMesh: true }).written, text);
    const other = readRequestBlock(block, { believesMesh: false });
    assert.is(other.written.toLowerCase(), text.toLowerCase(), "only the case is lost");
    assert.is(other.head.origVersion, -1);
  }
});

test("a request of as many fields as may be gets from one sidecar to the other", () => {
  for (const count of [97, 98]) {
    const lines = Array.from({ length: count }, (_, i) => `${i % 2 === 0 ? "X" : "x"}-${i}: b\r\n`);
    const text = `POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n${lines.join("")}\r\n`;
    const options = { isEnd: false, believesMesh: true };
    const { verdict, written } = readRequestBlock(encodeRequestText(text, true), options);
    assert.is(verdict, "ok");
    assert.is(written, text);
  }
});

test("never-indexed is kept, through a request and a response", () => {
  const block = encodeRequestText(
    `${LINE}X-A: b\r\nX-C: d\r\n\r\n`,
    false,
    new HpackEncoder(),
    (head) => head.fields.markNeverIndexed(2),
  );
  assert.equal(fieldsIn(block).slice(4), ["x-a: b", "x-c: d (never)"]);
  assert.equal(readRequestBlock(block).lines, [
    ["x-a", "b"],
    ["x-c", "d", true],
  ]);
});

const RESPONSES: readonly Row[] = [
  ["a status", "HTTP/1.1 200 OK\r\n", [":status: 200"]],
  ["another status", "HTTP/1.1 418 Teapot\r\n", [":status: 418"]],
  [
    "nothing of the connection",
    "HTTP/1.1 404 No\r\nConnection: close, X-A\r\nX-A: b\r\nKeep-Alive: timeout=5\r\nX-C: d\r\n",
    [":status: 404", "x-c: d"],
  ],
  [
    "no coding, but a length",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    [":status: 200", "content-length: 5"],
  ],
  ["no chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", [":status: 200"]],
  ["no length with 204", "HTTP/1.1 204 No\r\nContent-Length: 0\r\n", [":status: 204"]],
  [
    "a length with 304",
    "HTTP/1.1 304 No\r\nContent-Length: 9\r\n",
    [":status: 304", "content-length: 9"],
  ],
  ["an interim status", "HTTP/1.1 103 Hints\r\nLink: x\r\n", [":status: 103", "link: x"]],
  [
    "set cookies for no table",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n",
    [":status: 200", "set-cookie: a=b (never)", "set-cookie: c=d (never)"],
  ],
];

for (const [what, text, fields] of RESPONSES) {
  test(`a response has ${what}`, () => {
    assert.equal(fieldsIn(encodeResponseText(`${text}\r\n`)), fields);
  });
}

test("a response to a sidecar tells its version and the case of its names", () => {
  const text = "HTTP/1.1 200 OK\r\nETag: x\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n";
  const block = encodeResponseText(text, 0);
  assert.ok(fieldsIn(block).includes("l5d-orig-proto: HTTP/1.0"));
  const { lines } = readResponseBlock(block, false, false, true);
  const names = lines.map(([name]) => name).filter((name) => !name.startsWith("l5d-"));
  assert.equal(names, ["ETag", "X-A", "transfer-encoding"]);
});

test("trailers are sent in lower case, and their case is carried to a sidecar", () => {
  const lines = latin1("X-Sum: 7\r\neTag: \r\nx-long: 12345678901234567890\r\n");
  const out = new Uint8Array(1_024);
  for (const carries of [false, true]) {
    const end = encodeTrailers(new HpackEncoder(), lines, 0, lines.length, out, 100, carries);
    const block = out.slice(100, end);
    const fields = ["x-sum: 7", "etag: ", "x-long: 12345678901234567890"];
    assert.equal(fieldsIn(block).slice(0, 3), fields);
    assert.is(fieldsIn(block).length, carries ? 4 : 3);
    const names = readTrailerBlock(block)?.map(([name]) => name);
    const cased = carries
      ? ["X-Sum", "eTag", "x-long", "l5d-orig-case"]
      : ["x-sum", "etag", "x-long"];
    assert.equal(names, cased);
  }
});

test.run();
