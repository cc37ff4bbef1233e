// timeout: 180s
// exclusive
/**
 * Streams that are opened to be reset: by the client (CVE-2023-44487), or by the proxy because the
 * client makes it (CVE-2025-8671). Both draw on one budget, what the origin was asked for is
 * cancelled, and never does one connection have more than 100 requests at the origin.
 */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { assertCalmed, withstands } from "../support/http2-attack.ts";
import { encodeFields, requestFields } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { answerOk, Http2Peer, http2Origin } from "../support/http2-peer.ts";
import { type Rig, SERVICES, type Service, startRig, to } from "../support/http2-rig.ts";
import { OK_HTTP1, recordingOrigin } from "../support/recording-origin.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-abuse-reset");
test.timeout(30_000);

/** The budget is 1,000 at once and 33 more each second; some seconds may go by. */
const RESETS_MAX = 1_400;
/** What one connection may have open, and the canary's one request. */
const STREAMS_MAX = 101;
const CONNECTIONS = 10;
const STREAMS_EACH = 50;
const ENDS = f.Flag.endStream | f.Flag.endHeaders;

let rig: Rig;

test.before(async () => {
  const isWork = (path: string): boolean => path.startsWith("/work");
  rig = await startRig({
    web: await recordingOrigin(({ target }) => (isWork(target) ? null : OK_HTTP1)),
    two: await http2Origin((request) => (isWork(request.path) ? undefined : answerOk(request))),
  });
});
test.after(async () => {
  await rig.stop();
});

const blockFor = (service: Service): Buffer => encodeFields(to(service, requestFields("/work")));

/** Sends what `write` makes for stream after stream on one connection; returns the bytes sent. */
async function attack(write: (id: number) => Uint8Array, streams: number): Promise<number> {
  const peer = await Http2Peer.connect(rig.port);
  const parts = Array.from({ length: streams }, () => write(peer.nextId()));
  await peer.link.flood(Buffer.concat(parts));
  await assertCalmed(peer);
  return peer.link.writtenBytes;
}

/** Nothing of the attack is still at an origin, and there never was too much at once. */
async function assertCancelled(streamsMax = STREAMS_MAX): Promise<void> {
  const work = rig.two.requests.filter(({ path }) => path === "/work");
  assert.ok(work.length <= RESETS_MAX, `${work.length} requests at the HTTP/2 origin`);
  await eventually(() => work.every(({ stream }) => stream.resetCode === f.ErrorCode.cancel), {
    what: "every stream at the HTTP/2 origin is cancelled",
  });
  assert.ok(rig.two.peak() <= streamsMax, `${rig.two.peak()} streams at once`);
  const whole = rig.web.requests.filter(({ target }) => target === "/work");
  assert.ok(whole.length <= RESETS_MAX, `${whole.length} requests at the HTTP/1 origin`);
  assert.ok(rig.web.peak() <= streamsMax, `${rig.web.peak()} connections at once`);
  await eventually(() => rig.web.waiting().length === 0, {
    what: "no connection at the HTTP/1 origin waits for an answer",
  });
  rig.two.forget();
  rig.web.forget();
}

test("HEADERS and RST_STREAM over and over end the connection", async () => {
  // H2-01
  for (const service of SERVICES) {
    const block = blockFor(service);
    const pair = (id: number): Buffer =>
      Buffer.concat([f.headers(id, block, ENDS), f.rstStream(id, f.ErrorCode.cancel)]);
    await withstands(rig, () => attack(pair, 5_000), service);
    await assertCancelled();
  }
});

test("so they do when the block is in CONTINUATION frames, or the request has a body", async () => {
  // H2-01
  for (const service of SERVICES) {
    const block = blockFor(service);
    const split = (id: number): Buffer =>
      Buffer.concat([
        f.headers(id, block.subarray(0, 9), f.Flag.endStream),
        f.continuation(id, block.subarray(9)),
        f.rstStream(id, f.ErrorCode.cancel),
      ]);
    const open = (id: number): Buffer =>
      Buffer.concat([f.headers(id, block), f.data(id, "some body"), f.rstStream(id, 8)]);
    await withstands(rig, () => attack(split, 3_000), service);
    await assertCancelled();
    await withstands(rig, () => attack(open, 3_000), service);
    await assertCancelled();
  }
});

/** Requests of the attack that the origin has, also those that were reset since. */
function atOrigin(service: Service): number {
  if (service === "two") return rig.two.requests.filter(({ path }) => path === "/work").length;
  return rig.web.requests.filter(({ target }) => target === "/work").length;
}

/** No request of the attack is open at an origin. */
function isIdle(): boolean {
  const work = rig.two.requests.filter(({ path }) => path === "/work");
  return rig.web.waiting().length === 0 && work.every(({ stream }) => stream.resetCode !== null);
}

/** What ends a stream. */
type End = (id: number, block: Buffer) => Uint8Array;

/** Opens streams, waits until all are at the origin, and ends them; false: it was stopped. */
async function round(
  peer: Http2Peer,
  service: Service,
  count: number,
  end: End = (id) => f.rstStream(id, f.ErrorCode.cancel),
): Promise<boolean> {
  const before = atOrigin(service);
  const ids = Array.from({ length: count }, () =>
    peer.request(to(service, requestFields("/work"))),
  );
  await eventually(() => atOrigin(service) >= before + count || peer.link.end !== null);
  peer.link.write(Buffer.concat(ids.map((id) => end(id, blockFor(service)))));
  return peer.link.end === null;
}

test("requests that reach the origin before they are reset draw on the same budget", async () => {
  // H2-01
  for (const service of SERVICES) {
    await withstands(
      rig,
      async () => {
        const peer = await Http2Peer.connect(rig.port);
        await peer.settled();
        let rounds = 0;
        while (await round(peer, service, 100)) {
          assert.ok(++rounds < 20, "2,000 streams reset");
          // Those of the next round may reach the origin on another connection, before the resets.
          await eventually(() => isIdle());
        }
        await assertCalmed(peer);
        return peer.link.writtenBytes;
      },
      service,
    );
    await assertCancelled();
  }
});

test("many connections that stay within the budget cancel their work too", async () => {
  // H2-01
  for (const service of SERVICES) {
    await withstands(rig, async () => {
      const peers = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => Http2Peer.connect(rig.port)),
      );
      await Promise.all(peers.map((peer) => round(peer, service, STREAMS_EACH)));
      for (const peer of peers) {
        const good = await peer.ask(to(service, requestFields("/good")));
        assert.is(good.outcome, "200 ended", peer.describe());
      }
      const sent = peers.reduce((sum, { link }) => sum + link.writtenBytes, 0);
      for (const peer of peers) peer.close();
      return sent;
    });
    await assertCancelled(CONNECTIONS * STREAMS_EACH + 1);
  }
});

/** What makes the proxy reset a stream that has a good request (CVE-2025-8671). */
const TRIGGERS: Readonly<Record<string, End>> = {
  "WINDOW_UPDATE of 0": (id) => f.windowUpdate(id, 0),
  "a window that overflows": (id) => f.windowUpdate(id, f.WINDOW_BYTES_MAX),
  "PRIORITY of a wrong length": (id) => f.frame(f.FrameType.priority, 0, id, f.u32(0)),
  "PRIORITY on itself": (id) => f.priority(id, id),
  "HEADERS behind the end": (id, block) => f.headers(id, block, ENDS),
  "DATA behind the end": (id) => f.data(id, "more", f.Flag.endStream),
};

for (const [what, trigger] of Object.entries(TRIGGERS)) {
  test(`${what} over and over ends the connection`, async () => {
    // H2-02
    for (const service of SERVICES) {
      const block = blockFor(service);
      await withstands(rig, async () => {
        const peer = await Http2Peer.connect(rig.port);
        // Some that the origin is already asked for, then as many as go.
        await round(peer, service, 50, trigger);
        const parts = Array.from({ length: 2_000 }, () => {
          const id = peer.nextId();
          return Buffer.concat([f.headers(id, block, ENDS), trigger(id, block)]);
        });
        await peer.link.flood(Buffer.concat(parts));
        const code = await peer.closed();
        const resets = peer.link.state.received.get(f.FrameType.rstStream) ?? 0;
        assert.ok(resets <= RESETS_MAX, `${resets} streams reset`);
        // A connection error at once is right too where the RFC leaves the choice.
        const isCalmed = code === f.ErrorCode.enhanceYourCalm;
        const isError = code === f.ErrorCode.streamClosed || code === f.ErrorCode.protocolError;
        assert.ok(isCalmed || (isError && resets <= 1), `${resets} resets, ${peer.describe()}`);
        assert.equal(peer.link.violations, []);
        return peer.link.writtenBytes;
      });
      await assertCancelled();
    }
  });
}

test.run();
