/** Responses of backends, good and hostile, and what becomes of each. */
import type { Http1Error } from "../../src/codec/http1/errors.ts";
import { BodyKind } from "../../src/codec/http1/framing.ts";
import { ConnectionChoice } from "../../src/codec/http1/write-response.ts";
import type { ResponseFacts } from "./read-http1.ts";

export type ResponseRow = {
  readonly name: string;
  readonly input: string;
  /** How it is to go on; null: as it came. */
  readonly body: BodyKind | null;
  readonly choice: ConnectionChoice;
} & (
  | { readonly error: Http1Error }
  | { readonly error: null; readonly facts: Partial<ResponseFacts>; readonly written: string }
);

/** What a row's facts are unless it says so. */
export const PLAIN_RESPONSE: ResponseFacts = {
  status: 200,
  minorVersion: 1,
  body: "none",
  keepAlive: true,
  idleSeconds: -1,
  upgrades: false,
};

/** Line ends are written as "|", the last two left out. */
function whole(text: string): string {
  return `${text}||`.replaceAll("|", "\r\n");
}

function bad(error: Http1Error, ...texts: readonly string[]): ResponseRow[] {
  return texts.map((text) => ({
    name: JSON.stringify(text.slice(0, 70)),
    input: whole(text),
    body: null,
    choice: ConnectionChoice.silent,
    error,
  }));
}

function passes(
  from: string,
  to: string,
  facts: Partial<ResponseFacts> = {},
  body: BodyKind | null = null,
  choice: ConnectionChoice = ConnectionChoice.silent,
): ResponseRow {
  const name = `${JSON.stringify(from)} as ${JSON.stringify(to)}`;
  return { name, input: whole(from), body, choice, error: null, facts, written: whole(to) };
}

const OK = "HTTP/1.1 200 OK";
const CL = "Content-Length: ";
const TE = "Transfer-Encoding: ";

const STATUS_LINES: readonly ResponseRow[] = [
  ...bad("bad-status-line", "HTTP/1.1 0 x", "HTTP/1.1 99 x", "HTTP/1.1 1000 x", "HTTP/1.1 2e2 x"),
  ...bad("bad-status-line", "HTTP/1.1 099 x", "HTTP/1.1 600 x", "HTTP/1.1 -20 x", "HTTP/1.1 20 x"),
  ...bad(
    "bad-status-line",
    "HTTP/1.1  200 x",
    "HTTP/1.1\t200 x",
    "HTTP/1.1 200\tx",
    "HTTP/1.1 +200 x",
  ),
  ...bad(
    "bad-status-line",
    "http/1.1 200 OK",
    "HTTP/2.0 200 OK",
    "HTTP/1.x 200 OK",
    "HTTP/1.10 200 OK",
  ),
  ...bad(
    "bad-status-line",
    "|HTTP/1.1 200 OK",
    "ICY 200 OK",
    "SSH-2.0-x",
    "220 mail",
    "\x16\x03\x01",
  ),
  ...bad(
    "bad-status-line",
    "HTTP/1.1 200 a\0b",
    "HTTP/1.1 200 a\nX: y",
    "HTTP/1.1 200\n",
    "HTTP/1 200 OK",
  ),
  ...bad(
    "bad-status-line",
    `HTTP/1.1 200 ${"x".repeat(1_000_000)}`,
    `HTTP/1.1 200 ${"x".repeat(1_024)}`,
  ),
  ...bad("version-not-supported", "HTTP/1.2 200 OK", "HTTP/1.9 200 OK"),
  ...bad("bad-line-end", "HTTP/1.1 200 OK\r", "HTTP/1.1 200\r", "HTTP/1.1 200 a\rb"),
  passes("HTTP/1.1 200", "HTTP/1.1 200 "),
  passes("HTTP/1.1 200 ", "HTTP/1.1 200 "),
  passes("HTTP/1.1 200 \xe9\t  x", "HTTP/1.1 200 \xe9\t  x"),
  passes("HTTP/1.1 599 x y", "HTTP/1.1 599 x y", { status: 599 }),
  passes(`HTTP/1.1 200 ${"x".repeat(1_009)}`, `HTTP/1.1 200 ${"x".repeat(1_009)}`),
];

const FIELDS: readonly ResponseRow[] = [
  ...bad("bad-framing", `${OK}|${CL}5|${TE}chunked`, `${OK}|${TE}chunked|${CL}5`),
  ...bad("bad-content-length", `${OK}|${CL}5|${CL}5`, `${OK}|${CL}5|${CL}6`, `${OK}|${CL}5, 5`),
  ...bad("bad-content-length", `${OK}|${CL}-1`, `${OK}|${CL}0x5`, `${OK}|${CL}`, `${OK}|${CL}1e3`),
  ...bad("bad-content-length", `${OK}|${CL}9007199254740993`, "HTTP/1.1 304 x|Content-Length: +1"),
  ...bad("bad-transfer-encoding", `${OK}|${TE}chunked|${TE}chunked`, `${OK}|${TE}gzip, chunked`),
  ...bad("bad-transfer-encoding", `HTTP/1.0 200 OK|${TE}chunked`, `${OK}|${TE}chunked, chunked`),
  ...bad("coding-not-supported", `${OK}|${TE}identity`, `${OK}|${TE}xchunked`),
  ...bad(
    "bad-field-name",
    `${OK}|X: a| b`,
    `${OK}| X: a`,
    `${OK}|X : a`,
    `${OK}|: a`,
    `${OK}|X a: b`,
  ),
  ...bad("bad-field-value", `${OK}|X: a\0`, `${OK}|X: \x1b[31m`, `${OK}|X: \x7f`),
  ...bad("bad-line-end", `${OK}|X: a\nSet-Cookie: b`, `${OK}|X: a\rb`, `${OK}|X\r`, `${OK}|X: a\r`),
  ...bad("bad-connection", `${OK}|Connection: a b`, `${OK}|Connection: "close"`),
  ...bad("too-many-fields", OK + "|X: y".repeat(101), OK + "|X: y".repeat(10_000)),
  ...bad("head-too-large", `${OK}|X: ${"y".repeat(65_536)}`, `${OK}|${"y".repeat(100_000)}: `),
  passes(`${OK}|content-length:007|A:b`, `${OK}|A: b|${CL}7`, { body: 7 }),
  passes(`${OK}|${CL}0|Server: x`, `${OK}|${CL}0|Server: x`, { body: 0 }),
  passes(`${OK}|${TE}Chunked`, `${OK}|${TE}chunked`, { body: "chunked" }),
  passes(`${OK}|A: b`, `${OK}|A: b|${TE}chunked`, {}, BodyKind.chunked),
  passes(
    `${OK}|${TE}chunked|A: b`,
    `${OK}|A: b|Connection: close`,
    { body: "chunked" },
    BodyKind.untilClose,
    ConnectionChoice.close,
  ),
  passes(`${OK}|${TE}chunked`, OK, { body: "chunked" }, BodyKind.none),
  passes(`${OK}|${CL}5`, `${OK}|${CL}5`, { body: 5 }, BodyKind.none),
  passes(
    `HTTP/1.1 304 x|${CL}5|ETag: "a"`,
    `HTTP/1.1 304 x|${CL}5|ETag: "a"`,
    { status: 304, body: 5 },
    BodyKind.none,
  ),
  passes(`HTTP/1.1 204 x|${CL}5`, "HTTP/1.1 204 x", { status: 204, body: 5 }, BodyKind.none),
  passes(
    `HTTP/1.1 204 x|${TE}chunked`,
    "HTTP/1.1 204 x",
    { status: 204, body: "chunked" },
    BodyKind.none,
  ),
  passes(
    `HTTP/1.1 100 Continue|${CL}5|X: y`,
    "HTTP/1.1 100 Continue|X: y",
    { status: 100, body: 5 },
    BodyKind.none,
  ),
  passes("HTTP/1.1 103 x|Link: a|Link: b", "HTTP/1.1 103 x|Link: a|Link: b", { status: 103 }),
  passes("HTTP/1.0 200 OK", OK, { minorVersion: 0, keepAlive: false }),
  passes(`HTTP/1.0 200 OK|Connection: Keep-Alive|${CL}1`, `${OK}|${CL}1`, {
    minorVersion: 0,
    body: 1,
  }),
  passes(
    `${OK}|Connection: close`,
    `${OK}|Connection: keep-alive`,
    { keepAlive: false },
    null,
    ConnectionChoice.keepAlive,
  ),
  passes(`${OK}|Connection: X-A|X-A: 1|x-b: 2|x-a: 3`, `${OK}|x-b: 2`),
  passes(`${OK}|Connection: set-cookie-x, content-length|${CL}1`, `${OK}|${CL}1`, { body: 1 }),
  passes(`${OK}|Keep-Alive: timeout=5, max=100`, OK, { idleSeconds: 5 }),
  passes(`${OK}|Keep-Alive: max=3,Timeout=070`, OK, { idleSeconds: 70 }),
  passes(`${OK}|Keep-Alive: timeout=99999999999999999999`, OK, { idleSeconds: 86_400 }),
  passes(`${OK}|Keep-Alive: timeout=`, OK),
  passes(`${OK}|Keep-Alive: timeout=x`, OK),
  passes(`${OK}|Keep-Alive: xtimeout=5`, OK),
  passes(`${OK}|Keep-Alive: timeout=0`, OK, { idleSeconds: 0 }),
  passes(`${OK}|Proxy-Connection: x|TE: trailers|HTTP2-Settings: y`, OK),
  passes(
    `${OK}|l5d-x: 1|Trailer: a|Set-Cookie: b|set-cookie: c`,
    `${OK}|l5d-x: 1|Trailer: a|Set-Cookie: b|set-cookie: c`,
  ),
  passes(
    "HTTP/1.1 101 x|Upgrade: websocket|Connection: upgrade",
    "HTTP/1.1 101 x|Upgrade: websocket|Connection: Upgrade",
    { status: 101, upgrades: true },
    null,
    ConnectionChoice.upgrade,
  ),
  passes("HTTP/1.1 101 x|Upgrade: websocket", "HTTP/1.1 101 x", { status: 101 }),
  passes("HTTP/1.0 101 x|Upgrade: w|Connection: upgrade", "HTTP/1.1 101 x", {
    status: 101,
    minorVersion: 0,
    keepAlive: false,
  }),
  passes("HTTP/1.1 101 x|Connection: upgrade", "HTTP/1.1 101 x", { status: 101 }),
  passes("HTTP/1.1 426 x|Upgrade: h|Connection: upgrade", "HTTP/1.1 426 x|Upgrade: h", {
    status: 426,
  }),
  passes(`${OK}|Upgrade: h|Connection: upgrade`, OK),
];

export const RESPONSES: readonly ResponseRow[] = [...STATUS_LINES, ...FIELDS];
