// timeout: 180s
/**
 * Bodies of random sizes, on many streams at once, to origins of both kinds, in windows of all sizes,
 * with streams that are reset in between: what comes back is byte for byte what was sent. Threads
 * share their buffers among connections, so a byte of one stream in another is what to look for.
 */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { requestFields } from "../support/http2-fields.ts";
import {
  ErrorCode,
  Setting,
  type Settings,
  WINDOW_DEFAULT_BYTES,
} from "../support/http2-frames.ts";
import { Http2Peer, http2Origin } from "../support/http2-peer.ts";
import {
  assertHealthy,
  type Rig,
  SERVICES,
  type Service,
  startRig,
  to,
} from "../support/http2-rig.ts";
import { type Random, seeded } from "../support/random.ts";
import { send } from "../support/raw.ts";
import { recordingOrigin } from "../support/recording-origin.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-integrity");
test.timeout(60_000);

const BODY_BYTES_MAX = 300_000;
/** More than two windows of a stream. */
const BYTES = 150_000;
const STREAMS = 60;
/** Open at once on one connection. */
const TOGETHER = 12;

let rig: Rig;

test.before(async () => {
  rig = await startRig({
    web: await recordingOrigin(
      ({ content }) => `HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n${content}`,
    ),
    two: await http2Origin(
      (request) =>
        request.whenEnded(() =>
          request.respond(200, [], Buffer.from(request.stream.body, "latin1"), [["x-t", "end"]]),
        ),
      { settings: [[Setting.initialWindowSize, 30_000]] },
    ),
  });
});
test.after(async () => {
  await rig.stop();
});

/** Text that tells by each character where it belongs. */
function pattern(key: number, length: number): string {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = key * 37 + i * 7 + (i >> 8) * 31;
  return bytes.toString("latin1");
}

/** Keeps `TOGETHER` streams open until `STREAMS` are over; some are reset at a random moment. */
async function exchange(peer: Http2Peer, random: Random, who: number): Promise<void> {
  const one = async (n: number): Promise<void> => {
    const service: Service = random.pick(SERVICES);
    const length = random.chance(0.2) ? random.below(20) : random.below(BODY_BYTES_MAX);
    const body = pattern(who * 1_000 + n, length);
    const fields = to(service, requestFields(`/${who}/${n}`, [], "POST"));
    const id = peer.request(fields, body, random.chance(0.3) ? [["x-t", "sent"]] : "end");
    if (random.chance(0.2)) {
      const part = random.below(length + 1);
      await eventually(() => peer.link.stream(id).bodyBytes >= part || part > length / 2, {
        withinMs: 20_000,
      });
      peer.link.reset(id, ErrorCode.cancel);
      return;
    }
    const stream = await peer.over(id, 30_000);
    assert.is(stream.outcome, "200 ended", `${who}/${n}: ${peer.describe()}`);
    if (stream.body !== body) assert.unreachable(`${who}/${n}: ${difference(stream.body, body)}`);
  };
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < STREAMS) await one(next++);
  };
  await Promise.all(Array.from({ length: TOGETHER }, lane));
}

function difference(got: string, wanted: string): string {
  let at = 0;
  while (at < wanted.length && got[at] === wanted[at]) at++;
  const hex = (text: string): string =>
    Buffer.from(text.slice(at, at + 16), "latin1").toString("hex");
  return `${got.length} of ${wanted.length} bytes, at ${at} ${hex(got)} for ${hex(wanted)}`;
}

test("bodies come back as they were sent, whatever else happens", async () => {
  const random = seeded("http2-integrity");
  const windows: readonly (readonly [window: number, giveBack: number])[] = [
    [65_535, 16_384],
    [1_000, 300],
    [1_000_000, 50_000],
    [20_000, 9_000],
  ];
  await Promise.all(
    windows.map(async ([window, giveBackBytes], who) => {
      const settings: Settings = [[Setting.initialWindowSize, window]];
      const peer = await Http2Peer.connect(rig.port, { settings, giveBackBytes });
      await exchange(peer, random, who);
      assert.equal(peer.link.violations, []);
      peer.close();
    }),
  );
  await assertHealthy(rig);
});

test("uploads that wait for one connection to be opened all go on once it is", async () => {
  // More than a window each; those behind the first find a connection that another has used.
  for (const service of SERVICES) {
    const own = await startRig();
    const peer = await Http2Peer.connect(own.port);
    await peer.settled();
    const fields = to(service, requestFields("/", [], "POST"));
    const [first = 0, ...rest] = Array.from({ length: 3 }, () => peer.nextId());
    const ids = [...rest, first];
    const window = WINDOW_DEFAULT_BYTES;
    // While the program stands still, so that windows are full before the connection is there.
    process.kill(own.program.child.pid ?? 0, "SIGSTOP");
    for (const id of [first, ...rest]) peer.link.headers(id, fields, "open");
    for (const id of ids) peer.link.body(id, pattern(id, BYTES), "end");
    await eventually(() => ids.every((id) => peer.link.unsentBytes(id) === BYTES - window));
    process.kill(own.program.child.pid ?? 0, "SIGCONT");
    for (const id of ids) {
      assert.is((await peer.over(id)).outcome, "200 ended", `${id} to ${service}`);
      const got = own.two.requests.find(({ stream }) => stream.body === pattern(id, BYTES));
      assert.ok(service === "web" || got !== undefined, `${id} arrived whole`);
    }
    peer.close();
    await own.stop();
  }
});

test("so do those of HTTP/1 clients through HTTP/2", async () => {
  const random = seeded("http2-integrity-http1");
  const one = async (n: number): Promise<void> => {
    const body = pattern(n, random.below(BODY_BYTES_MAX));
    const head = `POST /${n} HTTP/1.1\r\nHost: two\r\nContent-Length: ${body.length}\r\n\r\n`;
    const { text } = await send(rig.port, head + body, {
      until: (seen) => seen.endsWith("\r\n0\r\nx-t: end\r\n\r\n"),
      withinMs: 20_000,
    });
    const content = unchunked(text.slice(text.indexOf("\r\n\r\n") + 4));
    if (content !== body) assert.unreachable(`${n}: ${difference(content, body)}`);
  };
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 8 }, (_, i) => one(round * 8 + i)));
  }
  await assertHealthy(rig);
});

function unchunked(text: string): string {
  let content = "";
  let at = 0;
  for (;;) {
    const line = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (!(size > 0)) return content;
    content += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}

test.run();
