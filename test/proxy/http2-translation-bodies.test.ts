// timeout: 120s
/**
 * What a message has behind its head, translated between HTTP/2 and HTTP/1 (RFC 9113 §8.1, RFC 9112
 * §6 and §7): bodies, their ends, trailers, interim responses, and responses without a body. A body
 * that breaks off on one side must be seen to break off on the other.
 */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { encodeFields, type Field, literalOf, requestFields } from "../support/http2-fields.ts";
import { ErrorCode, repeated } from "../support/http2-frames.ts";
import { answerOk, Http2Peer, http2Origin, type OriginRequest } from "../support/http2-peer.ts";
import {
  assertHealthy,
  type Rig,
  SERVICES,
  type Service,
  startRig,
  to,
} from "../support/http2-rig.ts";
import { send } from "../support/raw.ts";
import { OK_HTTP1, recordingOrigin } from "../support/recording-origin.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-translation-bodies");
test.timeout(30_000);

/** Of `cookie` in the static table (RFC 7541 Appendix A). */
const COOKIE_INDEX = 32;

let rig: Rig;

const HTTP1_ANSWERS: Readonly<Record<string, string>> = {
  "/head": "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
  "/204": "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
  "/304": 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 500\r\n\r\n',
  "/trailers":
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n" +
    "0\r\nX-R: 2\r\nContent-Length: 9\r\nHost: x\r\n\r\n",
  "/hints": `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK_HTTP1}`,
  "/hints-to-head": "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
};

const HTTP2_ANSWERS: Readonly<Record<string, (request: OriginRequest) => void>> = {
  "/head": (request) => request.respond(200, [["content-length", "500"]]),
  "/204": (request) => request.respond(204, [["x-a", "b"]]),
  "/304": (request) =>
    request.respond(304, [
      ["etag", '"a"'],
      ["content-length", "500"],
    ]),
  "/trailers": (request) => request.respond(200, [], "hello", [["x-r", "2"]]),
  "/hints": (request) => {
    request.head(103, [["link", "</a>"]]);
    answerOk(request);
  },
  "/hints-to-head": (request) => {
    request.head(103);
    request.respond(200, [["content-length", "7"]]);
  },
  "/silent": () => {},
};

test.before(async () => {
  rig = await startRig({
    web: await recordingOrigin(({ target }) =>
      target === "/silent" ? null : (HTTP1_ANSWERS[target] ?? OK_HTTP1),
    ),
    two: await http2Origin((request) => (HTTP2_ANSWERS[request.path] ?? answerOk)(request)),
  });
});
test.after(async () => {
  await rig.stop();
});
test.after.each(async () => {
  await assertHealthy(rig);
});

/** Runs `check` for each service, on a connection of its own that must have stayed pure. */
async function each(check: (peer: Http2Peer, service: Service) => Promise<void>): Promise<void> {
  for (const service of SERVICES) {
    const peer = await Http2Peer.connect(rig.port);
    await check(peer, service);
    assert.equal(peer.link.violations, [], service);
    peer.close();
  }
}

/** The values that the origin has got last for a field. */
function lastValues(service: Service, name: string): string[] {
  if (service === "web") {
    const fields = rig.web.requests.at(-1)?.fields ?? [];
    return fields.filter((field) => field[0] === name).map(([, value]) => value);
  }
  const fields = rig.two.requests.at(-1)?.stream.head?.fields ?? [];
  return fields.filter((field) => field.name === name).map(({ value }) => value);
}

const post = (path: string, ...more: Field[]): Field[] => requestFields(path, more, "POST");

test("cookie crumbs are joined for HTTP/1 and counted one by one", async () => {
  //
  const crumbs = (count: number): Field[] =>
    Array.from({ length: count }, (_, i): Field => ["cookie", `c${i}=${i}`]);
  await each(async (peer, service) => {
    const three = await peer.ask(to(service, requestFields("/", crumbs(3))));
    assert.is(three.outcome, "200 ended");
    const got = lastValues(service, "cookie");
    assert.is(got.join("; "), "c0=0; c1=1; c2=2");
    if (service === "web") assert.is(got.length, 1);
    const hundred = await peer.ask(to(service, requestFields("/", crumbs(100))));
    assert.is(hundred.outcome, "200 ended");
    const more = await peer.ask(to(service, requestFields("/crumbs", crumbs(101))));
    assert.is(more.outcome, "431 ended", `101 to ${service}: ${peer.describe()}`);
    const id = peer.nextId();
    const head = encodeFields(to(service, requestFields("/crumbs")));
    const crumb = literalOf(COOKIE_INDEX, "a=1");
    peer.link.block(id, Buffer.concat([head, repeated(crumb, 5_000)]), "end");
    assert.is(
      (await peer.over(id)).outcome,
      "431 ended",
      `5,000 to ${service}: ${peer.describe()}`,
    );
    assert.is((await peer.ask(to(service, requestFields("/")))).outcome, "200 ended");
  });
  assert.not.ok(rig.web.requests.some(({ target }) => target === "/crumbs"));
  assert.not.ok(rig.two.requests.some(({ path }) => path === "/crumbs"));
});

test("trailers pass in both directions, those that frame or route a message do not", async () => {
  //
  await each(async (peer, service) => {
    const seen = await peer.ask(to(service, post("/trailers")), "abc", [["x-t", "1"]]);
    assert.is(seen.outcome, "200 ended", peer.describe());
    assert.is(seen.body, "hello");
    assert.equal(
      seen.trailers?.map(({ name, value }) => `${name}: ${value}`),
      ["x-r: 2"],
    );
    const last = rig.two.requests.at(-1)?.stream;
    if (service === "two") assert.equal([last?.body, last?.trailer("x-t")], ["abc", "1"]);
    else {
      const { content, trailers } = rig.web.requests.at(-1) ?? {};
      assert.equal([content, trailers], ["abc", ["x-t: 1"]]);
    }
    const whole = await peer.ask(to(service, post("/", ["content-length", "3"])), "abc", [
      ["x-t", "1"],
    ]);
    assert.is(whole.outcome, "200 ended", "trailers behind a body of a stated length");
  });
});

test("trailers that are forbidden are dropped or refused, and open ones are a stream error", async () => {
  //
  await each(async (peer, service) => {
    const forbidden = ["content-length", "host", "authorization", "l5d-client-id"];
    for (const name of forbidden) {
      const seen = await peer.ask(to(service, post("/trail")), "abc", [[name, "1"]]);
      assert.match(seen.outcome, /^(?:200 ended|reset 1)$/, `${name}: ${peer.describe()}`);
      const last = service === "web" ? rig.web.requests.at(-1)?.trailers.join() : "";
      assert.not.match(last ?? "", new RegExp(name));
    }
    const many = Array.from({ length: 101 }, (_, i): Field => [`x-${i}`, "1"]);
    const before = rig.web.requests.length;
    const seen = await peer.ask(to(service, post("/trail")), "abc", many);
    assert.match(seen.outcome, /^(?:431 ended|reset \d+)$/, "101 trailers");
    if (service === "web") assert.is(rig.web.requests.length, before);
    const id = peer.request(to(service, post("/trail")), "abc", "open");
    peer.link.headers(id, [["x-t", "1"]], "open");
    assert.is((await peer.over(id)).outcome, "reset 1", "trailers without END_STREAM");
    assert.is((await peer.ask(to(service, requestFields("/")))).outcome, "200 ended");
  });
});

test("a request that its client resets is cut at the origin, never ended", async () => {
  //
  const heads: readonly Field[][] = [[], [["content-length", "100"]]];
  await each(async (peer, service) => {
    for (const more of heads) {
      const marker = `partial-${service}-${more.length}`;
      const id = peer.request(to(service, post("/cut", ...more)), marker, "open");
      await eventually(() => arrived(service, marker), { what: marker });
      peer.link.reset(id, ErrorCode.cancel);
      await eventually(() => isCut(service, marker), { what: `${marker} is cut` });
    }
    assert.is((await peer.ask(to(service, requestFields("/")))).outcome, "200 ended");
  });
  assert.not.ok(rig.web.requests.some(({ target }) => target === "/cut"));
});

test("so is one whose client closes its connection or never gets an answer", async () => {
  //
  for (const service of SERVICES) {
    const peer = await Http2Peer.connect(rig.port);
    const marker = `dropped-${service}`;
    peer.request(to(service, post("/cut")), marker, "open");
    await eventually(() => arrived(service, marker), { what: marker });
    peer.close();
    await eventually(() => isCut(service, marker), { what: `${marker} is cut` });
    const other = await Http2Peer.connect(rig.port);
    const asked = rig.two.requests.length;
    const waiting = other.request(to(service, requestFields("/silent")));
    await eventually(() =>
      service === "web"
        ? rig.web.requests.at(-1)?.target === "/silent"
        : rig.two.requests.length > asked,
    );
    other.link.reset(waiting, ErrorCode.cancel);
    if (service === "web") await eventually(() => rig.web.waiting().length === 0);
    else {
      await eventually(() => rig.two.requests.at(-1)?.stream.resetCode === ErrorCode.cancel);
    }
    other.close();
  }
});

test("an HTTP/1 client that aborts its body resets the stream at an HTTP/2 origin", async () => {
  //
  for (const framing of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
    const marker = `aborted-${framing.length}`;
    const body = framing.includes("chunked") ? `a\r\n${marker.slice(0, 10)}\r\n` : marker;
    const head = `POST /cut HTTP/1.1\r\nHost: two\r\n${framing}\r\n\r\n`;
    const asked = rig.two.requests.length;
    const sent = send(rig.port, head + body, { withinMs: 500 });
    await eventually(() => (rig.two.requests[asked]?.stream.bodyBytes ?? 0) >= 10);
    await sent;
    await eventually(() => rig.two.requests[asked]?.stream.resetCode === ErrorCode.cancel);
    assert.is(rig.two.requests[asked]?.stream.isEnded, false);
  }
});

function arrived(service: Service, marker: string): boolean {
  if (service === "web") return rig.web.unfinished().some((text) => text.includes(marker));
  return rig.two.requests.some(({ stream }) => stream.body === marker);
}

function isCut(service: Service, marker: string): boolean {
  if (service === "two") {
    const found = rig.two.requests.find(({ stream }) => stream.body === marker)?.stream;
    return found?.resetCode === ErrorCode.cancel && !found.isEnded;
  }
  const text = rig.web.unfinished().find((rest) => rest.includes(marker)) ?? "";
  return text !== "" && !text.includes("\r\n0\r\n") && rig.web.isOpen(text) === false;
}

test("responses to HEAD, 204 and 304 have no DATA and keep their fields", async () => {
  //
  await each(async (peer, service) => {
    const head = await peer.ask(to(service, requestFields("/head", [], "HEAD")));
    assert.equal([head.outcome, head.value("content-length")], ["200 ended", "500"]);
    const none = await peer.ask(to(service, requestFields("/204")));
    assert.equal([none.outcome, none.value("x-a")], ["204 ended", "b"]);
    const same = await peer.ask(to(service, requestFields("/304")));
    assert.equal([same.outcome, same.value("etag")], ["304 ended", '"a"']);
    assert.is(head.bodyBytes + none.bodyBytes + same.bodyBytes, 0);
  });
});

test("interim responses are never taken for final ones", async () => {
  //
  await each(async (peer, service) => {
    const seen = await peer.ask(to(service, requestFields("/hints")));
    assert.equal([seen.outcome, seen.body], ["200 ended", "ok"]);
    assert.ok(seen.interim.every((status) => status === 103));
    const head = await peer.ask(to(service, requestFields("/hints-to-head", [], "HEAD")));
    assert.equal([head.outcome, head.value("content-length")], ["200 ended", "7"]);
  });
  for (const service of SERVICES) {
    const reply = await send(rig.port, `GET /hints HTTP/1.1\r\nHost: ${service}\r\n\r\n`, {
      until: (text) => text.endsWith("ok"),
    });
    assert.match(reply.text, /^(?:HTTP\/1.1 103 [^\r]*\r\n(?:[^\r]+\r\n)*\r\n)?HTTP\/1.1 200 /);
  }
});

test.run();
