// timeout: 60s
/**
 * Who stays silent gets no way around us. A server of HTTP/2 speaks first, one of HTTP/1 when it has
 * waited for long: neither makes the connection opaque, nor does the detection timeout, or whoever
 * waits could write `l5d-client-id` as he likes, and no policy of a route would be asked.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { encodeFields, requestFields } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { http2Origin } from "../support/http2-peer.ts";
import { later } from "../support/later.ts";
import {
  CALLER,
  clientIdsOf,
  type Mesh,
  makeMesh,
  OK,
  SNI,
  startRig,
} from "../support/mtls-rig.ts";
import { fixedOrigin, type RawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { pause, TlsPeer } from "../support/tls-peer.ts";

const test = suite("proxy/silence-spoof");
test.timeout(30_000);
const mesh: Mesh = await makeMesh();
const TIMEOUT_MS = 200;
const ARGS = [`--detect-timeout=${TIMEOUT_MS}ms`];
/** The application has been dialled; has been heard to say nothing; and detection is over. */
const SILENCES_MS = [0, 150, 2 * TIMEOUT_MS + 100];
/** A server on loopback accepts, and its words are here, within this. */
const SPOKEN_MS = 300;

/** A client that says something when it is told to, and keeps what comes. */
type Speaker = { say(bytes: string | Uint8Array): void; heard(): string; close(): void };
const WAYS: Readonly<Record<string, (port: number) => Promise<Speaker>>> = {
  plaintext: (port) =>
    new Promise((resolve, reject) => {
      let text = "";
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.on("error", reject);
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      const say = (bytes: string | Uint8Array): void => void socket.write(bytes, "latin1");
      const speaker: Speaker = { say, heard: () => text, close: () => socket.destroy() };
      socket.on("connect", () => resolve(speaker));
    }),
  "mutual TLS": async (port) => {
    const peer = await (await TlsPeer.connect(port, mesh.client, SNI)).shaken();
    const say = (bytes: string | Uint8Array): void => peer.write(bytes);
    return { say, heard: () => peer.text, close: () => peer.close() };
  },
};
/** What the application is told of who calls. */
const idsBy = (way: string): string[] =>
  way === "plaintext" ? [] : [`l5d-client-id: ${CALLER.dns}`];

async function serverOf(onSocket: (socket: Socket) => void): Promise<RawOrigin> {
  const received: string[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    const index = received.push("") - 1;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      received[index] += chunk.toString("latin1");
    });
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    connections: () => received.length,
    close: () => new Promise((done) => void server.close(() => done())),
  };
}

const FORGED = encodeFields(requestFields("/", [["l5d-client-id", "forged"]]));
const REQUEST_2 = Buffer.concat([f.PREFACE, f.settings(), f.headers(1, FORGED, 5)]);
const REQUEST_1 = "GET / HTTP/1.1\r\nHost: web\r\nl5d-client-id: forged\r\n\r\n";

for (const [way, open] of Object.entries(WAYS)) {
  for (const speaks of ["", "h2:"] as const) {
    test(`${way}, --app=${speaks}…: an application of HTTP/2 speaks first, and is not tunnelled to`, async () => {
      const app = await http2Origin();
      const origin = { port: app.port, received: [], connections: () => 0, close: app.close };
      const rig = await startRig({ mesh, args: ARGS, origin, speaks });
      for (const silenceMs of SILENCES_MS) {
        app.forget();
        const client = await open(rig.port);
        await pause(silenceMs);
        assert.is(client.heard(), "", "what the application says to everybody is not passed on");
        client.say(REQUEST_2);
        await eventually(() => client.heard().includes("ok"), { withinMs: 5_000 });
        const ids = app.requests.map(({ lines }) => clientIdsOf(lines.join("\r\n")));
        assert.equal(ids, [idsBy(way)], `${silenceMs} ms`);
        client.close();
      }
      await rig.stop();
    });
  }

  test(`${way}: silence beyond the detection timeout does not make HTTP/1 opaque`, async () => {
    const rig = await startRig({ mesh, args: ARGS, origin: await fixedOrigin(OK) });
    for (const silenceMs of SILENCES_MS) {
      for (const cut of [0, 2]) {
        const before = rig.origin.received.join("").length;
        const client = await open(rig.port);
        await pause(silenceMs);
        client.say(REQUEST_1.slice(0, cut));
        await pause(cut * 20);
        client.say(REQUEST_1.slice(cut));
        await eventually(() => client.heard().endsWith("ok"), { withinMs: 5_000 });
        const came = rig.origin.received.join("").slice(before);
        assert.equal(clientIdsOf(came), idsBy(way), `${silenceMs} ms, ${cut} bytes first`);
        client.close();
      }
    }
    await rig.stop();
  });

  test(`${way}: a server of HTTP/1 that gives up a silent client is not the client's end`, async () => {
    const tooLate = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    const origin = await serverOf((socket) => {
      socket.on("data", () => socket.write(OK));
      later(50, () => socket.write(tooLate));
    });
    const rig = await startRig({ mesh, args: ARGS, origin });
    const client = await open(rig.port);
    await eventually(() => origin.connections() === 1);
    await pause(SPOKEN_MS);
    client.say(REQUEST_1);
    await eventually(() => client.heard().includes("200"), { withinMs: 5_000 });
    assert.not.match(client.heard(), /408/);
    assert.equal(clientIdsOf(origin.received.join("")), idsBy(way));
    client.close();
    await rig.stop();
  });

  test(`${way}: words that only begin as HTTP's do are passed on`, async () => {
    const greetings: readonly (readonly [first: string, rest: string])[] = [
      ["\0\0\x06", "\x05\0\0\0\0\0"],
      ["\0\0\x07\x04\0\0\0\0\0", ""],
      ["HTTP", "D ready\r\n"],
      ["HTTP/", ""],
      ["\0", ""],
    ];
    let [first, rest] = ["", ""];
    const origin = await serverOf((socket) => {
      socket.write(first, "latin1");
      later(50, () => socket.write(rest, "latin1"));
    });
    const rig = await startRig({ mesh, args: ARGS, origin });
    for ([first, rest] of greetings) {
      const client = await open(rig.port);
      await eventually(() => client.heard() === first + rest, { withinMs: 5_000 });
      client.say("opaque");
      await eventually(() => origin.received.at(-1) === "opaque", { withinMs: 5_000 });
      client.close();
    }
    await rig.stop();
  });

  test(`${way}: SETTINGS in two pieces are SETTINGS, and opaque bytes still have their way`, async () => {
    const settings = f.settings();
    const origin = await serverOf((socket) => {
      socket.write(settings.subarray(0, 4));
      later(50, () => socket.write(settings.subarray(4)));
    });
    const rig = await startRig({ mesh, origin });
    const client = await open(rig.port);
    await eventually(() => origin.connections() === 1);
    await pause(SPOKEN_MS);
    assert.is(client.heard(), "");
    client.say("\x01opaque");
    await eventually(() => origin.received.at(-1) === "\x01opaque", { withinMs: 5_000 });
    await eventually(() => client.heard() === settings.toString("latin1"), { withinMs: 5_000 });
    client.close();
    await rig.stop();
  });
}

test("a client that goes without a word leaves nothing open", async () => {
  const app = await http2Origin();
  const origin = { port: app.port, received: [], connections: () => 0, close: app.close };
  const rig = await startRig({ mesh, args: ARGS, origin });
  for (const open of Object.values(WAYS)) {
    const client = await open(rig.port);
    await pause(2 * TIMEOUT_MS);
    client.close();
  }
  assert.is((await send(rig.port, "", { halfClose: true })).end, "fin");
  await eventually(async () => {
    const text = await (await rig.program.admin("/metrics")).text();
    const open = [...text.matchAll(/^tcp_open_connections\{.*\} (\d+)$/gm)];
    return open.length > 1 && open.every(([, count]) => count === "0");
  });
  await rig.stop();
});

test.run();
