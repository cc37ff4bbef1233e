// What becomes of a request that is given to a kept connection in the very turn in which that ends.
import type { Socket } from "node:net";
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
      const ip = Uint8Array.of(127, 0, 0, 1);
      const endpoint = { row: 0, series: 10, ip, port, speaks, peer: null };
      const endpoints = [endpoint];
      rig.publish([{ name: "web", series: 1, endpoints, failure: null, routes: [] }]);
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

test.run();
