// timeout: 120s
/**
 * HTTP/2 origins that answer with what RFC 9113 §8 does not allow, or break off, towards clients of
 * HTTP/2 and HTTP/1. Nothing malformed is passed on, nothing that breaks off looks complete, and the
 * next request to the same origin is served.
 */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { startCanary } from "../support/http2-attack.ts";
import { encodeFields, type Field, requestFields } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { answerOk, Http2Peer, http2Origin, type OriginRequest } from "../support/http2-peer.ts";
import { assertHealthy, type Rig, startRig, to } from "../support/http2-rig.ts";
import { send } from "../support/raw.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-hostile-http2");
test.timeout(30_000);

type Act = (request: OriginRequest) => void;

/** A head with one bad field, or a bad status. */
const head =
  (...fields: readonly Field[]): Act =>
  ({ link, stream }) =>
    link.headers(stream.id, fields, "end");
const bad = (name: string, value: string): Act => head([":status", "200"], [name, value]);
/** Bytes as they are, with the request's stream. */
const raw =
  (write: (id: number) => Uint8Array): Act =>
  ({ link, stream }) =>
    void link.write(write(stream.id));
/** A good head, and then something else. */
const behindHead =
  (write: (id: number) => Uint8Array, ...fields: readonly Field[]): Act =>
  (request) => {
    request.head(200, fields);
    request.link.write(write(request.stream.id));
  };

const END = f.Flag.endStream;
const OK_BLOCK = encodeFields([[":status", "200"]]);

/** Interim responses may come before it. */
const BAD_GATEWAY = /^(?:HTTP\/1.1 103 [^\r]*\r\n\r\n)*HTTP\/1.1 502 /;

/** What is malformed before there is a final head. */
const MALFORMED: Readonly<Record<string, Act>> = {
  "an upper-case name": bad("Foo", "a"),
  "an empty name": bad("", "a"),
  "CRLF in a value": bad("foo", "a\r\nset-cookie: b"),
  "NUL in a value": bad("foo", "a\0b"),
  "a space before a value": bad("foo", " a"),
  "CRLF in a name": bad("foo\r\nbar", "a"),
  connection: bad("connection", "close"),
  "transfer-encoding": bad("transfer-encoding", "chunked"),
  upgrade: bad("upgrade", "x"),
  "two lengths": head([":status", "200"], ["content-length", "1"], ["content-length", "2"]),
  "a length that is none": bad("content-length", "+0"),
  "a length and no body": bad("content-length", "5"),
  "no :status": head(["foo", "a"]),
  "no field": head(),
  "two :status": head([":status", "200"], [":status", "200"]),
  ":status behind a field": head(["foo", "a"], [":status", "200"]),
  ":path": bad(":path", "/"),
  "status 99": head([":status", "99"]),
  "status 1000": head([":status", "1000"]),
  "status 2e2": head([":status", "2e2"]),
  "an empty status": head([":status", ""]),
  "101": head([":status", "101"]),
  "an interim response that ends": head([":status", "103"]),
  "101 fields": head([":status", "200"], ...Array.from({ length: 101 }, (): Field => ["a", "b"])),
  "DATA before HEADERS": raw((id) => f.data(id, "evil", END)),
  "1,000 interim responses": (request) => {
    for (let i = 0; i < 1_000; i++) request.head(103);
    answerOk(request);
  },
  "a reset": raw((id) => f.rstStream(id, f.ErrorCode.internalError)),
  HTTP_1_1_REQUIRED: raw((id) => f.rstStream(id, 0xd)),
  "a closed connection": ({ link }) => link.socket.end(),
  "a reset connection": ({ link }) => void link.socket.resetAndDestroy(),
  PUSH_PROMISE: raw((id) => f.pushPromise(id, 2, encodeFields(requestFields("/pushed")))),
  "a stream of its own": raw(() => f.headers(2, OK_BLOCK)),
  "an answer on an idle stream": raw(() => f.headers(2 ** 31 - 1, OK_BLOCK)),
  "garbage for HPACK": raw((id) => f.headers(id, Buffer.from("ffffffffffff", "hex"))),
  "a frame too large": raw((id) => f.data(id, Buffer.alloc(16_385))),
  "SETTINGS that allow push": raw(() => f.settings([[f.Setting.enablePush, 1]])),
  "HTTP/1": raw(() => Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
};

/** What breaks off, or becomes malformed, behind a good head. */
const BROKEN: Readonly<Record<string, Act>> = {
  "too short a body": behindHead((id) => f.data(id, "short", END), ["content-length", "10"]),
  "too long a body": behindHead((id) => f.data(id, "too long", END), ["content-length", "5"]),
  "a reset in the body": behindHead((id) =>
    Buffer.concat([f.data(id, "some"), f.rstStream(id, f.ErrorCode.internalError)]),
  ),
  "trailers that do not end": behindHead((id) => f.headers(id, encodeFields([["x-t", "1"]]))),
  ":status in trailers": behindHead((id) => f.headers(id, OK_BLOCK, END | f.Flag.endHeaders)),
  "CRLF in trailers": behindHead((id) =>
    f.headers(id, encodeFields([["x-t", "a\r\nb"]]), END | f.Flag.endHeaders),
  ),
  // A client that reads fast may keep it from being noticed, so it breaks off as well.
  "a window that is overdrawn": behindHead((id) =>
    Buffer.concat([f.repeated(f.data(id, Buffer.alloc(16_384)), 80), f.rstStream(id, 2)]),
  ),
  "padding that is too long": behindHead((id) =>
    f.frame(f.FrameType.data, f.Flag.padded, id, Buffer.of(9, 1, 2)),
  ),
};

const GOOD: Readonly<Record<string, Act>> = {
  "/hop": (request) => request.respond(200, [["x-a", "b"]], "ok"),
  "/early": (request) => {
    request.respond(413, [["content-length", "0"]]);
    request.link.reset(request.stream.id, f.ErrorCode.noError);
  },
  "/cut-body": (request) => {
    request.head(200);
    request.link.body(request.stream.id, "some", "open");
    request.link.socket.end();
  },
};

let rig: Rig;

test.before(async () => {
  const acts: Readonly<Record<string, Act>> = { ...MALFORMED, ...BROKEN };
  rig = await startRig({
    two: await http2Origin((request) => {
      const act = acts[decodeURIComponent(request.path.slice(1))] ?? GOOD[request.path] ?? answerOk;
      act(request);
    }),
  });
});
test.after(async () => {
  await rig.stop();
});

const pathOf = (what: string): string => `/${encodeURIComponent(what)}`;
const get = (path: string): Field[] => to("two", requestFields(path));

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

async function http1(path: string): Promise<string> {
  const { text } = await send(rig.port, `GET ${path} HTTP/1.1\r\nHost: two\r\n\r\n`, {
    until: isWhole,
  });
  return text;
}

/** A final head whose body, if it has one, is there. */
function isWhole(text: string): boolean {
  const [start = "", ...rest] = text
    .replace(/^(?:HTTP\/1.1 1[\s\S]*?\r\n\r\n)*/, "")
    .split("\r\n\r\n");
  if (rest.length === 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(start)?.[1];
  if (length !== undefined) return rest.join("\r\n\r\n").length >= Number(length);
  return /\r\ntransfer-encoding: chunked/i.test(start) && text.endsWith("\r\n0\r\n\r\n");
}

test("what is malformed does not reach an HTTP/2 client, and costs its request only", async () => {
  await beside(async (peer) => {
    for (const what of Object.keys(MALFORMED)) {
      const seen = await peer.ask(get(pathOf(what)));
      assert.match(seen.outcome, /^(?:502 ended|reset [1-9][0-9]*)$/, what);
      const next = await peer.ask(get("/next"));
      assert.equal([next.outcome, next.body], ["200 ended", "ok"], `behind ${what}`);
    }
  });
});

test("to an HTTP/1 client it is 502", async () => {
  await beside(async () => {
    for (const what of Object.keys(MALFORMED)) {
      assert.match(await http1(pathOf(what)), BAD_GATEWAY, what);
      assert.match(await http1("/next"), /^HTTP\/1.1 200 [\s\S]*ok$/, `behind ${what}`);
    }
  });
});

test("what breaks off does not look complete to either", async () => {
  await beside(async (peer) => {
    for (const what of Object.keys(BROKEN)) {
      const seen = await peer.ask(get(pathOf(what)));
      assert.match(seen.outcome, /^(?:200 reset [1-9][0-9]*|502 ended|reset [1-9][0-9]*)$/, what);
      const text = await http1(pathOf(what));
      const isError = BAD_GATEWAY.test(text);
      assert.ok(isError || !isWhole(text), `${what}: ${text.slice(0, 200)}`);
      assert.is((await peer.ask(get("/next"))).outcome, "200 ended", `behind ${what}`);
    }
    const cut = await peer.ask(get("/cut-body"));
    assert.match(cut.outcome, /^200 reset [1-9][0-9]*$/);
    assert.not.ok(isWhole(await http1("/cut-body")));
  });
});

test("an answer before the request's end arrives, and the request stops", async () => {
  await beside(async (peer) => {
    const id = peer.request(to("two", requestFields("/early", [], "POST")), "some", "open");
    const seen = await peer.over(id);
    assert.match(seen.outcome, /^413 ended/);
    await eventually(() => seen.resetCode === f.ErrorCode.noError || peer.link.end === null);
    const head = "POST /early HTTP/1.1\r\nHost: two\r\nContent-Length: 100000\r\n\r\nsome";
    const { text } = await send(rig.port, head, { until: isWhole });
    assert.match(text, /^HTTP\/1.1 413 /);
  });
});

test("an HTTP/1 client gets a response of HTTP/2 in its own terms", async () => {
  await beside(async () => {
    const text = await http1("/hop");
    assert.match(text, /^HTTP\/1.1 200 [\s\S]*\r\nx-a: b\r\n[\s\S]*ok/i);
    assert.not.match(text, /:status/);
  });
});

test.run();
