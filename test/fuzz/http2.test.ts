// timeout: 180s
// Both ends of HTTP/2 against frames of every kind; see test/support/fuzz.ts to run longer.
import * as assert from "uvu/assert";
import type { Http2Memory } from "../../src/protocol/http2/connection.ts";
import { KeptBudget } from "../../src/protocol/http2/kept-data.ts";
import { CONNECTION_WINDOW_BYTES, STREAMS_MAX } from "../../src/protocol/http2/limits.ts";
import { TestClient } from "../protocol/http2/client-rig.ts";
import { memoryOf } from "../protocol/http2/memory.ts";
import { Rig } from "../protocol/http2/rig.ts";
import { TestServer } from "../protocol/http2/server-rig.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../support/fuzz.ts";
import { encodeFields, type Field, type Form } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { type Random, seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { mutatedBytes } from "./mutate.ts";

const test = suite("fuzz/http2");
test.timeout(FUZZ_TIMEOUT_MS);

const FRAMES_MAX = 60;
const CODES = [0, 1, 2, 7, 8, 11, 99];

/** Streams that a client has open when its peer begins. */
const OPENED_FIRST = 4;

type Side = "server" | "client";
type End = TestServer | TestClient;

/** Lengths and windows that are at a bound, or near one. */
const SIZES = [0, 1, 4, 5, 9, 100, 1_023, 1_024, 16_384, 65_535, 2 ** 31 - 1];
const NAMES = [
  "x-a",
  "x-b",
  "cookie",
  "te",
  "content-length",
  "connection",
  "X-Big",
  "l5d-orig-case",
];
const VALUES = ["", "trailers", "a=b", "5", "0", "close", " x", "tt.lC"];
const LAWFUL: readonly (readonly [number, number])[] = [
  [f.Setting.initialWindowSize, 0],
  [f.Setting.initialWindowSize, 50],
  [f.Setting.initialWindowSize, 100_000],
  [f.Setting.maxConcurrentStreams, 6],
  [f.Setting.headerTableSize, 0],
  [f.Setting.headerTableSize, 200],
  [f.Setting.headerTableSize, 65_536],
  [f.Setting.maxFrameSize, 16_384],
  [0xface, 9],
];

/** A peer of `side`, which knows the streams there are and is now and then wrong about them. */
class AnyPeer {
  readonly #random: Random;
  readonly #side: Side;
  /** How often it does what it must not. */
  readonly #wrong: number;
  #next = 1;

  constructor(random: Random, side: Side) {
    this.#random = random;
    this.#side = side;
    this.#wrong = random.pick([0, 0.01, 0.1]);
    if (side === "client") this.#next = 2 * OPENED_FIRST + 1;
  }

  /** What it sends, from its first byte on. */
  pieces(): Buffer[] {
    const random = this.#random;
    const pieces: Buffer[] = this.#side === "server" ? [f.PREFACE] : [];
    pieces.push(f.settings(random.chance(0.5) ? [[f.Setting.initialWindowSize, 50]] : []));
    if (this.#side === "server") pieces.push(this.#headers(true));
    for (let count = random.below(FRAMES_MAX); count > 0; count--) {
      const piece = this.#frame();
      pieces.push(this.#isWrong() ? Buffer.from(mutatedBytes(random, piece)) : piece);
    }
    if (random.chance(0.05)) pieces.push(Buffer.from(random.bytes(random.below(300))));
    return pieces;
  }

  #isWrong(): boolean {
    return this.#random.chance(this.#wrong);
  }

  /** A stream that there is, or was. */
  #id(): number {
    const random = this.#random;
    if (this.#isWrong()) return random.pick([0, 2, this.#next + 40, 2 ** 31 - 1]);
    return Math.max(1, this.#next - 2 * random.between(1, 6));
  }

  #frame(): Buffer {
    const random = this.#random;
    switch (random.below(14)) {
      case 0:
      case 1:
      case 2:
        return this.#headers(true);
      case 3:
        return this.#headers(random.chance(0.5));
      case 4:
      case 5:
      case 6:
      case 7: {
        const content = new Uint8Array(random.pick([0, 1, 5, 700, 9_000, 16_384 - 256]));
        const padding = random.chance(0.3) ? random.below(256) : -1;
        return f.data(this.#id(), content, random.chance(0.2) ? f.Flag.endStream : 0, padding);
      }
      case 8:
        return f.rstStream(this.#id(), random.pick(CODES));
      case 9:
        return this.#windowUpdate(random.chance(0.5) ? 0 : this.#id());
      case 10:
        return this.#settings();
      case 11:
        return f.ping("12345678", random.chance(0.5) ? f.Flag.ack : 0);
      case 12:
        return random.chance(0.5) ? f.priority(this.#id(), 0) : f.unknown(this.#id());
      default:
        return random.chance(0.1) ? f.goAway(this.#id(), random.pick(CODES)) : f.ping();
    }
  }

  #windowUpdate(id: number): Buffer {
    return f.windowUpdate(id, this.#isWrong() ? this.#random.pick(SIZES) : 30_000);
  }

  #settings(): Buffer {
    const random = this.#random;
    if (random.chance(0.3)) return f.SETTINGS_ACK;
    const values = Array.from({ length: random.below(4) }, (): readonly [number, number] => {
      if (this.#isWrong()) return [random.between(1, 7), random.pick(SIZES)];
      return random.pick(LAWFUL);
    });
    return f.settings(values);
  }

  /** A head, or trailers. */
  #headers(isHead: boolean): Buffer {
    const random = this.#random;
    const opens = isHead && this.#side === "server";
    const id = opens ? this.#next : this.#id();
    if (opens) this.#next += 2;
    const form = random.pick<Form>(["plain", "indexed", "never"]);
    const block: Uint8Array = encodeFields(this.#fields(isHead), form);
    const bytes = this.#isWrong() ? mutatedBytes(random, block) : block;
    const end = random.chance(isHead ? 0.3 : 0.9) ? f.Flag.endStream : 0;
    const padding = random.chance(0.2) ? random.below(20) : -1;
    if (random.chance(0.8)) return f.headers(id, bytes, end | f.Flag.endHeaders, padding);
    const cut = random.below(bytes.length + 1);
    const rest = f.continuation(id, bytes.subarray(cut), this.#isWrong() ? 0 : 4);
    const between = this.#isWrong() ? f.ping() : Buffer.alloc(0);
    return Buffer.concat([f.headers(id, bytes.subarray(0, cut), end, padding), between, rest]);
  }

  #fields(isHead: boolean): Field[] {
    const random = this.#random;
    const fields: Field[] = [];
    if (isHead && this.#side === "server") {
      const method = random.pick(["GET", "POST", "HEAD", "get", "CONNECT"]);
      fields.push([":method", random.chance(0.8) ? "POST" : method], [":scheme", "http"]);
      const path = this.#isWrong() ? random.pick(["", "*", "/ "]) : "/a?b";
      fields.push([":authority", "web"], [":path", path]);
    } else if (isHead) {
      fields.push([":status", this.#isWrong() ? "999" : random.pick(["200", "204", "103", "304"])]);
    }
    for (let more = random.below(4); more > 0; more--) {
      const names = this.#isWrong() ? NAMES : NAMES.slice(0, 3);
      fields.push([random.pick(names), this.#isWrong() ? random.pick(VALUES) : "v"]);
    }
    return fields;
  }
}

/** Does with the streams what a random owner does; the same owner for the same seed. */
function act(end: End, random: Random): void {
  if (end.isOver) return;
  if (end instanceof TestClient) {
    if (end.room > 0 && random.chance(0.3)) {
      const isEnd = random.chance(0.5);
      const stream = end.ask(isEnd, random.pick(["GET", "HEAD", "POST"]));
      if (!isEnd) end.send(stream, random.pick([0, 10, 70_000]), random.chance(0.5));
    }
    return;
  }
  for (const stream of [...end.known.values()].slice(-3)) {
    if (!stream.isOpen || stream.weEnded || stream.endsAfterKept) continue;
    if (random.chance(0.1)) end.resetStream(stream, f.ErrorCode.cancel, false);
    else if (stream.trailersAfterKept === null && random.chance(0.5))
      answer(end, random, stream.id);
  }
  if (random.chance(0.01)) end.drain();
}

const answered = new WeakMap<End, Set<number>>();

function answer(end: TestServer, random: Random, id: number): void {
  const ids = answered.get(end) ?? new Set();
  answered.set(end, ids);
  if (!ids.has(id)) {
    ids.add(id);
    return end.respond(id, "HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n", random.chance(0.2));
  }
  if (random.chance(0.2)) return end.sendTrailers(id, "x-sum: 1\r\n");
  end.send(id, random.pick([0, 1, 60, 20_000]), random.chance(0.3));
}

function endOf(side: Side, shared: Http2Memory): End {
  if (side === "server") return new TestServer(new Rig(true), shared);
  return new TestClient(new Rig(false), shared, 1);
}

/** What a connection may never be found in, whatever came. */
function assertSound(end: End): void {
  const { state, resetByPeer } = end.rig;
  // §5.1: what comes behind the peer's own RST_STREAM is answered with one of ours, though we may
  // have sent one before.
  const allowed = Array.from(resetByPeer, (id) => `RST_STREAM twice on stream ${id}`);
  const violations = state.violations.filter((text) => !allowed.includes(text));
  assert.equal(violations, []);
  assert.ok(end instanceof TestClient || end.streamCount <= STREAMS_MAX);
  if (end.isOver) assert.is(end.streamCount, 0);
  else {
    const owed = CONNECTION_WINDOW_BYTES - state.sendWindow;
    assert.ok(owed >= 0 && owed < CONNECTION_WINDOW_BYTES / 2, `${owed} bytes are owed`);
  }
}

/** Runs a case; `isAfterEach`: the owner acts after each piece, else once in the end. */
function run(side: Side, pieces: readonly Buffer[], seed: number, isAfterEach: boolean): string[] {
  const budget = new KeptBudget();
  const end = endOf(side, memoryOf(budget));
  const random = seeded(`owner ${seed}`);
  end.isConsuming = random.chance(0.8);
  end.start();
  if (end instanceof TestClient) {
    for (let i = 0; i < OPENED_FIRST; i++) end.ask(i % 2 === 0, "POST");
  }
  for (const piece of pieces) {
    end.feed(piece);
    assertSound(end);
    if (isAfterEach) act(end, random);
    end.rig.output.flush();
    if (isAfterEach) end.sender.pump();
  }
  act(end, random);
  end.nowMs += 30_000;
  end.sweep();
  assertSound(end);
  end.endStreams(f.ErrorCode.cancel);
  assert.is(budget.usedBytes, 0, "what streams kept is given back");
  return [...end.events, end.rig.bytes.toString("hex")];
}

/** The same bytes, cut elsewhere. */
function cutAnew(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const count = random.chance(0.5) ? random.between(1, 30) : random.between(1, 20_000);
    pieces.push(bytes.subarray(at, at + count));
    at += count;
  }
  return pieces;
}

for (const side of ["server", "client"] as const) {
  test(`a ${side} keeps its promises, whatever comes`, () => {
    fuzz(`frames to a ${side}`, (random) => {
      run(side, new AnyPeer(random, side).pieces(), random.u32(), true);
    });
  });

  test(`a ${side} does the same wherever the bytes are cut`, () => {
    fuzz(`cuts to a ${side}`, (random) => {
      const bytes = Buffer.concat(new AnyPeer(random, side).pieces());
      const seed = random.u32();
      const whole = run(side, [bytes], seed, false);
      assert.equal(run(side, cutAnew(random, bytes), seed, false), whole);
    });
  });
}

test.run();
