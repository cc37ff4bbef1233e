import * as assert from "uvu/assert";
import { DescriptorTable } from "../../src/shared/descriptor-table.ts";
import { emptyHandOff, type HandOff, HandOffRing } from "../../src/shared/hand-off-ring.ts";
import { ALPN_BYTES_MAX, RING_SLOTS } from "../../src/shared/layout.ts";
import { allocate, attach } from "../../src/shared/memory.ts";
import { suite } from "../support/test.ts";
import { start } from "../support/threads.ts";
import { type Contender, OWN_BYTES } from "./fixtures/contender-types.ts";
import { check, fill } from "./fixtures/hand-offs.ts";

const test = suite("shared/hand-off-ring");
test.timeout(60_000);

const CONTENDERS = new URL("./fixtures/contenders.ts", import.meta.url);
const SLOTS = 200_000;

/** What comes out of a ring that `handOff` was put into. */
function through(handOff: HandOff): HandOff {
  const ring = new HandOffRing(allocate(1), 0);
  const into = emptyHandOff();
  // A slot and a hand-off that were used before must leave no trace.
  for (let i = 0; i < RING_SLOTS; i++) {
    fill(into, 7 + 16 * i);
    assert.ok(ring.push(into));
    assert.ok(ring.peek(into));
    ring.free();
  }
  assert.ok(ring.push(handOff));
  assert.ok(ring.peek(into));
  return into;
}

test("a new ring is empty", () => {
  const ring = new HandOffRing(allocate(1), 0);
  assert.is(ring.length(), 0);
  assert.not(ring.peek(emptyHandOff()));
});

test("push() fills RING_SLOTS slots and refuses the next without a trace", () => {
  const memory = allocate(2);
  const ring = new HandOffRing(memory, 1);
  const handOff = emptyHandOff();
  for (let i = 0; i < RING_SLOTS; i++) {
    fill(handOff, i);
    assert.ok(ring.push(handOff));
    assert.is(ring.length(), i + 1);
  }
  fill(handOff, 9_999);
  assert.not(ring.push(handOff));
  assert.is(ring.length(), RING_SLOTS);
  const other = new HandOffRing(attach(memory.words.buffer), 1);
  for (let i = 0; i < RING_SLOTS; i++) {
    assert.ok(other.peek(handOff));
    check(handOff, i);
    other.free();
  }
  assert.not(other.peek(handOff));
  assert.is(new HandOffRing(memory, 0).length(), 0, "the other worker's ring");
});

test("full, empty and in order across the wrap of the counts", () => {
  for (const count of [2 ** 31 - 100, 2 ** 32 - 100, 2 ** 32 - 1]) {
    const ring = new HandOffRing(allocate(1), 0);
    ring.startAt(count);
    const handOff = emptyHandOff();
    let pushed = 0;
    let freed = 0;
    for (let lap = 0; lap < 3; lap++) {
      for (; pushed - freed < RING_SLOTS; pushed++) {
        fill(handOff, pushed);
        assert.is(ring.length(), pushed - freed);
        assert.ok(ring.push(handOff));
      }
      assert.not(ring.push(handOff));
      assert.is(ring.length(), RING_SLOTS);
      for (; freed < pushed - lap; freed++) {
        assert.ok(ring.peek(handOff));
        check(handOff, freed);
        ring.free();
      }
    }
    for (; freed < pushed; freed++) {
      assert.ok(ring.peek(handOff));
      check(handOff, freed);
      ring.free();
    }
    assert.not(ring.peek(handOff));
    assert.is(ring.length(), 0);
  }
});

test("every field arrives: an IPv4 connection of which nothing is known", () => {
  const handOff = emptyHandOff();
  handOff.fd = 262_143;
  handOff.ticket = 0xffff_ff41;
  handOff.listener = 3;
  handOff.origFamily = 4;
  handOff.origPort = 65_535;
  handOff.origIp.set([127, 0, 0, 1]);
  handOff.peerFamily = 4;
  handOff.peerPort = 1;
  handOff.peerIp.set([255, 254, 253, 252]);
  assert.equal(through(handOff), handOff);
});

test("every field arrives: an IPv6 TLS connection with the longest SNI and two ALPN names", () => {
  const handOff = emptyHandOff();
  handOff.fd = 0;
  handOff.ticket = 64;
  handOff.protocol = "tls";
  handOff.origFamily = 6;
  handOff.origPort = 443;
  handOff.peerFamily = 6;
  handOff.peerPort = 40_000;
  for (let i = 0; i < 16; i++) {
    handOff.origIp[i] = 255 - i;
    handOff.peerIp[i] = i;
  }
  handOff.sni = `${`${"a".repeat(62)}.`.repeat(4)}b`;
  assert.is(handOff.sni.length, 253);
  handOff.alpn = ["h2", "http/1.1"];
  assert.equal(through(handOff), handOff);
});

test("every protocol arrives", () => {
  for (const protocol of [null, "http1", "http2", "tls", "opaque"] as const) {
    assert.is(through({ ...emptyHandOff(), protocol }).protocol, protocol);
  }
});

test("ALPN names arrive whole or not at all", () => {
  const arrived = (alpn: readonly string[]) => through({ ...emptyHandOff(), alpn }).alpn;
  assert.equal(arrived([]), []);
  assert.equal(arrived(["a,b", "h2"]), ["a,b", "h2"]);
  const longest = "n".repeat(ALPN_BYTES_MAX - 1);
  assert.equal(arrived([longest]), [longest]);
  assert.equal(arrived([`${longest}n`]), []);
  assert.equal(arrived(["h2", longest, "http/1.1"]), ["h2"]);
  const many = Array.from({ length: 40 }, (_, i) => `p${i % 10}`);
  assert.equal(arrived(many), many.slice(0, 32));
});

test("a producer and a consumer thread pass slots in order while another asks for the length", async () => {
  const memory = allocate(2);
  new HandOffRing(memory, 1).startAt(2 ** 32 - SLOTS / 2);
  const contender = {
    memory: memory.words.buffer,
    own: new SharedArrayBuffer(OWN_BYTES),
    parties: 3,
    thread: 1,
    times: SLOTS,
  } satisfies Contender;
  const [, , longest] = await Promise.all([
    start<number>(CONTENDERS, "producer", contender),
    start<number>(CONTENDERS, "consumer", contender),
    start<number>(CONTENDERS, "observer", contender),
  ]);
  assert.ok(longest > 0);
  assert.is(new HandOffRing(memory, 1).length(), 0);
});

test("a consumer that dies between peek and free leaves the slot, and a ticket that is good once", () => {
  const memory = allocate(1);
  const table = new DescriptorTable(memory);
  const ring = new HandOffRing(memory, 0);
  const handOff = emptyHandOff();
  const acceptor = 32;
  const pass = (fd: number): void => {
    assert.ok(table.claim(fd, acceptor));
    handOff.fd = fd;
    handOff.ticket = table.hand(fd, acceptor, 0);
    assert.ok(ring.push(handOff));
  };
  pass(10);
  pass(11);

  // Dies before adopt: the successor adopts.
  assert.ok(ring.peek(handOff));
  assert.equal(table.reclaim(0), []);
  const successor = new HandOffRing(attach(memory.words.buffer), 0);
  assert.ok(successor.peek(handOff));
  assert.is(handOff.fd, 10);
  assert.ok(table.adopt(handOff.fd, handOff.ticket, 0));
  successor.free();

  // Dies after adopt: main closes, and the successor finds the ticket stale.
  assert.ok(successor.peek(handOff));
  assert.ok(table.adopt(handOff.fd, handOff.ticket, 0));
  assert.equal(table.reclaim(0), [10, 11]);
  assert.ok(successor.peek(handOff));
  assert.is(handOff.fd, 11);
  assert.not(table.adopt(handOff.fd, handOff.ticket, 0));
  // Even when the kernel has given the number out again, to the same worker.
  const again = emptyHandOff();
  assert.ok(table.claim(11, acceptor));
  again.fd = 11;
  again.ticket = table.hand(11, acceptor, 0);
  assert.ok(ring.push(again));
  assert.not(table.adopt(handOff.fd, handOff.ticket, 0));
  successor.free();
  assert.ok(successor.peek(handOff));
  assert.ok(table.adopt(handOff.fd, handOff.ticket, 0));
  successor.free();
  assert.not(successor.peek(handOff));
});

test.run();
