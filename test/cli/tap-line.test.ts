import * as assert from "uvu/assert";
import { readTapLine, tapJson, tapText } from "../../src/cli/tap-line.ts";
import type { TapEvent } from "../../src/mesh/tap.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/tap-line");

const EVENT: TapEvent = {
  time_ms: Date.UTC(2031, 4, 20, 12, 0, 0, 7),
  direction: "outbound",
  protocol: "http1",
  client: "127.0.0.1:4000",
  client_id: null,
  method: "GET",
  authority: "web",
  path: "/a",
  status: 200,
  latency_us: 1_540,
  endpoint: "10.0.0.1:80",
  server_id: null,
  mtls: false,
  sends: 1,
  read_bytes: null,
  written_bytes: null,
};

test("a request is a line", () => {
  assert.is(
    tapText(EVENT, null),
    "12:00:00.007 out 127.0.0.1:4000 GET web/a 200 1.5ms to 10.0.0.1:80 plain http1",
  );
  const other: TapEvent = {
    ...EVENT,
    direction: "inbound",
    client_id: "shop.default",
    protocol: "http2",
    status: 0,
    mtls: true,
    sends: 3,
    endpoint: null,
    path: "*",
    latency_us: 2_500_000,
  };
  assert.is(
    tapText(other, "127.0.0.1:4191"),
    "12:00:00.007 127.0.0.1:4191 in  shop.default@127.0.0.1:4000 GET web * cut 2.5s to - mtls http2 sent 3 times",
  );
});

test("an opaque connection is a line", () => {
  const tunnel: TapEvent = {
    ...EVENT,
    protocol: "opaque",
    method: "",
    path: "",
    status: 0,
    read_bytes: 5,
    written_bytes: 70,
  };
  assert.is(
    tapText(tunnel, null),
    "12:00:00.007 out 127.0.0.1:4000 TCP web 5B up 70B down 1.5ms to 10.0.0.1:80 plain opaque",
  );
});

test("nothing that a terminal obeys gets out, in text or JSON", () => {
  const nasty = "\x1b]0;x\x07\x9b31m\r\n\u202e\u2028é\ud800";
  const event: TapEvent = {
    ...EVENT,
    client: nasty,
    client_id: nasty,
    method: nasty,
    authority: nasty,
    path: `/${nasty}`,
    endpoint: nasty,
  };
  for (const line of [tapText(event, nasty), tapJson(event, nasty)]) {
    assert.not.match(line, /[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    assert.ok(line.includes("\\u001b") && line.includes("\\u009b"), line);
  }
  assert.is((JSON.parse(tapJson(event, null)) as TapEvent).path, event.path);
});

test("lines are events, what was dropped, a beat, or nonsense", () => {
  assert.equal(readTapLine(JSON.stringify(EVENT)), { kind: "event", event: EVENT });
  assert.equal(readTapLine('{"dropped":3}'), { kind: "dropped", count: 3 });
  assert.equal(readTapLine(""), { kind: "beat" });
  for (const line of [
    "{",
    "null",
    "[]",
    '"x"',
    "{}",
    '{"dropped":"3"}',
    JSON.stringify({ ...EVENT, path: 1 }),
    JSON.stringify({ ...EVENT, time_ms: 1e300 }),
    JSON.stringify({ ...EVENT, client: undefined }),
  ]) {
    assert.equal(readTapLine(line), { kind: "bad" }, line);
  }
});

test.run();
