// timeout: 240s
/**
 * Responses to HTTP/1 requests that travel as HTTP/2 between two sidecars: for a table of responses
 * the client sees the same as when it had connected to the origin directly, but for the reason
 * phrase and the fields of one hop.
 */
import * as assert from "uvu/assert";
import { type AnsweringOrigin, answeringOrigin } from "../support/answering-origin.ts";
import { type EndToEnd, endToEnd, readExchange } from "../support/http1-message.ts";
import { type RawReply, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { startTwoSidecars, type TwoSidecars } from "../support/two-sidecars.ts";

type Row = {
  readonly name: string;
  /** Bytes of the response. */
  readonly bytes: string;
  readonly closes?: boolean;
  readonly method?: string;
  readonly version?: string;
  /** Ends with the connection, which a proxy turns into chunks for a client that stays. */
  readonly becomesChunked?: true;
};

/** Each place has a byte of its own, so that a lost or doubled piece is seen. */
function bodyOf(bytes: number): string {
  return Array.from({ length: Math.ceil(bytes / 8) }, (_, i) => `${i}`.padStart(8, "."))
    .join("")
    .slice(0, bytes);
}

function chunksOf(body: string, size: number): string {
  const count = Math.ceil(body.length / size);
  const pieces = Array.from({ length: count }, (_, i) => body.slice(i * size, (i + 1) * size));
  return pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("");
}

function withLength(status: string, fields: string, body = "ok"): string {
  return `HTTP/1.1 ${status}\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kind: chunked\r\n\r\n";
const UNTIL_CLOSE = "HTTP/1.1 200 OK\r\nX-Kind: until close\r\n\r\nall of it";
const HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-hInT: 1\r\n\r\n";

const ROWS: readonly Row[] = [
  { name: "200 with Content-Length", bytes: withLength("200 OK", "Server: raw\r\n") },
  { name: "200 of nothing", bytes: withLength("200 OK", "", "") },
  { name: "201", bytes: withLength("201 Created", "Location: /new\r\n") },
  { name: "301", bytes: withLength("301 Moved Permanently", "Location: http://web/x\r\n") },
  { name: "404", bytes: withLength("404 Not Found", "") },
  { name: "500", bytes: withLength("500 Internal Server Error", "") },
  {
    name: "503 with Retry-After",
    bytes: withLength("503 Service Unavailable", "Retry-After: 1\r\n"),
  },
  { name: "a status of its own", bytes: withLength("299 Of My Own", "") },
  {
    name: "names in odd case",
    bytes: withLength("200 OK", 'X-mIxEd: 1\r\nlower: 2\r\nUPPER: 3\r\nETAG: "4"\r\n'),
  },
  {
    name: "fields that come twice",
    bytes: withLength("200 OK", "Set-Cookie: a=1\r\nX: 2\r\nSet-Cookie: b=2; Path=/\r\nx: 3\r\n"),
  },
  { name: "an empty value", bytes: withLength("200 OK", "X-Empty:\r\nX-After: 1\r\n") },
  {
    name: "bytes above 127",
    bytes: withLength("200 OK", "X-Name: caf\xe9 \xff\r\n", "\xe9\x00\xff"),
  },
  {
    name: "sixty fields",
    bytes: withLength("200 OK", bodyOf(480).replace(/(.{8})/g, "X-Field: $1\r\n")),
  },
  {
    name: "framing in odd case, among others",
    bytes: "HTTP/1.1 200 OK\r\nA: 1\r\ncontent-LENGTH: 2\r\nB: 2\r\n\r\nok",
  },
  { name: "four megabytes", bytes: withLength("200 OK", "", bodyOf(4 << 20)) },
  { name: "chunks", bytes: `${CHUNKED}${chunksOf("hello, world", 5)}0\r\n\r\n` },
  { name: "chunks of nothing", bytes: `${CHUNKED}0\r\n\r\n` },
  { name: "a megabyte of chunks", bytes: `${CHUNKED}${chunksOf(bodyOf(1 << 20), 999)}0\r\n\r\n` },
  {
    name: "chunks with trailers",
    bytes: `${CHUNKED}${chunksOf("hello", 5)}0\r\nX-Sum: 5\r\nx-Other: 6\r\n\r\n`,
  },
  { name: "204", bytes: "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n" },
  { name: "304", bytes: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n' },
  {
    name: "304 with Content-Length",
    bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
  },
  {
    name: "HEAD with Content-Length",
    method: "HEAD",
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nX-A: 1\r\n\r\n",
  },
  { name: "HEAD without", method: "HEAD", bytes: "HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n" },
  { name: "103, then 200", bytes: HINTS + withLength("200 OK", "") },
  { name: "103 twice, then chunks", bytes: `${HINTS}${HINTS}${CHUNKED}0\r\n\r\n` },
  { name: "103, then 204", bytes: `${HINTS}HTTP/1.1 204 No Content\r\n\r\n` },
  { name: "until the connection closes", bytes: UNTIL_CLOSE, closes: true, becomesChunked: true },
  { name: "the same to HTTP/1.0", bytes: UNTIL_CLOSE, closes: true, version: "1.0" },
  { name: "Content-Length to HTTP/1.0", bytes: withLength("200 OK", "A: b\r\n"), version: "1.0" },
  {
    name: "a close behind the body",
    bytes: withLength("200 OK", "Connection: close\r\n"),
    closes: true,
  },
];

const test = suite("proxy/orig-proto-responses");
test.timeout(60_000);

/** Answers what the path asks for: `/N` is row N, other paths are in `MORE`. */
const MORE: Readonly<Record<string, { readonly bytes: string; readonly closes: boolean }>> = {
  "/short": { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", closes: true },
  "/no-last-chunk": { bytes: `${CHUNKED}5\r\nhello\r\n`, closes: true },
  "/hints-only": { bytes: HINTS, closes: true },
};

let origin: AnsweringOrigin;
let sidecars: TwoSidecars;

test.before(async () => {
  origin = await answeringOrigin(({ start }) => {
    const path = start.split(" ")[1] ?? "";
    const { bytes, closes = false } = MORE[path] ?? ROWS[Number(path.slice(1))] ?? { bytes: "" };
    return { bytes, closes };
  });
  sidecars = await startTwoSidecars({
    app: `h1:127.0.0.1:${origin.port}`,
  });
});

test.after(async () => {
  await sidecars.stop();
  await origin.close();
});

/** Asks and returns what came, up to the end of a complete response or of the connection. */
function ask(port: number, path: string, { method = "GET", version = "1.1" }: Partial<Row> = {}) {
  const request = `${method} ${path} HTTP/${version}\r\nHost: web\r\n\r\n`;
  const until = (text: string): boolean => readExchange(text, { method, isEnded: false }) !== null;
  return send(port, request, { until, withinMs: 20_000 });
}

/** What of a reply must not depend on the way it came: statuses, fields, bodies, framing. */
function seen({ text, end }: RawReply, { method = "GET" }: Row): readonly EndToEnd[] {
  const messages = readExchange(text, { method, isEnded: end === "fin" });
  if (messages === null) throw new Error(`incomplete, ${end}: ${text.slice(0, 500)}`);
  return messages.map((message) => {
    const status = message.start.split(" ")[1] ?? "";
    return { ...endToEnd(message), start: status };
  });
}

function chunked(message: EndToEnd): EndToEnd {
  const fields = [...message.fields, ["Transfer-Encoding", "chunked"]] as const;
  return { ...message, fields, framing: "chunked" };
}

for (const [index, row] of ROWS.entries()) {
  test(`the client sees what the origin sent: ${row.name}`, async () => {
    const direct = seen(await ask(origin.port, `/${index}`, row), row);
    const reply = await ask(sidecars.port, `/${index}`, row);
    const want = row.becomesChunked === true ? direct.map(chunked) : direct;
    assert.equal(seen(reply, row), want);
    assert.not.match(reply.text, /l5d-/i);
  });
}

test("a response that breaks off is seen to break off", async () => {
  for (const path of ["/short", "/no-last-chunk"]) {
    const { text, end } = await ask(sidecars.port, path);
    assert.match(text, /^HTTP\/1.1 200 /, path);
    assert.ok(end === "reset" || end === "fin", `${path}: ${end}`);
    assert.is(readExchange(text, { method: "GET", isEnded: false }), null, text);
  }
  const hints = await ask(sidecars.port, "/hints-only");
  assert.match(hints.text, /HTTP\/1.1 502 /);
});

test("a client that pipelines gets its answers in order", async () => {
  const rows = ROWS.filter(({ method, version, closes, bytes }) => {
    return method === undefined && version === undefined && !closes && bytes.length < 10_000;
  });
  const paths = rows.map((row) => `/${ROWS.indexOf(row)}`);
  const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: web\r\n\r\n`).join("");
  const statuses = (text: string): readonly string[] => {
    const found: string[] = [];
    for (let rest = text; ; ) {
      const last = readExchange(rest, { method: "GET", isEnded: false })?.at(-1);
      if (last === undefined) return found;
      found.push(last.start.split(" ")[1] ?? "");
      rest = rest.slice(last.end);
    }
  };
  const until = (text: string): boolean => statuses(text).length === rows.length;
  const reply = await send(sidecars.port, requests, { until });
  const want = rows.map(({ bytes }) => /HTTP\/1\.1 ([2-9]\d\d)/.exec(bytes)?.[1]);
  assert.equal(statuses(reply.text), want);
});

test("an application that is not there is a 502 that names the mesh nowhere", async () => {
  const gone = await answeringOrigin(() => ({ bytes: "", closes: true }));
  await gone.close();
  const others = await startTwoSidecars({ app: `127.0.0.1:${gone.port}` });
  try {
    const reply = await ask(others.port, "/");
    assert.match(reply.text, /^HTTP\/1.1 502 /);
    assert.not.match(reply.text, /l5d-orig/i);
  } finally {
    await others.stop();
  }
});

test("what travelled between the sidecars was HTTP/2", () => {
  const { fromClients } = sidecars.relay;
  assert.ok(fromClients.length > 0);
  for (const bytes of fromClients) assert.match(bytes, /^PRI \* HTTP\/2\.0\r\n/);
});

test.run();
