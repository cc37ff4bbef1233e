// timeout: 120s
/**
 * Requests over HTTP/2 whose authority, scheme, pseudo-header fields or names break RFC 9113 §8.2 and
 * §8.3, and those that only look as if they did.
 */
import * as assert from "uvu/assert";
import { type Field, requestFields } from "../support/http2-fields.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { changed, post, REFUSED, Refusals } from "../support/http2-refusals.ts";
import { type Rig, SERVICES, startRig } from "../support/http2-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-translation-fields");
test.timeout(30_000);

let rig: Rig;
let refusals: Refusals;

test.before(async () => {
  rig = await startRig();
  refusals = new Refusals(rig);
});
test.after(async () => {
  await rig.stop();
});

test("an authority that is missing, doubled or disputed is refused", async () => {
  //
  const fields = (...authorities: string[]): Field[] => changed(":authority", ...authorities);
  const bad = ["", "web/", "user@web", "web:99999", "web:x", "a, b", "we b", "web\r\nx: y", "web#"];
  await refusals.refuses([
    { what: "none", fields: fields(), outcome: REFUSED },
    { what: "two", fields: fields("web", "web") },
    { what: "another Host", fields: [...fields("web"), ["host", "other"]], outcome: REFUSED },
    {
      what: "two Hosts",
      fields: [...fields(), ["host", "web"], ["host", "web"]],
      outcome: REFUSED,
    },
    { what: "a Host with user", fields: [...fields(), ["host", "user@web"]], outcome: REFUSED },
    ...bad.map((authority) => ({
      what: JSON.stringify(authority),
      fields: fields(authority),
      outcome: REFUSED,
    })),
  ]);
});

test("a :scheme that is none of HTTP's is refused", async () => {
  //
  const bad = ["", "http\r\nx: y", "https://x/", "http://web/", "ftp", "http ", "h\0ttp"];
  await refusals.refuses(
    bad.map((scheme) => ({
      what: `scheme ${scheme}`,
      fields: changed(":scheme", scheme),
      outcome: REFUSED,
    })),
  );
});

test("pseudo-header fields that are unknown, doubled, missing or out of place are a stream error", async () => {
  //
  const all = requestFields("/");
  const names = [":method", ":scheme", ":path"];
  await refusals.refuses([
    { what: "unknown", fields: [...all, [":foo", "bar"]] },
    { what: "a bare colon", fields: [...all, [":", "bar"]] },
    { what: ":status", fields: [...all, [":status", "200"]] },
    { what: ":protocol", fields: [...changed(":method", "CONNECT"), [":protocol", "websocket"]] },
    { what: ":protocol with GET", fields: [...all, [":protocol", "websocket"]] },
    ...names.map((name) => ({ what: `no ${name}`, fields: changed(name) })),
    ...names.map((name) => ({ what: `${name} twice`, fields: [...all, ...sole(all, name)] })),
    ...names.map((name) => ({
      what: `${name} behind a field`,
      fields: [...changed(name), ["x-a", "b"] as const, ...sole(all, name)],
    })),
    { what: "in trailers", fields: post(), body: "a", after: [[":path", "/"]] },
    { what: ":status in trailers", fields: post(), body: "a", after: [[":status", "200"]] },
  ]);
});

function sole(fields: readonly Field[], name: string): Field[] {
  return fields.filter((field) => field[0] === name);
}

test("fields about a connection are a stream error, te: trailers is not", async () => {
  //
  const bad: readonly Field[] = [
    ["connection", "close"],
    ["connection", "x-foo"],
    ["keep-alive", "5"],
    ["proxy-connection", "close"],
    ["upgrade", "websocket"],
    ["te", "gzip"],
    ["te", "trailers, gzip"],
  ];
  await refusals.refuses(
    bad.map((field) => ({ what: field.join(), fields: requestFields("/", [field]) })),
  );
  for (const service of SERVICES) {
    const peer = await Http2Peer.connect(rig.port);
    await refusals.serves(peer, service, requestFields("/te", [["te", "trailers"]]));
    peer.close();
  }
  const fields = rig.web.requests.at(-1)?.fields ?? [];
  assert.equal(fields.filter(([name]) => name === "te").length, 1);
  assert.ok(rig.two.requests.at(-1)?.lines.includes("te: trailers"));
});

test("names with upper-case letters, and empty names, are a stream error", async () => {
  //
  const bad = ["Foo", "fOO", "Content-Length", "Host", ""];
  await refusals.refuses(
    bad.flatMap((name) => [
      { what: `name ${name}`, fields: requestFields("/", [[name, "a"]]) },
      { what: `trailer ${name}`, fields: post(), body: "a", after: [[name, "a"]] as const },
    ]),
  );
});

test("an identity that a client claims does not reach an origin", async () => {
  const claims: readonly Field[] = [
    ["l5d-client-id", "admin"],
    ["l5d-anything", "1"],
    ["x-forwarded-client-cert", "By=admin"],
  ];
  for (const service of SERVICES) {
    const peer = await Http2Peer.connect(rig.port);
    await refusals.serves(peer, service, requestFields("/claims", claims));
    peer.close();
  }
  // The strict readers of both origins refuse such fields.
  await refusals.check();
});

test("what only looks malformed passes, byte by byte", async () => {
  const fields: Field[] = [
    ["x-obs-text", "\x80\xff caf\xe9"],
    ["x-empty", ""],
    ["x-inner", "a \t b"],
    ["__proto__", "1"],
    ["constructor", "2"],
    ["123", "3"],
    ["x-twice", "4"],
    ["x-twice", "5"],
    ["!#$%&'*+-.^_`|~", "6"],
  ];
  const path = "/%00/../a//b?c=%0d%0a&d=\"'<>\\^`{|}";
  for (const service of SERVICES) {
    for (const method of ["GET", "get", "M-SEARCH", "DELETE"]) {
      const peer = await Http2Peer.connect(rig.port);
      await refusals.serves(peer, service, requestFields(path, fields, method), method);
      assert.is(refusals.lastPath(service), path);
      const lines = fields.map(([name, value]) => `${name}: ${value}`);
      const got =
        service === "web"
          ? (rig.web.requests.at(-1)?.fields ?? []).map(([name, value]) => `${name}: ${value}`)
          : (rig.two.requests.at(-1)?.lines ?? []);
      assert.equal(
        got.filter((line) => lines.includes(line)),
        lines,
      );
      peer.close();
    }
  }
  await refusals.check();
});

test.run();
