// timeout: 120s
/**
 * HTTP/1 origins that answer an HTTP/2 client with what HTTP/1 does not allow, or break off. What is
 * not a response becomes 502; what breaks off becomes RST_STREAM and never END_STREAM; what is too
 * much is seen by nobody.
 */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { startCanary } from "../support/http2-attack.ts";
import { type Field, requestFields } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { assertHealthy, type Rig, startRig } from "../support/http2-rig.ts";
import { later } from "../support/later.ts";
import { fixedOrigin, type RawOrigin, rawOrigin } from "../support/raw.ts";
import { OK_HTTP1 } from "../support/recording-origin.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-hostile-http1");
test.timeout(30_000);

const CRLF = "\r\n\r\n";

/** What is not a response, by what is wrong with it. */
const NOT_RESPONSES: Readonly<Record<string, string>> = {
  "two framings": `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked${CRLF}0${CRLF}`,
  "two lengths": `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3${CRLF}ok`,
  "a length with a sign": `HTTP/1.1 200 OK\r\nContent-Length: +2${CRLF}ok`,
  "unknown coding": `HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked${CRLF}0${CRLF}`,
  "status 0": `HTTP/1.1 0 OK${CRLF}`,
  "status 99": `HTTP/1.1 99 OK${CRLF}`,
  "status 1000": `HTTP/1.1 1000 OK${CRLF}`,
  "status 2e2": `HTTP/1.1 2e2 OK${CRLF}`,
  "CR in a value": `HTTP/1.1 200 OK\r\nA: b\rc${CRLF}`,
  "LF in a value": `HTTP/1.1 200 OK\r\nA: b\nc: d${CRLF}`,
  "NUL in a value": `HTTP/1.1 200 OK\r\nA: b\0c${CRLF}`,
  "a space before the colon": `HTTP/1.1 200 OK\r\nA : b${CRLF}`,
  "a pseudo-header field": `HTTP/1.1 200 OK\r\n:status: 200${CRLF}`,
  "a folded line": `HTTP/1.1 200 OK\r\nA: b\r\n c${CRLF}`,
  "an unasked 101": `HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x${CRLF}`,
  "HTTP/2": `PRI * HTTP/2.0${CRLF}SM${CRLF}`,
  garbage: `garbage${CRLF}`,
  "101 fields": `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(101)}\r\n`,
  "70,000 bytes of fields": `HTTP/1.1 200 OK\r\na: ${"b".repeat(70_000)}${CRLF}`,
  "a long reason": `HTTP/1.1 200 ${"r".repeat(200_000)}${CRLF}`,
  "1,000 interim responses": `HTTP/1.1 100 Continue${CRLF}`.repeat(1_000),
};

/** What breaks off behind its head, and whether the origin closes then. */
const BROKEN: Readonly<Record<string, readonly [response: string, closes: boolean]>> = {
  "a short body": [`HTTP/1.1 200 OK\r\nContent-Length: 100${CRLF}short`, true],
  "no last chunk": [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${CRLF}5\r\nhello\r\n`, true],
  "half a chunk": [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${CRLF}a\r\nhello`, true],
  "a bad size": [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${CRLF}5\r\nhello\r\nzz\r\n`, false],
  "a spilled chunk": [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${CRLF}3\r\nhello\r\n`, false],
  "a bad trailer": [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${CRLF}0\r\nA : b${CRLF}`, false],
};

/** A body that is a PING over and over; whoever reads it as frames acknowledges them. */
const FRAMES = f.repeated(f.ping("from the"), 200_000);

let rig: Rig;
const origins: RawOrigin[] = [];
const names = new Map<string, string>();

test.before(async () => {
  const add = async (what: string, response: string, closes: boolean): Promise<void> => {
    names.set(what, `case${origins.length}`);
    origins.push(await fixedOrigin(response, closes));
  };
  for (const [what, response] of Object.entries(NOT_RESPONSES)) await add(what, response, false);
  for (const [what, [response, closes]] of Object.entries(BROKEN))
    await add(what, response, closes);
  await add("closes at once", "", true);
  await add("until the end", `HTTP/1.1 200 OK${CRLF}until the end`, true);
  await add("too much", `${OK_HTTP1}HTTP/1.1 200 OK\r\nContent-Length: 4${CRLF}evil`, false);
  await add("a body with 204", `HTTP/1.1 204 No Content${CRLF}evil`, false);
  await add(
    "hop-by-hop",
    `HTTP/1.1 200 OK\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nContent-Length: 2\r\nX-UPPER: 1${CRLF}ok`,
    false,
  );
  await add(
    "frames in its body",
    `HTTP/1.1 200 OK\r\nContent-Length: ${FRAMES.length}${CRLF}${FRAMES.toString("latin1")}`,
    false,
  );
  names.set("reset until the end", `case${origins.length}`);
  origins.push(
    await rawOrigin((socket) => {
      socket.write(`HTTP/1.1 200 OK${CRLF}some`);
      // A moment later, so that the head has left before the connection is reset.
      later(100, () => socket.resetAndDestroy());
    }),
  );
  rig = await startRig({
    args: origins.map(({ port }, i) => `--upstream=case${i}=h1:127.0.0.1:${port}`),
  });
});
test.after(async () => {
  await rig.stop();
  for (const origin of origins) await origin.close();
});

function request(what: string, more: readonly Field[] = []): Field[] {
  return requestFields("/", more).map(([name, value]) =>
    name === ":authority" ? [name, names.get(what) ?? "missing"] : [name, value],
  );
}

/** Runs `work` on one connection while a canary asks another origin on a second one. */
async function beside(work: (peer: Http2Peer) => Promise<void>): Promise<void> {
  const canary = await startCanary(rig.port);
  const peer = await Http2Peer.connect(rig.port);
  await work(peer);
  assert.equal(peer.link.violations, []);
  assert.is(peer.link.end, null, peer.describe());
  peer.close();
  await canary.stop();
  assert.equal(canary.failures, []);
  await assertHealthy(rig);
}

test("what is not a response becomes 502", async () => {
  await beside(async (peer) => {
    for (const what of Object.keys(NOT_RESPONSES)) {
      const seen = await peer.ask(request(what));
      assert.is(seen.outcome, "502 ended", what);
      assert.match(seen.value("proxy-status") ?? "", /^outrigger; error=http_/, what);
    }
    const gone = await peer.ask(request("closes at once"));
    assert.is(gone.outcome, "502 ended");
    assert.match(gone.value("proxy-status") ?? "", /error=connection_terminated/);
  });
});

test("to gRPC it becomes a status of its own", async () => {
  await beside(async (peer) => {
    for (const what of ["garbage", "status 0", "closes at once"]) {
      const seen = await peer.ask(request(what, [["content-type", "application/grpc"]]));
      assert.is(seen.outcome, "200 ended", what);
      assert.match(seen.value("grpc-status") ?? "", /^1[34]$/, what);
      assert.is(seen.bodyBytes, 0);
    }
  });
});

test("a response that breaks off is reset, never ended", async () => {
  await beside(async (peer) => {
    for (const what of [...Object.keys(BROKEN), "reset until the end"]) {
      const seen = await peer.ask(request(what));
      assert.match(seen.outcome, /^(?:200 reset [1-9][0-9]*|502 ended)$/, what);
    }
    const whole = await peer.ask(request("until the end"));
    assert.equal([whole.outcome, whole.body], ["200 ended", "until the end"]);
  });
});

test("bytes behind a response are seen by nobody", async () => {
  await beside(async (peer) => {
    for (let i = 0; i < 3; i++) {
      const seen = await peer.ask(request("too much"));
      assert.equal([seen.outcome, seen.body], ["200 ended", "ok"]);
      const none = await peer.ask(request("a body with 204"));
      assert.equal([none.outcome, none.bodyBytes], ["204 ended", 0]);
    }
  });
  const index = Number((names.get("too much") ?? "").replace("case", ""));
  assert.is(origins[index]?.connections(), 3);
});

test("what an origin sends is never taken for frames of the client", async () => {
  await beside(async () => {
    const peer = await Http2Peer.connect(rig.port, { givesWindow: false });
    const stream = peer.link.stream(peer.request(request("frames in its body")));
    await eventually(() => stream.bodyBytes === f.WINDOW_DEFAULT_BYTES);
    // Many in one segment: the origin is read while the others wait to be.
    const update = Buffer.concat([f.windowUpdate(0, 8_192), f.windowUpdate(stream.id, 8_192)]);
    while (!stream.isOver && peer.link.end === null) {
      const before = stream.bodyBytes;
      peer.link.write(f.repeated(update, 16));
      await eventually(() => stream.bodyBytes > before || stream.isOver || peer.link.end !== null);
    }
    assert.equal([stream.outcome, stream.bodyBytes], ["200 ended", FRAMES.length], peer.describe());
    assert.equal(peer.link.violations, []);
    peer.close();
  });
});

test("fields about the origin's connection stay there, names become lower-case", async () => {
  await beside(async (peer) => {
    const seen = await peer.ask(request("hop-by-hop"));
    const kept = (seen.head?.fields ?? []).map(({ name, value }) => `${name}: ${value}`);
    assert.equal(kept.sort(), [":status: 200", "content-length: 2", "x-upper: 1"]);
  });
});

test.run();
