// timeout: 180s
// exclusive
/**
 * Flow control (RFC 9113 §5.2, §6.9) used against the proxy: windows that stay shut or open by the
 * byte (CVE-2019-9511, -9517), that overflow or turn negative, and connection windows that leak with
 * every stream that is reset. A client that does not read pauses the origin, and memory is bounded.
 */
import * as assert from "uvu/assert";
import { eventually, lapse } from "../support/eventually.ts";
import { withstands } from "../support/http2-attack.ts";
import { requestFields } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { answerOk, type Http2Origin, Http2Peer, http2Origin } from "../support/http2-peer.ts";
import {
  assertHealthy,
  type Rig,
  SERVICES,
  type Service,
  startRig,
  to,
} from "../support/http2-rig.ts";
import { nameOf } from "../support/http2-state.ts";
import { OK_HTTP1, recordingOrigin } from "../support/recording-origin.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-abuse-windows");
test.timeout(30_000);

const BIG_BYTES = 32 * 1024 * 1024;
/** What the kernel's buffers of the two connections may take, and the proxy's. */
const PAUSED_BYTES_MAX = 24 * 1024 * 1024;
/** Several times the connection's window. */
const SOME_BYTES = 4 * 1024 * 1024;
/** For nothing to happen in, where nothing may. */
const QUIET_MS = 300;

let rig: Rig;
/** An origin that takes no DATA. */
let shut: Http2Origin;
let sentByWeb: () => number = () => 0;

test.before(async () => {
  const big = Buffer.alloc(BIG_BYTES, "b");
  const some = big.subarray(0, SOME_BYTES);
  shut = await http2Origin(() => {}, { settings: [[f.Setting.initialWindowSize, 0]] });
  rig = await startRig({
    web: await recordingOrigin(({ target }, socket) => {
      if (!/^\/(?:big|some)$/.test(target)) return OK_HTTP1;
      const body = target === "/big" ? big : some;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body);
      sentByWeb = () => socket.bytesWritten - socket.writableLength;
      return null;
    }),
    two: await http2Origin((request) => {
      if (request.path === "/big") request.respond(200, [], big);
      else if (request.path === "/some") request.respond(200, [], some);
      else answerOk(request);
    }),
    args: [`--upstream=shut=h2:127.0.0.1:${shut.port}`],
  });
});
test.after(async () => {
  await rig.stop();
  await shut.close();
});
test.after.each(async () => {
  await assertHealthy(rig);
});

const get = (service: Service, path: string) => to(service, requestFields(path));

/** How much of its last big body the origin has got rid of. */
function sentBy(service: Service): number {
  if (service === "web") return sentByWeb();
  const last = rig.two.requests.findLast(({ path }) => path === "/big");
  return last === undefined ? 0 : BIG_BYTES - last.link.unsentBytes(last.stream.id);
}

test("a window that stays shut pauses the origin", async () => {
  // H2-12
  for (const service of SERVICES) {
    await withstands(rig, async () => {
      const settings: f.Settings = [[f.Setting.initialWindowSize, 0]];
      const peer = await Http2Peer.connect(rig.port, { settings });
      await peer.settled();
      const ids = Array.from({ length: 5 }, () => peer.request(get(service, "/big")));
      for (const id of ids) await eventually(() => peer.link.stream(id).status === 200);
      await lapse(QUIET_MS);
      assert.ok(sentBy(service) <= PAUSED_BYTES_MAX, `${service}: ${sentBy(service)} bytes`);
      if (service === "two") assert.ok(sentBy(service) <= f.WINDOW_DEFAULT_BYTES);
      assert.ok(ids.every((id) => peer.link.stream(id).bodyBytes === 0));
      peer.close();
      return peer.link.writtenBytes;
    });
  }
});

test("a window that opens by the byte is served or ended, at no one's cost", async () => {
  // H2-12
  for (const service of SERVICES) {
    await withstands(rig, async () => {
      const settings: f.Settings = [[f.Setting.initialWindowSize, 0]];
      const peer = await Http2Peer.connect(rig.port, { settings, givesWindow: false });
      await peer.settled();
      const id = peer.request(get(service, "/big"));
      const stream = peer.link.stream(id);
      await eventually(() => stream.status === 200);
      const count = 20_000;
      await peer.link.flood(f.repeated(f.windowUpdate(id, 1), count));
      await eventually(() => stream.bodyBytes === count || peer.link.end !== null, {
        withinMs: 5_000,
      });
      if (peer.link.end !== null) assert.is(nameOf(peer.goAway), "enhanceYourCalm");
      peer.close();
      return peer.link.writtenBytes;
    });
  }
});

test("a client that opens its windows and does not read pauses the origin", async () => {
  // H2-12
  for (const service of SERVICES) {
    const stops = async (): Promise<number> => {
      const peer = await Http2Peer.connect(rig.port, {
        settings: [[f.Setting.initialWindowSize, f.WINDOW_BYTES_MAX]],
        connectionWindow: f.WINDOW_BYTES_MAX - f.WINDOW_DEFAULT_BYTES,
        givesWindow: false,
      });
      await peer.settled();
      const stream = peer.link.stream(peer.request(get(service, "/big")));
      await eventually(() => stream.bodyBytes > 0);
      peer.link.socket.pause();
      await lapse(QUIET_MS);
      let before = -1;
      // What the buffers take is taken quickly; then it stands still.
      await eventually(
        async () => {
          before = sentBy(service);
          await lapse(QUIET_MS);
          return sentBy(service) === before;
        },
        { withinMs: 10_000 },
      );
      assert.ok(before <= PAUSED_BYTES_MAX, `${service}: ${before} bytes`);
      peer.link.socket.resume();
      await eventually(() => stream.bodyBytes === BIG_BYTES, { withinMs: 15_000 });
      peer.close();
      return peer.link.writtenBytes;
    };
    await withstands(rig, stops, service, false);
  }
});

/** What is wrong about the connection's windows, and the code of the GOAWAY for it. */
const CONNECTION_ERRORS: readonly (readonly [what: string, bytes: Uint8Array, code: string])[] = [
  ["an increment of 0", f.windowUpdate(0, 0), "protocolError"],
  ["an overflow", f.windowUpdate(0, f.WINDOW_BYTES_MAX), "flowControlError"],
  ["two that overflow", f.repeated(f.windowUpdate(0, 2 ** 30), 2), "flowControlError"],
  ["an idle stream", f.windowUpdate(99, 1), "protocolError"],
  ["three bytes", f.frame(f.FrameType.windowUpdate, 0, 0, Buffer.alloc(3)), "frameSizeError"],
  ["an initial window of 2^31", f.settings([[4, 2 ** 31]]), "flowControlError"],
  ["one of 2^32 - 1", f.settings([[4, 2 ** 32 - 1]]), "flowControlError"],
];

test("windows that cannot be end the connection, or the stream that they are for", async () => {
  // H2-13
  for (const [what, bytes, code] of CONNECTION_ERRORS) {
    const peer = await Http2Peer.connect(rig.port);
    await peer.settled();
    peer.link.write(bytes);
    assert.is(nameOf(await peer.closed()), code, `${what}: ${peer.describe()}`);
  }
  const peer = await Http2Peer.connect(rig.port);
  for (const [increment, code] of [
    [0, 1],
    [f.WINDOW_BYTES_MAX, 3],
  ] as const) {
    const id = peer.request(requestFields("/open", [], "POST"), "a", "open");
    peer.link.write(f.windowUpdate(id, increment));
    assert.is((await peer.over(id)).outcome, `reset ${code}`);
  }
  const good = await peer.ask(requestFields("/good"));
  peer.link.write(f.windowUpdate(good.id, 1));
  assert.is((await peer.ask(requestFields("/good"))).outcome, "200 ended", "on a closed stream");
  peer.close();
});

test("an initial window that overflows an open stream's ends the connection", async () => {
  // H2-13
  const peer = await Http2Peer.connect(rig.port);
  const id = peer.request(requestFields("/open", [], "POST"), "a", "open");
  peer.link.write(f.windowUpdate(id, f.WINDOW_BYTES_MAX - f.WINDOW_DEFAULT_BYTES));
  peer.link.write(f.settings([[f.Setting.initialWindowSize, f.WINDOW_DEFAULT_BYTES + 1]]));
  assert.is(nameOf(await peer.closed()), "flowControlError", peer.describe());
});

test("a window that SETTINGS turned negative is counted to the byte", async () => {
  // H2-13
  for (const service of SERVICES) {
    const peer = await Http2Peer.connect(rig.port, {
      givesWindow: false,
      connectionWindow: BIG_BYTES,
    });
    await peer.settled();
    const id = peer.request(get(service, "/some"));
    const stream = peer.link.stream(id);
    const window = f.WINDOW_DEFAULT_BYTES;
    await eventually(() => stream.bodyBytes === window);
    peer.link.write(f.settings([[f.Setting.initialWindowSize, 0]]));
    await peer.settled(2);
    peer.link.write(f.windowUpdate(id, window));
    peer.link.write(f.ping());
    await eventually(() => peer.link.state.pingAcks === 1);
    assert.is(stream.bodyBytes, window, "at zero");
    peer.link.write(f.windowUpdate(id, 10));
    await eventually(() => stream.bodyBytes === window + 10);
    peer.link.write(f.settings([[f.Setting.initialWindowSize, 2 ** 30]]));
    await eventually(() => stream.isEnded, { withinMs: 5_000 });
    assert.is(stream.bodyBytes, SOME_BYTES);
    assert.equal(peer.link.violations, []);
    peer.close();
  }
});

test("DATA beyond a stream's window is an error", async () => {
  // H2-13
  const peer = await Http2Peer.connect(rig.port);
  const fields = requestFields("/", [], "POST").map(([name, value]): [string, string] =>
    name === ":authority" ? [name, "shut"] : [name, value],
  );
  peer.request(fields);
  await eventually(() => shut.links[0]?.state.settingsAcks === 1);
  const id = peer.nextId();
  peer.link.headers(id, fields, "open");
  peer.link.write(f.repeated(f.data(id, Buffer.alloc(16_384)), 5));
  const stream = await peer.over(id);
  assert.ok(stream.resetCode === 3 || peer.goAway === 3, `${stream.outcome}, ${peer.describe()}`);
  peer.close();
});

test("uploads that are reset give their part of the connection's window back", async () => {
  // H2-14
  const kinds: readonly ((peer: Http2Peer, id: number) => void)[] = [
    (peer, id) => {
      peer.link.write(f.data(id, Buffer.alloc(16_000)));
      peer.link.reset(id, f.ErrorCode.cancel);
    },
    (peer, id) => {
      peer.link.write(f.data(id, Buffer.alloc(10), 0, 255));
      peer.link.write(f.data(id, Buffer.alloc(15_000), 0, 200));
      peer.link.reset(id, f.ErrorCode.cancel);
    },
    // The proxy resets it, and what is on its way comes all the same.
    (peer, id) => {
      peer.link.write(f.windowUpdate(id, 0));
      peer.link.write(f.data(id, Buffer.alloc(16_000)));
    },
  ];
  for (const service of SERVICES) {
    const peer = await Http2Peer.connect(rig.port);
    for (const kind of kinds) {
      for (let i = 0; i < 100; i++) {
        await eventually(() => peer.link.state.sendWindow > 20_000, { what: "a window" });
        const id = peer.nextId();
        peer.link.headers(id, to(service, requestFields("/upload", [], "POST")), "open");
        kind(peer, id);
      }
    }
    const body = Buffer.alloc(SOME_BYTES);
    const id = peer.request(to(service, requestFields("/upload", [], "POST")), body);
    assert.is((await peer.over(id, 15_000)).outcome, "200 ended", peer.describe());
    assert.equal(peer.link.violations, []);
    peer.close();
  }
});

test("downloads that are reset give the window towards the origin back", async () => {
  // H2-14
  for (const service of SERVICES) {
    const peer = await Http2Peer.connect(rig.port);
    for (let i = 0; i < 100; i++) {
      const id = peer.request(get(service, "/some"));
      await eventually(() => peer.link.stream(id).bodyBytes > 0);
      peer.link.reset(id, f.ErrorCode.cancel);
    }
    const whole = await peer.over(peer.request(get(service, "/some")), 15_000);
    assert.equal([whole.outcome, whole.bodyBytes], ["200 ended", SOME_BYTES]);
    assert.equal(peer.link.violations, []);
    peer.close();
  }
});

test.run();
