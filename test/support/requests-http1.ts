/** Requests, and what becomes of each: a row per case, numbered H1-01 … H1-30. */
import type { Http1Error } from "../../src/codec/http1/errors.ts";
import type { RequestFacts } from "./read-http1.ts";

export type RequestRow = {
  /** The number of the case, and what is odd here. */
  readonly name: string;
  readonly input: string;
} & (
  | { readonly error: Http1Error }
  | { readonly error: null; readonly facts: Partial<RequestFacts>; readonly written: string }
);

/** What a row's facts are unless it says so. */
export const PLAIN: RequestFacts = {
  method: "GET",
  target: "/",
  minorVersion: 1,
  authority: "a",
  body: "none",
  keepAlive: true,
  upgrade: false,
  expectsContinue: false,
  acceptsTrailers: false,
};

function refused(name: string, error: Http1Error, input: string): RequestRow {
  return { name, input, error };
}

/** A request with Host: a and `fields` is refused. */
function bad(name: string, error: Http1Error, ...fields: readonly string[]): RequestRow[] {
  return fields.map((field) =>
    refused(
      `${name} ${JSON.stringify(field.slice(0, 60))}`,
      error,
      `POST / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`,
    ),
  );
}

/** A request line is refused, for all that a good Host follows. */
function badLine(name: string, error: Http1Error, ...lines: readonly string[]): RequestRow[] {
  return lines.map((line) =>
    refused(`${name} ${JSON.stringify(line.slice(0, 60))}`, error, `${line}\r\nHost: a\r\n\r\n`),
  );
}

/** `from` comes (line ends written as "|", the last two left out) and goes on as `to`. */
function passes(
  name: string,
  from: string,
  to: string,
  facts: Partial<RequestFacts> = {},
): RequestRow {
  const whole = (text: string): string => `${text}||`.replaceAll("|", "\r\n");
  return {
    name: `${name} ${JSON.stringify(from)}`,
    input: whole(from),
    error: null,
    facts,
    written: whole(to),
  };
}

const GET = "GET / HTTP/1.1|Host: a";
const POST = "POST / HTTP/1.1|Host: a";
const CL = "Content-Length: ";
const TE = "Transfer-Encoding: ";

const FRAMING: readonly RequestRow[] = [
  ...bad("H1-01", "bad-framing", `${CL}6\r\n${TE}chunked`, `${CL}0\r\n${TE}chunked`),
  ...bad("H1-02", "bad-framing", `${TE}chunked\r\n${CL}4`, `${TE}chunked\r\nX: y\r\n${CL}400`),
  ...bad("H1-03", "bad-transfer-encoding", `${TE}chunked, chunked`, `${TE}chunked\r\n${TE}chunked`),
  ...bad("H1-03", "bad-transfer-encoding", `${TE},chunked`, `${TE}chunked,`, `${TE}chunked, x`),
  ...bad("H1-03", "bad-transfer-encoding", `${TE}gzip, chunked`, `${TE}chunked, identity`, TE),
  ...bad("H1-03", "coding-not-supported", `${TE}x\r\n${TE}chunked`, `${TE}chunked\r\n${TE}x`),
  ...bad("H1-03", "coding-not-supported", `${TE}identity`, `${TE}gzip`, `${TE}x\r\n${CL}1`),
  ...bad("H1-04", "coding-not-supported", `${TE}xchunked`, `${TE}chunkedx`, `${TE}chunke`),
  ...bad(
    "H1-04",
    "bad-transfer-encoding",
    `${TE}chunked;q=1`,
    `${TE}\xa0chunked`,
    `${TE}"chunked"`,
  ),
  ...bad("H1-04", "bad-transfer-encoding", `${TE}chunked chunked`, `${TE}chunked\xa0`, `${TE};`),
  ...bad("H1-04", "bad-field-value", `${TE}\x0bchunked`, `${TE}\x0cchunked`, `${TE}chunked\0`),
  ...bad("H1-04", "bad-field-name", `${TE.trim()}\r\n chunked`, `${TE}\r\n\tchunked`),
  ...bad("H1-04", "bad-field-name", "Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked"),
  ...bad("H1-04", "bad-line-end", `X: y\n${TE}chunked`, `X: y\r${TE}chunked`),
  passes("H1-04", `${POST}|${TE}Chunked`, `${POST}|${TE}chunked`, {
    method: "POST",
    body: "chunked",
  }),
  passes("H1-04", `${POST}|transfer-encoding:\t chunked \t`, `${POST}|transfer-encoding: chunked`, {
    method: "POST",
    body: "chunked",
  }),
  passes("H1-04", `${GET}|Transfer_Encoding: chunked`, `${GET}|Transfer_Encoding: chunked`),
  refused("H1-05 TE in 1.0", "bad-transfer-encoding", `POST / HTTP/1.0\r\n${TE}chunked\r\n\r\n`),
  ...bad("H1-06", "bad-content-length", `${CL}5\r\n${CL}6`, `${CL}5\r\n${CL}5`, `${CL}5,5`),
  ...bad("H1-06", "bad-content-length", `${CL}5, 6`, `${CL}\r\n${CL}43`, `${CL}43\r\n${CL}`),
  ...bad("H1-06", "bad-content-length", `${CL}5\r\n${CL}5\r\n${CL}5`, `${CL}0\r\n${CL}0`),
  ...[
    "+5",
    "-5",
    "-0",
    "0x10",
    "1_0",
    "1e3",
    "5 5",
    "5;",
    "",
    " ",
    "1Z",
    "\xef\xbc\x95",
    "5.0",
  ].flatMap((value) => bad("H1-07", "bad-content-length", CL + value)),
  ...[
    "9007199254740991",
    "9007199254740993",
    "18446744073709551616",
    `1${"0".repeat(400)}`,
  ].flatMap((value) => bad("H1-07", "bad-content-length", CL + value)),
  ...bad("H1-07", "bad-field-value", `${CL}5\0`, `${CL}\x0b5`),
  passes("H1-07", `${POST}|${CL}010`, `${POST}|${CL}10`, { method: "POST", body: 10 }),
  passes("H1-07", `${POST}|content-length:0000`, `${POST}|${CL}0`, { method: "POST", body: 0 }),
  passes("H1-07", `${POST}|${CL}999999999999999`, `${POST}|${CL}999999999999999`, {
    method: "POST",
    body: 999_999_999_999_999,
  }),
  passes("H1-24", `${GET}|${CL}3`, `${GET}|${CL}3`, { body: 3 }),
  passes("H1-24", `HEAD / HTTP/1.1|${TE}chunked|Host: a`, `HEAD / HTTP/1.1|${TE}chunked|Host: a`, {
    method: "HEAD",
    body: "chunked",
  }),
  passes("H1-24", `DELETE / HTTP/1.1|Host: a|${CL}0`, `DELETE / HTTP/1.1|Host: a|${CL}0`, {
    method: "DELETE",
    body: 0,
  }),
];

const LINES: readonly RequestRow[] = [
  refused("H1-13 LF only", "bad-line-end", "GET / HTTP/1.1\nHost: a\n\n"),
  refused("H1-13 LF after a field", "bad-line-end", "GET / HTTP/1.1\r\nHost: a\n\r\n"),
  refused("H1-13 LF at the end", "bad-line-end", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
  refused("H1-13 CR LF CR X", "bad-line-end", "GET / HTTP/1.1\r\nHost: a\r\n\rX"),
  refused("H1-13 CR only", "bad-line-end", "GET / HTTP/1.1\rHost: a\r\r"),
  refused("H1-13 LF CR", "bad-line-end", "GET / HTTP/1.1\n\rHost: a\n\r\n\r"),
  refused("H1-13 CR CR LF after the line", "bad-line-end", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
  refused("H1-13 two empty lines first", "bad-request-line", `\r\n\r\n${GET}\r\n\r\n`),
  refused("H1-13 a LF first", "bad-request-line", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("H1-13 a CR first", "bad-line-end", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  ...bad(
    "H1-13",
    "bad-line-end",
    "X: a\rb",
    "X: a\r\r",
    "X: a\r\r\r",
    "X: \r",
    "X\r",
    "X\n",
    "\rX: a",
  ),
  passes("H1-13 one empty line first", `|${GET}`, GET),
  ...bad(
    "H1-14",
    "bad-field-name",
    "X: a\r\n b",
    "X: a\r\n\tb",
    "X: a\r\n ",
    " X: a",
    "\tX: a",
    " ",
  ),
  ...bad("H1-14", "bad-field-name", `${CL}\r\n 5`, `${TE}\r\n chunked`, "Host:\r\n b"),
  refused("H1-14 fold before the first", "bad-field-name", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
  refused("H1-14 folded Host", "bad-field-name", "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"),
  refused("H1-14 space first", "bad-method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  ...bad(
    "H1-15",
    "bad-field-name",
    "Name : v",
    ": v",
    ":",
    "Content-Length 10",
    "X y: z",
    "(X): y",
  ),
  ...bad("H1-15", "bad-line-end", "Name", "Transfer-\r\nEncoding: chunked", "X"),
  passes("H1-15", `${GET}|X:y|Y:|Z: |A:  b  |B:\tc\t`, `${GET}|X: y|Y: |Z: |A: b|B: c`),
  passes("H1-15", `${GET}|X::|Y:: y: |Z: a\tb  c`, `${GET}|X: :|Y: : y:|Z: a\tb  c`),
  passes("H1-16", `${GET}|X: \x80\xff\xe2\x82\xac`, `${GET}|X: \x80\xff\xe2\x82\xac`),
  ...badLine("H1-17", "bad-target", "GET  / HTTP/1.1", "GET  HTTP/1.1", "GET /\tHTTP/1.1"),
  ...badLine("H1-17", "bad-target", "GET /#f HTTP/1.1", "GET /\0 HTTP/1.1", "GET /\x80 HTTP/1.1"),
  ...badLine("H1-17", "bad-method", "GET\t/ HTTP/1.1", "\0 / HTTP/1.1", "G(T / HTTP/1.1"),
  ...badLine("H1-17", "bad-method", `${"A".repeat(33)} / HTTP/1.1`, "A".repeat(65_536), "G\0"),
  ...badLine(
    "H1-17",
    "bad-version",
    "GET / HTTP/01.1",
    "GET / http/1.1",
    "GET / HTTP/1",
    "GET /  ",
  ),
  ...badLine(
    "H1-17",
    "bad-version",
    "GET / HTTP/1.x",
    "GET / HTTP/1:1",
    "GET / HTTP",
    "GET / /",
    "GET / ",
  ),
  ...badLine("H1-17", "bad-line-end", "GET / HTTP/1.1 ", "GET / HTTP/1.10", "GET / HTTP/1.1\t"),
  ...badLine(
    "H1-17",
    "version-not-supported",
    "GET / HTTP/1.9",
    "GET / HTTP/2.0",
    "GET / HTTP/0.9",
  ),
  ...badLine(
    "H1-17",
    "version-not-supported",
    "GET / HTTP/3.1",
    "GET / HTTP/1.2",
    "PRI * HTTP/2.0",
  ),
  ...badLine("H1-17", "bad-request-line", "GET /", "GET", "GET\n/ HTTP/1.1", "GET /\nHTTP/1.1"),
  ...badLine("H1-17", "bad-target", "GET ! HTTP/1.1", "GET a HTTP/1.1", "GET ftp://a/ HTTP/1.1"),
  passes("H1-17", "X!#$%&'*+-.^_`~ / HTTP/1.1|Host: a", "X!#$%&'*+-.^_`~ / HTTP/1.1|Host: a", {
    method: "X!#$%&'*+-.^_`~",
  }),
  passes("H1-17", "get / HTTP/1.1|Host: a", "get / HTTP/1.1|Host: a", { method: "get" }),
  ...[
    "//",
    "/../a",
    "/.;/",
    "/%2e%2e/",
    "/%00",
    "/%0d%0a",
    "/\\",
    "/%c0%af",
    '/?a={"b"}',
    "/?a?b/",
  ].map((target) =>
    passes("H1-29", `GET ${target} HTTP/1.1|Host: a`, `GET ${target} HTTP/1.1|Host: a`, { target }),
  ),
];

export const REQUESTS: readonly RequestRow[] = [...FRAMING, ...LINES];

export { bad, badLine, CL, GET, POST, passes, refused, TE };
