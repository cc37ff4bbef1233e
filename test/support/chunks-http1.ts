/** Chunked bodies, and what is in them: a row per case, numbered H1-08 … H1-12. */
import type { Http1Error } from "../../src/codec/http1/errors.ts";

export type ChunkedRow = { readonly name: string; readonly input: string } & (
  | { readonly error: Http1Error }
  | {
      readonly error: null;
      readonly data: string;
      /** All fields, as they came. */
      readonly trailers: readonly string[];
      /** Those that are sent on. */
      readonly passed: readonly string[];
      readonly rest: string;
    }
);

function bad(hazard: string, error: Http1Error, ...inputs: readonly string[]): ChunkedRow[] {
  return inputs.map((input) => ({
    name: `${hazard} ${JSON.stringify(input.slice(0, 60))}`,
    input,
    error,
  }));
}

function passes(
  name: string,
  input: string,
  data: string,
  more: { trailers?: readonly string[]; passed?: readonly string[]; rest?: string } = {},
): ChunkedRow {
  const { trailers = [], passed = trailers, rest = "" } = more;
  return {
    name: `${name} ${JSON.stringify(input.slice(0, 60))}`,
    input,
    error: null,
    data,
    trailers,
    passed,
    rest,
  };
}

const FORBIDDEN = [
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Host: b",
  "Authorization: Basic x",
  "l5d-client-id: x",
  "L5D-X: y",
  "Connection: close",
  "TE: trailers",
  "Trailer: x",
  "Upgrade: h",
  "Expect: 100-continue",
  "Keep-Alive: timeout=1",
  "Set-Cookie: a=b",
  "Cookie: a=b",
  "Content-Type: x",
  "Content-Encoding: gzip",
  "X-Forwarded-For: 1.2.3.4",
  "X-Forwarded-Client-Cert: x",
];

export const CHUNKED: readonly ChunkedRow[] = [
  passes("one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"),
  passes("no chunk", "0\r\n\r\n", ""),
  passes(
    "some chunks",
    "1\r\na\r\nB\r\nhello world\r\n0010\r\n0123456789abcdef\r\n00\r\n\r\n",
    "ahello world0123456789abcdef",
  ),
  passes("line ends in data", "6\r\n\r\n0\r\n\r\r\n0\r\n\r\n", "\r\n0\r\n\r"),
  passes("pipelined", "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "a", { rest: "GET / HTTP/1.1\r\n" }),
  passes("extensions", '1;a=b;c="d;\\"e\\\\";f\r\nx\r\n0;last=\xff\r\n\r\n', "x"),
  passes("leading zeros", "0000000000000001\r\nx\r\n0000000000000000\r\n\r\n", "x"),
  ...bad(
    "H1-08",
    "bad-chunk",
    "0x5\r\nhello",
    "+5\r\nhello",
    "-5\r\nhello",
    "5_\r\nhello",
    "5zz\r\nhello",
  ),
  ...bad(
    "H1-08",
    "bad-chunk",
    " 5\r\nhello",
    "5 \r\nhello",
    "5\t\r\nhello",
    "5 ;a\r\nhello",
    "\r\n",
    ";a\r\n",
  ),
  ...bad(
    "H1-08",
    "bad-chunk",
    "FFFFFFFFFFFFFFFF\r\n",
    "10000000000000005\r\n",
    "20000000000000\r\n",
  ),
  ...bad(
    "H1-08",
    "bad-chunk",
    `${"0".repeat(1_000)}5\r\nhello`,
    `${"0".repeat(17)}\r\n\r\n`,
    "\0",
    "g",
  ),
  ...bad(
    "H1-09",
    "bad-chunk",
    "5;a=\nhello\r\n",
    "5;\nhello\r\n",
    "5;a\rX\r\nhello",
    "5\r\r;a\r\nhello",
  ),
  ...bad(
    "H1-09",
    "bad-chunk",
    '5;a="\r\nhello\r\n',
    '5;a="b\\\r\n"\r\nhello\r\n',
    "5\nhello\n",
    "5;a\0\r\n",
  ),
  ...bad("H1-09", "bad-chunk", "0\n\n", "0;a\n\n", '0;"\r\n\r\n', "5\rhello", "5\r\r\nhello\r\n"),
  ...bad(
    "H1-10",
    "bad-chunk",
    "5\r\nhelloXX\r\n",
    "5\r\nhello\n0\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\rX",
  ),
  ...bad("H1-10", "bad-chunk", "5\r\nhel\r\n0\r\n\r\n", "5\r\nhello\r\r\n", "1\r\nab\r\n0\r\n\r\n"),
  ...bad("H1-10", "bad-chunk", "5\r\nhello\r\n\r\n0\r\n\r\n", "5\r\nhello\r\nXX\r\n"),
  ...bad("H1-11", "bad-chunk", `1;${"a".repeat(16_384)}\r\nx\r\n`, `1;${"a".repeat(65_536)}`),
  ...bad("H1-11", "bad-chunk", `1;${"a".repeat(1_000)}\r\nx\r\n`.repeat(20)),
  passes("H1-12", "0\r\nX: y\r\nz:w \r\nE:\r\n\r\nrest", "", {
    trailers: ["X: y", "z: w", "E: "],
    rest: "rest",
  }),
  passes("H1-12", `1\r\na\r\n0\r\nA: 1\r\n${FORBIDDEN.join("\r\n")}\r\nB: 2\r\n\r\n`, "a", {
    trailers: ["A: 1", ...FORBIDDEN, "B: 2"],
    passed: ["A: 1", "B: 2"],
  }),
  passes("H1-12", `0\r\n${"a:b\r\n".repeat(100)}\r\n`, "", {
    trailers: new Array(100).fill("a: b"),
  }),
  ...bad(
    "H1-12",
    "too-many-fields",
    `0\r\n${"a: b\r\n".repeat(101)}\r\n`,
    `0\r\n${"a: b\r\n".repeat(10_000)}`,
  ),
  ...bad(
    "H1-12",
    "head-too-large",
    `0\r\na: ${"b".repeat(16_384)}\r\n\r\n`,
    `0\r\n${"a".repeat(100_000)}`,
  ),
  ...bad(
    "H1-12",
    "bad-line-end",
    "0\r\n\n",
    "0\r\na: b\n\r\n",
    "0\r\na: b\r\n\n",
    "0\r\n\rX",
    "0\r\na: b\r\r\n",
  ),
  ...bad(
    "H1-12",
    "bad-field-name",
    "0\r\n a: b\r\n\r\n",
    "0\r\na : b\r\n\r\n",
    "0\r\na: b\r\n c\r\n\r\n",
  ),
  ...bad("H1-12", "bad-field-value", "0\r\na: \0\r\n\r\n"),
];
