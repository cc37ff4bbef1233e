// RFC 9113 §6.8: how either end goes away, and what becomes of streams.
import * as assert from "uvu/assert";
import * as f from "../../support/http2-frames.ts";
import { suite } from "../../support/test.ts";
import { clientRig, response } from "./client-rig.ts";
import { request, serverRig, type TestServer } from "./server-rig.ts";

const test = suite("protocol/http2/go-away");

const OPEN_GOAWAY = `GOAWAY ${2 ** 31 - 1} noError`;

/** Answers the PING that our side sent last. */
function pong(server: TestServer): Buffer {
  const ping = server.rig.frames.findLast(({ type }) => type === f.FrameType.ping);
  assert.ok(ping, "a PING was sent");
  return f.ping(ping.payload.toString("latin1"), f.Flag.ack);
}

test("a server that drains refuses nothing at first, and counts when a round trip is over", () => {
  const server = serverRig();
  server.feed(request(1));
  server.drain();
  server.drain();
  const [first, ping, ...more] = server.rig.told();
  assert.is(first, OPEN_GOAWAY);
  assert.ok(ping?.startsWith("PING "));
  assert.equal(more, []);
  assert.not(server.isGoingAway);
  server.feed(request(3), pong(server), request(5));
  assert.equal(server.rig.told(), ["GOAWAY 3 noError"]);
  assert.ok(server.isGoingAway);
  assert.not(server.isOver);
  assert.equal(server.events, ["1 request / end", "3 request / end"]);
  for (const id of [1, 3]) server.respond(id, undefined, true);
  assert.is(server.streamCount, 0);
  server.rig.assertLawful();
});

test("the second GOAWAY is sent once, however many ACKs come", () => {
  const server = serverRig();
  server.feed(f.ping("before..", f.Flag.ack));
  server.drain();
  server.feed(pong(server), pong(server));
  server.nowMs += 5_000;
  server.sweep();
  assert.is(server.rig.told().filter((text) => text.startsWith("GOAWAY")).length, 2);
});

test("without an answer to the PING the second GOAWAY comes by itself", () => {
  const server = serverRig();
  server.feed(request(1));
  server.drain();
  server.rig.told();
  server.nowMs += 999;
  server.sweep();
  assert.equal(server.rig.told(), [], "a round trip may take so long");
  server.nowMs += 1;
  server.sweep();
  assert.equal(server.rig.told(), ["GOAWAY 1 noError"]);
});

test("requests behind the GOAWAY that counts are ignored, but their blocks are decoded", () => {
  const server = serverRig();
  server.drain();
  server.feed(pong(server));
  server.rig.told();
  server.feed(request(1, false), f.data(1, "content"), f.rstStream(1, f.ErrorCode.cancel));
  server.feed(request(3));
  assert.equal(server.rig.told(), []);
  assert.equal(server.events, []);
  assert.not(server.isOver);
});

test("the number that GOAWAY says does not rise, though ignored requests have higher ones", () => {
  const server = serverRig();
  server.feed(request(1));
  server.drain();
  server.feed(pong(server), request(3), request(5), request(2));
  const told = server.rig.told().filter((text) => text.startsWith("GOAWAY"));
  assert.equal(told, [OPEN_GOAWAY, "GOAWAY 1 noError", "GOAWAY 1 protocolError"]);
  server.rig.assertLawful();
});

test("a client that never stops after GOAWAY runs out of its budget", () => {
  const server = serverRig();
  server.drain();
  server.feed(pong(server));
  for (let id = 1; !server.isOver; id += 2) {
    assert.ok(id < 20_000, "it goes on");
    server.feed(request(id));
  }
  assert.ok(server.rig.told().at(-1)?.endsWith("enhanceYourCalm"));
});

test("a client's GOAWAY leaves its streams alone", () => {
  const server = serverRig();
  server.feed(request(1), f.goAway(0, f.ErrorCode.noError, "bye"));
  server.respond(1);
  server.send(1, 5, true);
  assert.equal(server.rig.told(), ["HEADERS 1", "DATA 1 5 end"]);
});

test("a server's GOAWAY: streams above its number may be sent again, the others go on", () => {
  const client = clientRig();
  for (let i = 0; i < 3; i++) client.ask();
  client.feed(f.goAway(3, f.ErrorCode.noError));
  assert.equal(client.events, ["5 reset refusedStream by peer"]);
  assert.is(client.room, 0);
  assert.is(client.streamCount, 2);
  client.feed(response(1), response(3), response(5));
  assert.equal(client.events.slice(1), [
    "1 response 200 end",
    "1 closed",
    "3 response 200 end",
    "3 closed",
  ]);
  assert.equal(client.faults, []);
  client.rig.assertLawful();
});

test("a server's GOAWAY may come twice, its number falling or rising", () => {
  const client = clientRig();
  for (let i = 0; i < 3; i++) client.ask();
  client.feed(f.goAway(2 ** 31 - 1, f.ErrorCode.noError));
  assert.is(client.streamCount, 3);
  assert.is(client.room, 0);
  client.feed(f.goAway(1, f.ErrorCode.noError), f.goAway(5, f.ErrorCode.noError));
  assert.equal(client.events, ["3 reset refusedStream by peer", "5 reset refusedStream by peer"]);
  assert.is(client.streamCount, 1);
});

test("a server's GOAWAY with an error is a fault, one of no stream calls all of them off", () => {
  const client = clientRig();
  client.ask();
  client.ask(false, "POST", "Content-Length: 5\r\n");
  client.feed(f.goAway(0, f.ErrorCode.enhanceYourCalm));
  assert.equal(client.faults, ["protocol"]);
  assert.equal(client.events, ["1 reset refusedStream by peer", "3 reset refusedStream by peer"]);
  assert.equal(client.rig.told(), ["HEADERS 1 end", "HEADERS 3"], "no RST_STREAM is needed");
});

test("a GOAWAY that is too short is an error", () => {
  const server = serverRig();
  server.feed(f.frame(f.FrameType.goAway, 0, 0, Buffer.alloc(7)));
  assert.equal(server.rig.told(), ["GOAWAY 0 frameSizeError"]);
});

test("our own end says the last stream that we looked at", () => {
  const server = serverRig();
  server.feed(request(1), request(7));
  server.end(f.ErrorCode.noError);
  assert.equal(server.rig.told(), ["GOAWAY 7 noError"]);
  assert.equal(server.events.slice(2), [
    "1 reset noError by connection",
    "7 reset noError by connection",
  ]);
  const client = clientRig();
  client.ask();
  client.end(f.ErrorCode.noError);
  assert.equal(client.rig.told(), ["HEADERS 1 end", "GOAWAY 0 noError"]);
  assert.is(client.room, 0);
});

test.run();
