// What becomes of a request that is given to a kept connection in the very turn in which that ends.
import { connect, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { eventually, lapse } from "../support/eventually.ts";
import { Http2Peer, http2Origin } from "../support/http2-peer.ts";
import { LoopRig } from "../support/loop-rig.ts";
import { rawOrigin } from "../support/raw.ts";
import type { Version } from "../support/routed-peers.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/one-turn");

const POST = [
  [":method", "POST"],
  [":scheme", "http"],
  [":authority", "web"],
  [":path", "/"],
] as const;
const OK = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\nContent-Length: 2\r\n\r\nok";
const LATE = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

const TOO_LARGE =
  "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

function publish(rig: LoopRig, port: number, speaks: Version): void {
  const ip = Uint8Array.of(127, 0, 0, 1);
  const endpoints = [{ row: 0, series: 10, ip, port, speaks, peer: null }];
  rig.publish([{ name: "web", series: 1, endpoints, failure: null, routes: [] }]);
}

type Kept = { readonly port: number; socket: Socket | null; close(): Promise<void> };

/** Answers each POST by 200; `socket` is that of the first. */
async function keeping(speaks: Version, asked: (socket: Socket) => void): Promise<Kept> {
  const note = (socket: Socket): void => {
    kept.socket ??= socket;
    asked(socket);
  };
  const { port, close } =
    speaks === "http2"
      ? await http2Origin((request) => {
          note(request.link.socket);
          request.whenEnded(() => request.respond(200));
        })
      : await rawOrigin((socket, text) => {
          // A client of HTTP/2 tells no length: its content comes in chunks.
          if (!text.endsWith("\r\n0\r\n\r\n")) return;
          note(socket);
          socket.write(OK);
        });
  const kept: Kept = { port, socket: null, close };
  return kept;
}

const ENDS: readonly (readonly [string, readonly Version[], (socket: Socket) => void])[] = [
  ["ends", ["http1", "http2"], (socket) => socket.destroy()],
  ["ends and reads on", ["http1", "http2"], (socket) => socket.end()],
  ["is reset", ["http1", "http2"], (socket) => socket.resetAndDestroy()],
  ["answers what nobody asked", ["http1"], (socket) => socket.write(LATE)],
  ["does so and ends", ["http1"], (socket) => socket.end(LATE)],
];

for (const [what, versions, end] of ENDS) {
  for (const speaks of versions) {
    test(`${speaks}: a POST goes to another connection when its own ${what} before it is sent`, async () => {
      const rig = new LoopRig(1);
      const asked: Socket[] = [];
      const origin = await keeping(speaks, (socket) => asked.push(socket));
      const { port } = origin;
      publish(rig, port, speaks);
      const peer = await Http2Peer.connect(rig.port("http2"));
      assert.is((await peer.ask(POST, "content")).outcome, "200 ended");
      const goOn = rig.pauseTurns();
      // The client's bytes arrive first, so that they are read first, in one turn with the rest.
      const id = peer.request(POST, "content");
      await lapse(20);
      if (origin.socket !== null) end(origin.socket);
      await lapse(20);
      goOn();
      assert.is((await peer.over(id)).outcome, "200 ended");
      assert.is(asked.length, 2);
      assert.is.not(asked[0], asked[1]);
      peer.close();
      await origin.close();
      await eventually(() => rig.rows.pending(0) === 0 && rig.loop.timers.count === 0);
      assert.equal(rig.faults, []);
      rig.stop();
    });
  }
}

for (const bytes of [4, 20_000]) {
  test(`an early answer counts though its connection is reset before ${bytes} more bytes go to it`, async () => {
    const rig = new LoopRig(1);
    let asking: Socket | null = null;
    const origin = await rawOrigin((socket) => {
      asking = socket;
    });
    publish(rig, origin.port, "http1");
    const client = connect(rig.port("http1"), "127.0.0.1");
    let reply = "";
    client.on("data", (chunk: Buffer) => {
      reply += chunk.toString("latin1");
    });
    client.on("error", () => {});
    client.write("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 1000000\r\n\r\nabc");
    await eventually(() => origin.received[0]?.endsWith("abc") === true);
    const goOn = rig.pauseTurns();
    // What the client sends is read first, and its sending shows that the connection is reset.
    client.write("d".repeat(bytes));
    await lapse(20);
    (asking as Socket | null)?.write(TOO_LARGE, () => (asking as Socket | null)?.resetAndDestroy());
    await lapse(20);
    goOn();
    await eventually(() => reply.includes("\r\n\r\n"));
    assert.match(reply, /^HTTP\/1.1 413 /);
    client.destroy();
    await origin.close();
    await eventually(() => rig.rows.pending(0) === 0);
    assert.equal(rig.faults, []);
    rig.stop();
  });
}

test("a content that only an end would end is cut when a write finds the connection reset", async () => {
  const rig = new LoopRig(1);
  let asking: Socket | null = null;
  const origin = await rawOrigin((socket) => {
    asking = socket;
  });
  publish(rig, origin.port, "http1");
  const peer = await Http2Peer.connect(rig.port("http2"));
  const id = peer.request(POST, "abc", "open");
  await eventually(() => origin.received[0]?.includes("abc") === true);
  (asking as Socket | null)?.write("HTTP/1.1 200 OK\r\n\r\nhalf");
  await eventually(() => peer.link.stream(id).status === 200);
  const goOn = rig.pauseTurns();
  peer.link.body(id, "more", "open");
  await lapse(20);
  (asking as Socket | null)?.resetAndDestroy();
  await lapse(20);
  goOn();
  assert.is((await peer.over(id)).outcome, "200 reset 2");
  peer.close();
  await origin.close();
  await eventually(() => rig.rows.pending(0) === 0);
  assert.equal(rig.faults, []);
  rig.stop();
});

test.run();
