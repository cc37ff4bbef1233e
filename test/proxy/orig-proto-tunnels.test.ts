// timeout: 120s
/**
 * What cannot travel as HTTP/2 between two sidecars: Upgrade goes on an HTTP/1.1 connection of its
 * own (RFC 9113 §8.6), CONNECT tunnels bytes to the far sidecar.
 */
import * as assert from "uvu/assert";
import { readExchange } from "../support/http1-message.ts";
import { type RawOrigin, rawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { startTwoSidecars, type TwoSidecars } from "../support/two-sidecars.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET = "GET /plain HTTP/1.1\r\nHost: web\r\n\r\n";
const UPGRADE =
  "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHING =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/** Any byte may follow a 101, also those that are not text or look like HTTP. */
const FRAMES = "\x81\x05hello\x00\xff\r\n\r\nGET / HTTP/1.1\r\n\r\n";

const test = suite("proxy/orig-proto-tunnels");
test.timeout(30_000);

async function through(
  origin: RawOrigin,
  work: (sidecars: TwoSidecars) => Promise<void>,
): Promise<void> {
  const sidecars = await startTwoSidecars({ app: `127.0.0.1:${origin.port}` });
  try {
    await work(sidecars);
  } finally {
    await sidecars.stop();
    await origin.close();
  }
}

const isWhole = (text: string): boolean =>
  readExchange(text, { method: "GET", isEnded: false }) !== null;

/** Upgrades `/chat` and then echoes, answers other requests, echoes what is not HTTP. */
function echoOrigin(): Promise<RawOrigin> {
  const echoed = new Map<number, number>();
  return rawOrigin((socket, text, connection) => {
    // Not only at the start: a kept connection may have carried other requests before.
    const chat = text.indexOf("GET /chat ");
    if (chat === -1 && /^[A-Z]+ \//.test(text)) {
      if (text.endsWith("\r\n\r\n")) socket.write(OK);
      return;
    }
    const isNew = !echoed.has(connection);
    if (chat !== -1 && isNew) socket.write(SWITCHING);
    const head = chat === -1 ? 0 : text.indexOf("\r\n\r\n", chat) + 4;
    const from = echoed.get(connection) ?? head;
    echoed.set(connection, text.length);
    if (text.length > from) socket.write(Buffer.from(`echo:${text.slice(from)}`, "latin1"));
  });
}

test("a WebSocket is opened through both, bytes flow both ways", async () => {
  const origin = await echoOrigin();
  await through(origin, async ({ port, relay }) => {
    const plain = await send(port, GET, { until: isWhole });
    assert.is(plain.text, OK);
    const reply = await send(port, UPGRADE + FRAMES, { until: (text) => text.includes("echo:") });
    assert.is(reply.end, "open", reply.text);
    const [head = "", rest] = reply.text.split("\r\n\r\necho:");
    assert.match(head, /^HTTP\/1.1 101 Switching Protocols\r\n/);
    assert.match(head, /\r\nUpgrade: websocket\r\n/);
    assert.match(head, /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
    assert.ok(FRAMES.startsWith(rest ?? "nothing"), rest ?? "nothing came back");
    assert.not.match(reply.text, /l5d-/i);
    const kinds = relay.fromClients.map((bytes) => bytes.slice(0, bytes.indexOf("\r\n")));
    assert.equal(kinds.sort(), ["GET /chat HTTP/1.1", "PRI * HTTP/2.0"]);
    assert.match(
      origin.received.join(""),
      /GET \/chat HTTP\/1.1\r\n[\s\S]*\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n/,
    );
    assert.not.match(origin.received.join(""), /l5d-/i);
  });
});

test("bytes of an upgraded connection arrive whole, and its end too", async () => {
  const origin = await echoOrigin();
  await through(origin, async ({ port }) => {
    const all = `${"x".repeat(100_000)}last`;
    const reply = await send(port, UPGRADE + all, { halfClose: true });
    assert.is(reply.end, "fin");
    const echoed = reply.text.slice(reply.text.indexOf("\r\n\r\n") + 4).replace(/echo:/g, "");
    assert.is(echoed.length, all.length);
    assert.ok(echoed.endsWith("xlast"));
  });
});

test("an Upgrade that is refused is an ordinary response", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text.endsWith("\r\n\r\n")) socket.write(OK);
  });
  await through(origin, async ({ port }) => {
    const reply = await send(port, `${UPGRADE}GET /smuggled HTTP/1.1\r\nHost: web\r\n\r\n`);
    assert.match(reply.text, /^HTTP\/1.1 200 OK\r\n[\s\S]*ok$/);
    assert.not.match(origin.received.join(""), /smuggled/);
  });
});

test("an upgrade to h2c is ignored, the request itself is served", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text.endsWith("\r\n\r\n")) socket.write(OK);
  });
  await through(origin, async ({ port }) => {
    const request =
      "GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    const reply = await send(port, request, { until: isWhole });
    assert.match(reply.text, /^HTTP\/1.1 200 /);
    assert.not.match(origin.received.join(""), /h2c|settings/i);
  });
});

test("CONNECT tunnels to the application behind the far sidecar, HTTP or not", async () => {
  const origin = await echoOrigin();
  await through(origin, async ({ port }) => {
    const connect = "CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n";
    const raw = await send(port, `${connect}\x01\x02raw`, { until: (t) => t.includes("echo:") });
    assert.match(raw.text, /^HTTP\/1.1 200 [^\r]*\r\n\r\necho:\x01\x02raw$/);
    const http = await send(port, connect + GET, { until: (text) => text.endsWith("ok") });
    assert.match(http.text, /^HTTP\/1.1 200 [^\r]*\r\n\r\nHTTP\/1.1 200 OK\r\n[\s\S]*ok$/);
    assert.match(origin.received.join(""), /GET \/plain HTTP\/1.1\r\nHost: web\r\n/);
  });
});

test.run();
