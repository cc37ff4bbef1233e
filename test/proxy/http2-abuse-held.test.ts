// timeout: 180s
// exclusive
/**
 * Responses that are asked for and never taken (CVE-2026-49975): streams on many connections, each
 * with a window that stays shut, so that what their origins answer waits in the proxy. The sender
 * pays forty bytes for each; what waits is bounded, and there is room for everybody else's requests.
 */
import * as assert from "uvu/assert";
import { eventually, lapse } from "../support/eventually.ts";
import { beginPeak, residentKib, startCanary } from "../support/http2-attack.ts";
import { requestFields } from "../support/http2-fields.ts";
import { Setting, type Settings } from "../support/http2-frames.ts";
import { answerOk, Http2Peer, http2Origin } from "../support/http2-peer.ts";
import {
  assertHealthy,
  type Rig,
  SERVICES,
  type Service,
  startRig,
  to,
} from "../support/http2-rig.ts";
import { OK_HTTP1, recordingOrigin } from "../support/recording-origin.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-abuse-held");
test.timeout(60_000);

const CONNECTIONS = 25;
const STREAMS = 100;
/** Much more than a window, and little pieces for the room that is left between. */
const SIZES: Readonly<Record<string, number>> = { "/big": 200_000, "/mid": 5_000, "/small": 400 };
/** What any attack may add to the process at its peak, and what the runtime's heap breathes. */
const GROWTH_KIB_MAX = (64 + 16) * 1024;
/** The canary goes on for so long while everything is held. */
const HELD_MS = 1_000;

async function start(): Promise<Rig> {
  const bodyOf = (path: string): string | null => {
    const size = SIZES[path];
    return size === undefined ? null : "b".repeat(size);
  };
  return await startRig({
    web: await recordingOrigin(({ target }) => {
      const body = bodyOf(target);
      if (body === null) return OK_HTTP1;
      return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    }),
    two: await http2Origin((request) => {
      const body = bodyOf(request.path);
      if (body === null) answerOk(request);
      else request.respond(200, [], body);
    }),
  });
}

/** Opens all the streams; each gets a head or is refused before the next connection's turn. */
async function hold(port: number, service: Service): Promise<Http2Peer[]> {
  const settings: Settings = [[Setting.initialWindowSize, 0]];
  const peers: Http2Peer[] = [];
  for (let left = CONNECTIONS; left > 0; left--) {
    const peer = await Http2Peer.connect(port, { settings });
    peers.push(peer);
    await peer.settled();
    const path = left > 4 ? "/big" : left > 2 ? "/mid" : "/small";
    const ids = Array.from({ length: STREAMS }, () =>
      peer.request(to(service, requestFields(path))),
    );
    const streams = ids.map((id) => peer.link.stream(id));
    // Not all connections at once: the origin's queue of those to accept is no subject here.
    await eventually(
      () =>
        peer.link.end !== null || streams.every(({ status, isOver }) => status !== null || isOver),
      { withinMs: 10_000, what: "100 answers" },
    );
  }
  return peers;
}

/** As many good requests, so that what the runtime compiles and pools for them is there before. */
async function warmUp(port: number, service: Service): Promise<void> {
  const peer = await Http2Peer.connect(port);
  for (let batch = 0; batch < CONNECTIONS; batch++) {
    const ids = Array.from({ length: STREAMS }, () =>
      peer.request(to(service, requestFields("/small"))),
    );
    for (const id of ids) assert.is((await peer.over(id)).outcome, "200 ended", peer.describe());
  }
  peer.close();
}

for (const service of SERVICES) {
  test(`2,500 held responses of ${service} starve nobody and take bounded memory`, async () => {
    // H2-05, H2-12
    const rig = await start();
    await warmUp(rig.port, service);
    const canary = await startCanary(rig.port);
    const other = await startCanary(rig.port, "two");
    const startKib = beginPeak(rig.program);
    const peers = await hold(rig.port, service);
    await lapse(HELD_MS);
    const grownKib = residentKib(rig.program, "VmHWM") - startKib;
    const answered = (await canary.stop()) + (await other.stop());
    for (const peer of peers) peer.close();
    const failures = [...canary.failures, ...other.failures];
    assert.is(failures.length, 0, `${failures.length} of ${answered} failed: ${failures[0]}`);
    assert.ok(answered > 2);
    await assertHealthy(rig);
    await rig.stop();
    assert.ok(grownKib <= GROWTH_KIB_MAX, `grown by ${grownKib} KiB of ${GROWTH_KIB_MAX}`);
  });
}

test.run();
