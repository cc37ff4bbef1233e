// Which blocks are requests, RFC 9113 §8.1.1 to §8.5, and what a backend of HTTP/1 gets of them.
import * as assert from "uvu/assert";
import type { Field } from "../../support/http2-fields.ts";
import { suite } from "../../support/test.ts";
import { readRequestFields } from "./harness.ts";

const test = suite("codec/http2/request-fields");

const METHOD: Field = [":method", "GET"];
const SCHEME: Field = [":scheme", "http"];
const AUTHORITY: Field = [":authority", "web"];
const PATH: Field = [":path", "/"];
const ALL: readonly Field[] = [METHOD, SCHEME, AUTHORITY, PATH];

/** The four with one of them replaced, or left out. */
function but(name: string, value: string | null): Field[] {
  return ALL.flatMap((field): Field[] => {
    if (field[0] !== name) return [field];
    return value === null ? [] : [[name, value]];
  });
}

type Row = readonly [what: string, fields: readonly Field[], isEnd?: boolean];

const MALFORMED: readonly Row[] = [
  ["no :method", but(":method", null)],
  ["no :scheme", but(":scheme", null)],
  ["no :path", but(":path", null)],
  ["neither :authority nor Host", but(":authority", null)],
  ["nothing at all", []],
  ["an empty :method", but(":method", "")],
  ["an empty :scheme", but(":scheme", "")],
  ["an empty :authority", but(":authority", "")],
  ["an empty :path", but(":path", "")],
  ["two :method", [...ALL, METHOD]],
  ["two :scheme", [...ALL, SCHEME]],
  ["two :authority", [...ALL, AUTHORITY]],
  ["two :path", [...ALL, PATH]],
  ["a pseudo-header field behind a field", [METHOD, SCHEME, ["x-a", "b"], AUTHORITY, PATH]],
  [":status", [...ALL, [":status", "200"]]],
  [":protocol without the setting", [...but(":method", "CONNECT"), [":protocol", "websocket"]]],
  ["an unknown pseudo-header field", [...ALL, [":version", "2"]]],
  ["a name that is a colon", [...ALL, [":", "x"]]],
  ["a method with a blank and a version", but(":method", "GET / HTTP/1.1\r\nX:")],
  ["a method with a blank", but(":method", "GET ")],
  ["a method with a comma", but(":method", "G,T")],
  ["a method of 33 bytes", but(":method", "M".repeat(33))],
  ["a path with a blank", but(":path", "/a b")],
  ["a path with CRLF", but(":path", "/ HTTP/1.1\r\nHost: other\r\n\r\n")],
  ["a path with NUL", but(":path", "/\0")],
  ["a path with a fragment", but(":path", "/a#b")],
  ["a path with bytes above 127", but(":path", "/\xe9")],
  ["a path without a slash", but(":path", "a")],
  ["a path that is a URL", but(":path", "http://web/")],
  ["* for GET", but(":path", "*")],
  ["** for OPTIONS", [[":method", "OPTIONS"], SCHEME, AUTHORITY, [":path", "**"]]],
  ["a scheme with CRLF", but(":scheme", "http\r\nx: y")],
  ["a scheme that is a URL", but(":scheme", "https://x/")],
  ["another scheme", but(":scheme", "ftp")],
  ["an authority with a user", but(":authority", "user@web")],
  ["an authority with a path", but(":authority", "web/x")],
  ["an authority with a blank", but(":authority", "we b")],
  ["an authority with CRLF", but(":authority", "web\r\nx: y")],
  ["an authority with a port above 65535", but(":authority", "web:65536")],
  ["an authority that is a list", but(":authority", "web,other")],
  ["Host unlike :authority", [...ALL, ["host", "other"]]],
  ["Host like :authority but for the port", [...ALL, ["host", "web:80"]]],
  ["two Host", [...but(":authority", null), ["host", "web"], ["host", "web"]]],
  ["an empty Host alone", [...but(":authority", null), ["host", ""]]],
  ["Connection", [...ALL, ["connection", "close"]]],
  ["Keep-Alive", [...ALL, ["keep-alive", "timeout=5"]]],
  ["Proxy-Connection", [...ALL, ["proxy-connection", "keep-alive"]]],
  ["Upgrade", [...ALL, ["upgrade", "websocket"]]],
  ["Transfer-Encoding", [...ALL, ["transfer-encoding", "chunked"]], false],
  ["Transfer-Encoding: identity", [...ALL, ["transfer-encoding", "identity"]], false],
  ["TE: gzip", [...ALL, ["te", "gzip"]]],
  ["TE: trailers, gzip", [...ALL, ["te", "trailers, gzip"]]],
  ["an empty TE", [...ALL, ["te", ""]]],
  ["a capital in a name", [...ALL, ["X-a", "b"]]],
  ["an empty name", [...ALL, ["", "b"]]],
  ["a blank in a name", [...ALL, ["a b", "c"]]],
  ["a colon in a name", [...ALL, ["a: b", "c"]]],
  ["CRLF in a name", [...ALL, ["a\r\nb", "c"]]],
  ["a byte above 127 in a name", [...ALL, ["\xe9", "c"]]],
  ["CRLF in a value", [...ALL, ["foo", "a\r\nHost: b"]]],
  ["LF in a value", [...ALL, ["foo", "a\nb"]]],
  ["CR in a value", [...ALL, ["foo", "a\rb"]]],
  ["NUL in a value", [...ALL, ["foo", "a\0b"]]],
  ["a blank before a value", [...ALL, ["foo", " a"]]],
  ["a blank behind a value", [...ALL, ["foo", "a "]]],
  ["a tab behind a value", [...ALL, ["foo", "a\t"]]],
  ["a length and no content", [...ALL, ["content-length", "5"]]],
  ["two lengths", [...ALL, ["content-length", "5"], ["content-length", "6"]], false],
  ["the same length twice", [...ALL, ["content-length", "5"], ["content-length", "5"]], false],
  ["a length with a sign", [...ALL, ["content-length", "+5"]], false],
  ["a length that is a list", [...ALL, ["content-length", "5, 5"]], false],
  ["an empty length", [...ALL, ["content-length", ""]], false],
  ["a length of 16 digits", [...ALL, ["content-length", "1000000000000000"]], false],
  ["CONNECT with :path", but(":method", "CONNECT")],
];

for (const [what, fields, isEnd = true] of MALFORMED) {
  test(`a request is malformed: ${what}`, () => {
    for (const form of ["plain", "indexed", "never"] as const) {
      assert.is(readRequestFields(fields, { isEnd, form }).verdict, "malformed");
    }
  });
}

const ANSWERED: readonly (readonly [what: string, fields: readonly Field[], error: string])[] = [
  ["TRACE", but(":method", "TRACE"), "method-not-allowed"],
  [
    "CONNECT",
    [
      [":method", "CONNECT"],
      [":authority", "web:80"],
    ],
    "method-not-allowed",
  ],
  ["a path of more than 16 KiB", but(":path", `/${"a".repeat(16_384)}`), "target-too-long"],
  ["another expectation", [...ALL, ["expect", "200-ok"]], "expectation-failed"],
  [
    "101 fields",
    [...ALL, ...Array.from({ length: 101 }, (_, i): Field => [`x-${i}`, ""])],
    "too-many-fields",
  ],
  ["64 KiB of fields", [...ALL, ["x-a", "y".repeat(65_334)]], "head-too-large"],
];

for (const [what, fields, error] of ANSWERED) {
  test(`a request is answered with an error: ${what}`, () => {
    assert.is(readRequestFields(fields).verdict, error);
  });
}

type Good = readonly [what: string, fields: readonly Field[], written: string, isEnd?: boolean];

const HEAD = "GET / HTTP/1.1\r\nHost: web\r\n";
const POST = "POST / HTTP/1.1\r\nHost: web\r\n";
const POSTED = but(":method", "POST");

const GOOD: readonly Good[] = [
  ["the four", ALL, HEAD],
  ["their order does not matter", [PATH, AUTHORITY, SCHEME, METHOD], HEAD],
  ["fields in their order", [...ALL, ["x-b", "1"], ["x-a", ""]], `${HEAD}x-b: 1\r\nx-a: \r\n`],
  ["Host alone", [...but(":authority", null), ["host", "web"]], "GET / HTTP/1.1\r\nhost: web\r\n"],
  ["Host like :authority", [...ALL, ["host", "WEB"]], "GET / HTTP/1.1\r\nhost: WEB\r\n"],
  ["an authority with a port", but(":authority", "web:80"), "GET / HTTP/1.1\r\nHost: web:80\r\n"],
  ["an IPv6 address", but(":authority", "[::1]:8"), "GET / HTTP/1.1\r\nHost: [::1]:8\r\n"],
  ["https", but(":scheme", "https"), HEAD],
  ["a scheme in capitals", but(":scheme", "HTTP"), HEAD],
  ["a query", but(":path", "/?a=b&c"), "GET /?a=b&c HTTP/1.1\r\nHost: web\r\n"],
  [
    "* for OPTIONS",
    [[":method", "OPTIONS"], SCHEME, AUTHORITY, [":path", "*"]],
    "OPTIONS * HTTP/1.1\r\nHost: web\r\n",
  ],
  ["a method of its own", but(":method", "get"), "get / HTTP/1.1\r\nHost: web\r\n"],
  ["TE: trailers", [...ALL, ["te", "trailers"]], `${HEAD}TE: trailers\r\nConnection: TE\r\n`],
  [
    "a value with blanks within and bytes above 127",
    [...ALL, ["x-a", "b \t\xe9"]],
    `${HEAD}x-a: b \t\xe9\r\n`,
  ],
  ["content without a length", POSTED, `${POST}Transfer-Encoding: chunked\r\n`, false],
  [
    "content with a length",
    [...POSTED, ["content-length", "5"], ["x-a", "b"]],
    `${POST}content-length: 5\r\nx-a: b\r\n`,
    false,
  ],
  [
    "a length with zeros before it",
    [...POSTED, ["content-length", "005"]],
    `${POST}Content-Length: 5\r\n`,
    false,
  ],
  ["no content where some is expected", POSTED, `${POST}Content-Length: 0\r\n`],
  ["a length of 0", [...ALL, ["content-length", "0"]], `${HEAD}content-length: 0\r\n`],
  [
    "Expect: 100-continue",
    [...POSTED, ["expect", "100-continue"], ["content-length", "5"]],
    `${POST}expect: 100-continue\r\ncontent-length: 5\r\n`,
    false,
  ],
  ["an identity, which is dropped", [...ALL, ["x-forwarded-client-cert", "x"]], HEAD],
  ["fields of the mesh, which are dropped", [...ALL, ["l5d-client-id", "x"]], HEAD],
  ["HTTP2-Settings, which is dropped", [...ALL, ["http2-settings", "x"]], HEAD],
  [
    "cookie crumbs, at the place of the first",
    [...ALL, ["cookie", "a=b"], ["x-a", "b"], ["cookie", "c=d"], ["cookie", "e=f"]],
    `${HEAD}cookie: a=b; c=d; e=f\r\nx-a: b\r\n`,
  ],
];

for (const [what, fields, written, isEnd = true] of GOOD) {
  test(`a request is right: ${what}`, () => {
    for (const form of ["plain", "indexed", "never"] as const) {
      const read = readRequestFields(fields, { isEnd, form });
      assert.is(read.verdict, "ok");
      assert.is(read.written, `${written}\r\n`);
    }
  });
}

test("what the fields say is in the head", () => {
  const fields: Field[] = [
    ["content-type", "application/grpc+proto"],
    ["te", "trailers"],
  ];
  const { head } = readRequestFields([...but(":scheme", "https"), ...fields], { isEnd: false });
  assert.ok(head.isGrpc && head.acceptsTrailers && head.isHttps && head.framing.isChunked);
  assert.is(head.minorVersion, 1);
  const other = readRequestFields([...ALL, ["content-type", "application/grp"]]).head;
  assert.not(other.isGrpc || other.acceptsTrailers || other.isHttps || other.framing.isChunked);
});

test("of one hundred fields none is too many", () => {
  const hundred = Array.from({ length: 100 }, (_, i): Field => [`x-${i}`, ""]);
  assert.is(readRequestFields([...ALL, ...hundred]).verdict, "ok");
});

test.run();
