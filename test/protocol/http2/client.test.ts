// The client's end: numbers, concurrency, refusals, interim responses, malformed ones.
import * as assert from "uvu/assert";
import { OWN_STREAMS_MAX } from "../../../src/protocol/http2/client.ts";
import { INTERIM_MAX } from "../../../src/protocol/http2/limits.ts";
import { encodeFields } from "../../support/http2-fields.ts";
import * as f from "../../support/http2-frames.ts";
import { suite } from "../../support/test.ts";
import { clientRig, response } from "./client-rig.ts";
import { HAS_ALL } from "./server-rig.ts";

const test = suite("protocol/http2/client");

const LAST_ID = 2 ** 31 - 1;

test("a request and its response, with content and trailers both ways", () => {
  const client = clientRig();
  const stream = client.ask(false, "POST");
  client.send(stream, 5);
  client.send(stream, 5, true);
  const trailers = f.headers(1, encodeFields([["x-sum", "7"]]), HAS_ALL);
  client.feed(response(1, false, "200", [["x-a", "b"]]), f.data(1, "abc"), trailers);
  assert.equal(client.rig.told(), ["HEADERS 1", "DATA 1 5", "DATA 1 5 end"]);
  assert.equal(client.events, [
    "1 response 200 x-a=b",
    "1 data 3",
    "1 trailers x-sum=7",
    "1 closed",
  ]);
  assert.is(client.streamCount, 0);
  client.rig.assertLawful();
});

test("no more streams are open than the server allows, and than we want", () => {
  const client = clientRig({ settings: [[f.Setting.maxConcurrentStreams, 2]] });
  assert.is(client.room, 2);
  client.ask();
  client.ask();
  assert.is(client.room, 0);
  client.feed(f.settings([[f.Setting.maxConcurrentStreams, 1]]));
  assert.is(client.room, 0);
  client.feed(response(1));
  assert.is(client.room, 0, "one is still open, and one is allowed");
  client.feed(response(3));
  assert.is(client.room, 1);
  client.feed(f.settings([[f.Setting.maxConcurrentStreams, 0]]));
  assert.is(client.room, 0);
  client.feed(f.settings([[f.Setting.maxConcurrentStreams, 2 ** 32 - 1]]));
  assert.is(client.room, OWN_STREAMS_MAX);
});

test("a stream of which one side only is over still counts", () => {
  const client = clientRig({ settings: [[f.Setting.maxConcurrentStreams, 1]] });
  const stream = client.ask(false, "POST");
  client.feed(response(1));
  assert.is(client.room, 0);
  client.send(stream, 0, true);
  assert.is(client.room, 1);
  assert.equal(client.events, ["1 response 200 end", "1 closed"]);
});

test("when the numbers are used up there is no more room, and the last stream is served", () => {
  const client = clientRig({ firstId: LAST_ID - 2 });
  assert.ok(client.room > 0);
  client.ask();
  assert.not(client.isGoingAway);
  client.ask();
  assert.ok(client.isGoingAway);
  assert.is(client.room, 0);
  client.feed(response(LAST_ID), response(LAST_ID - 2));
  assert.equal(client.rig.told(), [`HEADERS ${LAST_ID - 2} end`, `HEADERS ${LAST_ID} end`]);
  assert.is(client.events.length, 4);
  assert.is(client.streamCount, 0);
});

test("a refused stream is told by its code", () => {
  const client = clientRig();
  client.ask();
  client.feed(f.rstStream(1, f.ErrorCode.refusedStream));
  assert.equal(client.events, ["1 reset refusedStream by peer"]);
  assert.equal(client.rig.told(), ["HEADERS 1 end"]);
});

test("a server's resets cost it nothing, for we asked", () => {
  const client = clientRig();
  for (let id = 1; id < 6_000; id += 2) {
    client.ask();
    client.feed(f.rstStream(id, f.ErrorCode.refusedStream));
  }
  assert.not(client.isOver);
});

test("interim responses come before the final one, so many and no more", () => {
  const client = clientRig();
  client.ask();
  const interim = response(1, false, "103", [["link", "x"]]);
  client.feed(f.repeated(interim, INTERIM_MAX), response(1));
  assert.is(client.events.length, INTERIM_MAX + 2);
  assert.is(client.events[0], "1 interim 103 link=x");
  client.ask();
  client.feed(f.repeated(response(3, false, "100"), INTERIM_MAX + 1));
  assert.is(client.events.at(-1), "3 reset protocolError by us");
  client.rig.assertLawful();
});

type Row = readonly [what: string, frames: readonly Buffer[], method?: string];

const MALFORMED: readonly Row[] = [
  ["an interim response that ends the stream", [response(1, true, "100")]],
  ["101", [response(1, false, "101")]],
  ["no :status", [f.headers(1, encodeFields([["x-a", "b"]]), HAS_ALL)]],
  ["DATA before the head", [f.data(1, "abcdef")]],
  ["DATA behind an interim response", [response(1, false, "100"), f.data(1, "abcdef")]],
  ["two heads", [response(1, false), response(1, false)]],
  ["a length and no content", [response(1, true, "200", [["content-length", "5"]])]],
  [
    "more content than its length",
    [response(1, false, "200", [["content-length", "5"]]), f.data(1, "abcdef")],
  ],
  [
    "less content than its length",
    [response(1, false, "200", [["content-length", "7"]]), f.data(1, "abcdef", f.Flag.endStream)],
  ],
  [
    "trailers before all content",
    [
      response(1, false, "200", [["content-length", "7"]]),
      f.headers(1, encodeFields([["x-sum", "1"]]), HAS_ALL),
    ],
  ],
  ["content of HEAD", [response(1, false), f.data(1, "abcdef")], "HEAD"],
  ["content of 204", [response(1, false, "204"), f.data(1, "abcdef")]],
  ["content of 304", [response(1, false, "304"), f.data(1, "abcdef")]],
];

for (const [what, frames, method] of MALFORMED) {
  test(`a response is malformed: ${what}`, () => {
    const client = clientRig();
    client.ask(true, method);
    client.rig.told();
    client.feed(...frames);
    assert.equal(client.rig.told(), ["RST_STREAM 1 protocolError"]);
    assert.is(client.events.at(-1), "1 reset protocolError by us");
    assert.is(client.streamCount, 0);
    assert.not(client.isOver);
  });
}

test("a length without content is right for HEAD and 304", () => {
  const client = clientRig();
  client.ask(true, "HEAD");
  client.ask();
  const length = [["content-length", "5"]] as [string, string][];
  client.feed(response(1, true, "200", length), response(3, true, "304", length));
  assert.equal(client.events, [
    "1 response 200 content-length=5 end",
    "1 closed",
    "3 response 304 content-length=5 end",
    "3 closed",
  ]);
});

test("frames for streams that were not opened end the connection", () => {
  const block = encodeFields([[":status", "200"]]);
  const frames = [
    response(1),
    response(2),
    f.data(1, "a"),
    f.rstStream(1, 0),
    f.windowUpdate(1, 9),
  ];
  for (const frame of [...frames, f.data(2, "a"), f.pushPromise(1, 2, block)]) {
    const client = clientRig();
    client.feed(frame);
    assert.equal(client.rig.told(), ["GOAWAY 0 protocolError"], frame.toString("hex"));
  }
});

test("what comes for a stream that we have reset is ignored, and decoded", () => {
  const client = clientRig();
  const stream = client.ask();
  client.resetStream(stream, f.ErrorCode.cancel, false);
  client.rig.told();
  const block = encodeFields(
    [
      [":status", "200"],
      ["x-a", "b"],
    ],
    "indexed",
  );
  client.feed(f.headers(1, block), f.data(1, "abc"), f.windowUpdate(1, 2_000));
  client.ask();
  client.feed(f.headers(3, Buffer.of(0xbf, 0xbe), HAS_ALL));
  assert.equal(client.events.slice(1), ["3 response 200 x-a=b end", "3 closed"]);
});

test("a block that cannot be decoded ends the connection", () => {
  const client = clientRig();
  client.ask();
  client.ask();
  client.feed(f.headers(1, Buffer.of(0x80)));
  assert.equal(client.rig.told().slice(2), ["GOAWAY 0 compressionError"]);
  assert.equal(client.events, [
    "1 reset compressionError by connection",
    "3 reset compressionError by connection",
  ]);
});

test("content that the server has no window for is kept, and sent when it has", () => {
  const client = clientRig({ settings: [[f.Setting.initialWindowSize, 3]] });
  const stream = client.ask(false, "POST");
  client.send(stream, 8, true);
  client.feed(f.windowUpdate(1, 4));
  client.feed(f.settings([[f.Setting.initialWindowSize, 100]]));
  assert.equal(client.rig.told(), [
    "HEADERS 1",
    "DATA 1 3",
    "DATA 1 4",
    "SETTINGS ack",
    "DATA 1 1 end",
  ]);
  client.rig.assertLawful();
});

test.run();
