// timeout: 240s
/**
 * HTTP/1 requests that travel as HTTP/2 between two sidecars: for a table of requests the origin
 * sees the same as when the client had connected to it directly, but for the fields of one hop.
 */
import * as assert from "uvu/assert";
import { type AnsweringOrigin, answeringOrigin } from "../support/answering-origin.ts";
import { endToEnd, readExchange } from "../support/http1-message.ts";
import { send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { findTool, runTool } from "../support/tool.ts";
import { startTwoSidecars, type TwoSidecars } from "../support/two-sidecars.ts";

type Row = {
  readonly name: string;
  readonly curl: readonly string[];
  readonly path?: string;
  readonly input?: string;
};

const X = (value: string): string => `X-Value: ${value}`;
const SIXTY = Array.from({ length: 60 }, (_, i) => ["-H", `X-Field-${i}: value ${i}`]).flat();
const LARGE_BODY = "a line of a body, number nothing\n".repeat(40_000);

/** Requests as curl sends them, in HTTP/1.1 with Host and Accept. */
const ROWS: readonly Row[] = [
  { name: "GET", curl: [], path: "/a/path?with=query" },
  { name: "HEAD", curl: ["-I"] },
  { name: "POST with Content-Length", curl: ["-d", "a=b&c=d"], path: "/form" },
  { name: "POST of nothing", curl: ["-X", "POST", "-H", "Content-Length: 0"] },
  { name: "POST chunked", curl: ["-H", "Transfer-Encoding: chunked", "-d", "chunked body"] },
  {
    name: "POST chunked of nothing",
    curl: ["-X", "POST", "-H", "Transfer-Encoding: chunked", "-T", "-"],
  },
  { name: "PUT from a pipe, chunked", curl: ["-T", "-"], input: LARGE_BODY, path: "/put" },
  {
    name: "PUT with Content-Length",
    curl: ["-X", "PUT", "--data-binary", "@-"],
    input: LARGE_BODY,
  },
  { name: "DELETE", curl: ["-X", "DELETE"], path: "/thing/1" },
  { name: "DELETE with a body", curl: ["-X", "DELETE", "-d", "why"] },
  { name: "GET with a body", curl: ["-X", "GET", "-d", "what"] },
  { name: "OPTIONS of the server", curl: ["-X", "OPTIONS", "--request-target", "*"] },
  { name: "OPTIONS of a path", curl: ["-X", "OPTIONS"], path: "/x" },
  { name: "a method of its own", curl: ["-X", "M-SEARCH"] },
  { name: "a method in lower case", curl: ["-X", "purge"] },
  {
    name: "names in odd case",
    curl: ["-H", "X-mIxEd: 1", "-H", "lower: 2", "-H", "UPPER: 3", "-H", "x-With-UPPER-and: 4"],
  },
  {
    name: "fields that come twice, apart and in different case",
    curl: ["-H", "X-Two: 1", "-H", "Other: 2", "-H", "x-two: 3", "-H", "X-Two: 1"],
  },
  { name: "an empty value", curl: ["-H", "X-Empty;", "-H", "X-After: 1"] },
  { name: "a long cookie", curl: ["-H", `Cookie: ${"name=value; ".repeat(500)}last=1`] },
  { name: "two cookies in lower case", curl: ["-H", "cookie: a=b; c=d"] },
  { name: "secrets", curl: ["-u", "user:password", "-H", "Proxy-Authorization: Basic eA=="] },
  { name: "bytes above 127 in a value", curl: ["-H", X("\u00fcn\u00efc\u00f6d\u00e9")] },
  { name: "a value with commas, quotes and spaces", curl: ["-H", X('"a, b";  c=\\"d\\"   , ,e')] },
  { name: "sixty fields", curl: SIXTY },
  { name: "a query of odd characters", curl: [], path: "/?a=b&c[]=%5b%5D&{x}|~!*'();:@,$&=&&?/?" },
  {
    name: "a path that asks to be normalised",
    curl: ["--path-as-is"],
    path: "/a//b/../c/./%2e%2E/",
  },
  { name: "Expect: 100-continue", curl: ["-H", "Expect: 100-continue", "-d", "after a while"] },
  { name: "HTTP/1.0", curl: ["-0"], path: "/old" },
  { name: "HTTP/1.0 with keep-alive", curl: ["-0", "-H", "Connection: keep-alive"] },
  { name: "HTTP/1.0 with a body", curl: ["-0", "-d", "old body"] },
  { name: "fields for one hop", curl: ["-H", "Connection: close", "-H", "TE: trailers"] },
];

/** What curl would not send, byte for byte; on the way through the sidecars and directly. */
const RAW_ROWS: readonly (readonly [name: string, through: string, direct?: string])[] = [
  ["one byte above 127", "GET / HTTP/1.1\r\nHost: web\r\nA: caf\xe9\r\n\r\n"],
  ["no fields but Host", "GET / HTTP/1.1\r\nHost: web\r\n\r\n"],
  ["Host in odd case, behind others", "GET / HTTP/1.1\r\nA: b\r\nhOST: web\r\nC: d\r\n\r\n"],
  [
    "Content-Length in odd case, among others",
    "POST / HTTP/1.1\r\nHost: web\r\ncontent-LENGTH: 3\r\nA: b\r\n\r\nabc",
  ],
  [
    "Transfer-Encoding among others",
    "POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n0\r\n\r\n",
  ],
  ["HTTP/1.0, no Connection", "GET /x HTTP/1.0\r\nHost: web\r\nA: b\r\n\r\n"],
  [
    "chunks with trailers",
    "POST / HTTP/1.1\r\nHost: web\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\nx-Other: 8\r\n\r\n",
  ],
  [
    "absolute-form, which a proxy turns into origin-form",
    "GET http://web/abs?x=1 HTTP/1.1\r\nHost: web\r\nX-A: 1\r\n\r\n",
    "GET /abs?x=1 HTTP/1.1\r\nHost: web\r\nX-A: 1\r\n\r\n",
  ],
  [
    "absolute-form without a path",
    "OPTIONS http://web HTTP/1.1\r\nHost: web\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: web\r\n\r\n",
  ],
  [
    "fields of the mesh, which nobody believes",
    "GET / HTTP/1.1\r\nHost: web\r\nl5d-orig-proto: HTTP/1.0\r\nL5D-Client-Id: me\r\nA: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: web\r\nA: b\r\n\r\n",
  ],
  [
    "what Connection names",
    "GET / HTTP/1.1\r\nHost: web\r\nConnection: X-Drop\r\nX-Drop: 1\r\nX-Keep: 2\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: web\r\nX-Keep: 2\r\n\r\n",
  ],
];

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

const test = suite("proxy/orig-proto");
test.timeout(60_000);

let origin: AnsweringOrigin;
let sidecars: TwoSidecars;

test.before(async () => {
  origin = await answeringOrigin(({ start }) => ({
    bytes: start.startsWith("HEAD ") ? OK : `${OK}ok`,
    closes: false,
  }));
  sidecars = await startTwoSidecars({ app: `127.0.0.1:${origin.port}` });
});

test.after(async () => {
  await sidecars.stop();
  await origin.close();
});

/** What the origin sees of the one request that `work` makes. */
async function seenBy(work: () => Promise<unknown>): Promise<unknown> {
  const before = origin.requests.length;
  await work();
  const [request, ...others] = origin.requests.slice(before);
  if (request === undefined) throw new Error("the origin got no request");
  assert.equal(others, [], "the origin got more than one request");
  return endToEnd(request);
}

async function curl(port: number, { curl, path = "/", input }: Row): Promise<void> {
  const tool = findTool("curl");
  if (tool === null) throw new Error("curl is missing");
  const more = ["-sS", "-m", "20", "--globoff", "-o", "/dev/null", "-w", "%{http_code}"];
  const url = `http://127.0.0.1:${port}${path}`;
  const { output } = await runTool(tool, [...more, "-H", "Host: web", ...curl, url], input);
  assert.is(output, "200");
}

async function raw(port: number, bytes: string): Promise<void> {
  const to = { method: bytes.slice(0, bytes.indexOf(" ")), isEnded: false };
  const reply = await send(port, bytes, { until: (text) => readExchange(text, to) !== null });
  assert.match(reply.text, /^HTTP\/1.1 200 /);
}

for (const row of ROWS) {
  test(`the origin sees what curl sent: ${row.name}`, async () => {
    const direct = await seenBy(() => curl(origin.port, row));
    const through = await seenBy(() => curl(sidecars.port, row));
    assert.equal(through, direct);
  });
}

for (const [name, bytes, directBytes = bytes] of RAW_ROWS) {
  test(`the origin sees what was sent: ${name}`, async () => {
    const direct = await seenBy(() => raw(origin.port, directBytes));
    const through = await seenBy(() => raw(sidecars.port, bytes));
    assert.equal(through, direct);
  });
}

test("what travelled between the sidecars was HTTP/2, over few connections", () => {
  const { fromClients } = sidecars.relay;
  assert.ok(fromClients.length > 0);
  for (const bytes of fromClients) assert.match(bytes, /^PRI \* HTTP\/2\.0\r\n\r\nSM\r\n\r\n/);
  assert.ok(fromClients.length < ROWS.length / 2, `${fromClients.length} connections`);
});

test("no field of the mesh reached the origin through the sidecars", () => {
  const names = origin.requests.flatMap(({ fields }) => fields.map(([name]) => name));
  const meshNames = names.filter((name) => /^l5d-/i.test(name));
  assert.equal(meshNames, []);
});

test.run();
