// timeout: 180s
// exclusive
/**
 * HTTP/2 origins that go away, take fewer streams than before, or attack the proxy's client side with
 * what §6 of RFC 9113 allows and no one can bear. What an origin has not processed is sent again; an
 * attack costs its connection and what was on it, and nobody else.
 */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { withstands } from "../support/http2-attack.ts";
import {
  DYNAMIC_INDEX,
  encodeFields,
  indexed,
  literal,
  requestFields,
} from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import type { Http2Link } from "../support/http2-link.ts";
import {
  answerOk,
  Http2Peer,
  http2Origin,
  type OriginOptions,
  type OriginRequest,
} from "../support/http2-peer.ts";
import { assertHealthy, type Rig, startRig, to } from "../support/http2-rig.ts";
import { later } from "../support/later.ts";
import { send } from "../support/raw.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-abuse-origins");
test.timeout(30_000);

/** Runs `work` with a program whose service `two` is such an origin. */
async function through(
  handler: (request: OriginRequest) => void,
  work: (peer: Http2Peer, rig: Rig) => Promise<void>,
  options: OriginOptions = {},
): Promise<void> {
  const rig = await startRig({ two: await http2Origin(handler, options) });
  const peer = await Http2Peer.connect(rig.port);
  await peer.settled();
  try {
    await work(peer, rig);
    assert.equal(peer.link.violations, []);
    await assertHealthy(rig);
  } finally {
    peer.close();
    await rig.stop();
  }
}

const get = (path: string) => to("two", requestFields(path));

/** Sends so many requests at once and returns what came of them, each kind once with its count. */
async function all(peer: Http2Peer, count: number, path = "/"): Promise<string[]> {
  const ids = Array.from({ length: count }, () => peer.request(get(path)));
  const counts = new Map<string, number>();
  for (const id of ids) {
    const { outcome } = await peer.over(id, 10_000);
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return [...counts].map(([outcome, times]) => `${times} x ${outcome}`);
}

test("what a GOAWAY says was not processed is sent again on a new connection", async () => {
  // H2-19
  const gone = new Set<Http2Link>();
  const goesAway = (request: OriginRequest): void => {
    const { link, stream } = request;
    if (gone.has(link)) return;
    // Every other connection refuses what it has, and closes a moment later.
    if (stream.id === 1 && gone.size < 5) {
      gone.add(link);
      link.write(f.goAway(0, f.ErrorCode.noError));
      later(50, () => link.socket.end());
      return;
    }
    answerOk(request);
  };
  await through(goesAway, async (peer) => {
    for (let i = 0; i < 6; i++) {
      assert.equal(await all(peer, 20), ["20 x 200 ended"], `round ${i}`);
    }
    assert.ok(gone.size > 0);
  });
});

test("GOAWAY twice lets what is in flight end, and takes nothing new", async () => {
  // H2-19
  const goesAway = (request: OriginRequest): void => {
    const { link } = request;
    if (request.path !== "/first") return answerOk(request);
    link.write(Buffer.concat([f.goAway(2 ** 31 - 1, f.ErrorCode.noError), f.ping()]));
    later(100, () => link.write(f.goAway(1, f.ErrorCode.noError)));
    later(200, () => answerOk(request));
  };
  await through(goesAway, async (peer, rig) => {
    const first = peer.request(get("/first"));
    // The answer to the PING says that the GOAWAY before it was read.
    const link = await eventually(
      () => rig.two.links.find(({ state }) => state.pingAcks === 1) ?? null,
    );
    assert.equal(await all(peer, 20), ["20 x 200 ended"]);
    assert.is((await peer.over(first)).outcome, "200 ended");
    assert.equal(await all(peer, 20), ["20 x 200 ended"]);
    assert.is(rig.two.requests.filter((request) => request.link === link).length, 1);
    await eventually(() => link?.end !== null, { withinMs: 5_000, what: "the old one is closed" });
  });
});

test("a GOAWAY that takes streams back, or whose last stream grows, does no harm", async () => {
  // H2-19
  await through(
    (request) => {
      const { link, stream } = request;
      if (request.path === "/grows") {
        link.write(
          Buffer.concat([f.goAway(0, 0), f.goAway(stream.id, 0), f.goAway(2 ** 31 - 1, 0)]),
        );
      }
      if (request.path === "/error") {
        link.write(f.goAway(stream.id, f.ErrorCode.internalError, "debug\r\ndata"));
        link.socket.end();
        return;
      }
      answerOk(request);
    },
    async (peer) => {
      for (const path of ["/grows", "/error"]) {
        for (let i = 0; i < 3; i++) {
          const seen = await peer.ask(get(path));
          assert.match(seen.outcome, /^(?:200 ended|502 ended|reset [1-9][0-9]*)$/, path);
          assert.equal(await all(peer, 10), ["10 x 200 ended"], path);
        }
      }
    },
  );
});

test("a stream that is refused is tried again, and not for ever", async () => {
  // H2-19
  const tries = new Map<string, number>();
  await through(
    (request) => {
      const count = (tries.get(request.path) ?? 0) + 1;
      tries.set(request.path, count);
      const isRefused = request.path === "/always" || (request.path === "/once" && count === 1);
      if (isRefused) request.link.reset(request.stream.id, f.ErrorCode.refusedStream);
      else answerOk(request);
    },
    async (peer) => {
      assert.equal(await all(peer, 1, "/once"), ["1 x 200 ended"]);
      const seen = await peer.ask(get("/always"));
      assert.match(seen.outcome, /^(?:50[234] ended|reset 7)$/);
      assert.ok((tries.get("/always") ?? 0) <= 10, `${tries.get("/always")} tries`);
      const reply = await send(
        peer.link.socket.remotePort ?? 0,
        "GET /always HTTP/1.1\r\nHost: two\r\n\r\n",
        {
          until: (text) => text.includes("\r\n\r\n"),
        },
      );
      assert.match(reply.text, /^HTTP\/1.1 50[234] /);
    },
  );
});

test("an origin that takes one stream at a time is asked one at a time", async () => {
  // H2-20
  const options = { settings: [[f.Setting.maxConcurrentStreams, 1]] } as const;
  const slowly = (request: OriginRequest): void => later(2, () => answerOk(request));
  await through(
    slowly,
    async (peer, rig) => {
      assert.equal(await all(peer, 100), ["100 x 200 ended"]);
      assert.ok(rig.two.links.length >= 1);
    },
    options,
  );
});

test("an origin that takes fewer streams in the middle, or none, is obeyed", async () => {
  // H2-20
  const lowers = (request: OriginRequest): void => {
    const { link } = request;
    const limit = request.path === "/one" ? 1 : 0;
    if (request.path !== "/") link.write(f.settings([[f.Setting.maxConcurrentStreams, limit]]));
    if (request.path === "/none") later(500, () => link.write(f.settings([[3, 100]])));
    later(2, () => answerOk(request));
  };
  await through(lowers, async (peer, rig) => {
    for (const path of ["/one", "/none", "/none"]) {
      assert.equal(await all(peer, 1, path), ["1 x 200 ended"], path);
      assert.equal(await all(peer, 50), ["50 x 200 ended"], `behind ${path}`);
    }
    assert.equal(rig.two.violations(), []);
  });
});

test("an origin that never takes a stream makes requests fail, not hang", async () => {
  // H2-20
  const options = { settings: [[f.Setting.maxConcurrentStreams, 0]] } as const;
  await through(
    answerOk,
    async (peer) => {
      // The first stream may have gone out before its SETTINGS were there.
      await peer.over(peer.request(get("/first")), 8_000);
      const seen = await peer.over(peer.request(get("/next")), 8_000);
      assert.match(seen.outcome, /^(?:50[34] ended|200 ended)$/);
    },
    options,
  );
});

/** What an origin sends over and over on a connection that carries a request. */
const FLOODS: Readonly<Record<string, (id: number) => Buffer>> = {
  SETTINGS: () => f.repeated(f.settings(), 50_000),
  PING: () => f.repeated(f.ping(), 50_000),
  "empty DATA": (id) => behindHead(id, f.repeated(f.data(id, ""), 50_000)),
  CONTINUATION: (id) =>
    Buffer.concat([
      f.headers(id, Buffer.alloc(0), f.Flag.none),
      f.repeated(f.continuation(id, Buffer.alloc(0), f.Flag.none), 50_000),
    ]),
  "a block without an end": (id) =>
    Buffer.concat([
      f.headers(id, encodeFields([[":status", "200"]]), f.Flag.none),
      f.repeated(f.continuation(id, f.repeated(literal("a", "b"), 2_000), f.Flag.none), 100),
    ]),
  "a bomb": (id) => {
    const fill = literal("x", "a".repeat(4_000), "indexed");
    const block = [
      encodeFields([[":status", "200"]]),
      fill,
      f.repeated(indexed(DYNAMIC_INDEX), 10_000),
    ];
    return f.headers(id, Buffer.concat(block), f.Flag.endHeaders | f.Flag.endStream);
  },
  WINDOW_UPDATE: (id) => f.repeated(f.windowUpdate(id, 1), 50_000),
  "resets of idle streams": () => f.repeated(f.rstStream(2, 8), 1_000),
};

function behindHead(id: number, bytes: Buffer): Buffer {
  return Buffer.concat([f.headers(id, encodeFields([[":status", "200"]])), bytes]);
}

test("an origin that floods costs its connection, and the next request is served", async () => {
  let sentBytes = 0;
  const floods = (request: OriginRequest): void => {
    const write = FLOODS[decodeURIComponent(request.path.slice(1))];
    if (write === undefined) return answerOk(request);
    const bytes = write(request.stream.id);
    sentBytes += bytes.length;
    void request.link.flood(bytes);
  };
  await through(floods, async (peer, rig) => {
    for (const what of Object.keys(FLOODS)) {
      await withstands(rig, async () => {
        sentBytes = 0;
        const seen = await peer.ask(get(`/${encodeURIComponent(what)}`));
        assert.match(seen.outcome, /^(?:502 ended|(?:200 )?reset [1-9][0-9]*)$/, what);
        assert.equal(await all(peer, 10), ["10 x 200 ended"], `behind ${what}`);
        return sentBytes + peer.link.writtenBytes;
      });
    }
  });
});

test.run();
