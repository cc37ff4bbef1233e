/** Pins the shared memory word by word: whoever changes a number here raises LAYOUT_VERSION. */
import * as assert from "uvu/assert";
import {
  ALPN_BYTES_MAX,
  AsideRow,
  COUNTERS_MAX,
  DESCRIPTORS_MAX,
  DrainPhase,
  ENDPOINTS_MAX,
  EndpointRow,
  Header,
  InFlight,
  LATENCY_BOUNDS_MS,
  LAYOUT_MAGIC,
  LAYOUT_VERSION,
  LEARNED_MAX,
  LearnedRow,
  layoutFor,
  RING_SLOTS,
  RingHead,
  RingSlot,
  RingTail,
  SERIES_COUNTERS,
  SERIES_MAX,
  SeriesField,
  SNI_BYTES_MAX,
  STATUS_COUNT,
  STATUS_MIN,
  WORKERS_MAX,
  WorkerRow,
  WorkerState,
} from "../../src/shared/layout.ts";
import { allocate, attach, drainPhase, startDraining } from "../../src/shared/memory.ts";
import { LINE_WORDS, struct } from "../../src/shared/struct.ts";
import { suite } from "../support/test.ts";

const test = suite("shared/layout");

test("constants", () => {
  assert.is(LAYOUT_MAGIC, 0x4f555452);
  assert.is(LAYOUT_VERSION, 5);
  assert.is(LINE_WORDS, 16);
  assert.is(WORKERS_MAX, 16);
  assert.is(ENDPOINTS_MAX, 4_096);
  assert.is(DESCRIPTORS_MAX, 262_144);
  assert.is(RING_SLOTS, 256);
  assert.is(LEARNED_MAX, 1_024);
  assert.is(COUNTERS_MAX, 128);
  assert.is(SERIES_MAX, 512);
  assert.is(SNI_BYTES_MAX, 256);
  assert.is(ALPN_BYTES_MAX, 96);
  assert.is(STATUS_MIN, 100);
  assert.is(STATUS_COUNT, 500);
  assert.equal(WorkerState, { empty: 0, starting: 1, ready: 2, stopped: 3 });
});

/** Every index of a record, without the declaration it was made from. */
function indices(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== "$fields"));
}

test("every index of every record", () => {
  assert.equal(indices(Header), { magic: 0, version: 1, workers: 2, draining: 3, $stride: 16 });
  assert.equal(indices(WorkerRow), {
    state: 0,
    beatMs: 1,
    connections: 2,
    turnUs: 3,
    sleeping: 4,
    wakeFd: 5,
    pollFd: 6,
    snapshot: 7,
    fault: 8,
    pooled: 9,
    inFlight: 10,
    threadId: 11,
    $stride: 32,
  });
  assert.equal(indices(EndpointRow), {
    costUs: 0,
    stampMs: 1,
    retryAtMs: 2,
    failures: 3,
    heldUntilMs: 4,
    circuit: 5,
    health: 6,
    healthMs: 7,
    isRetried: 8,
    triedMs: 9,
    keptIdleMs: 10,
    joinedMs: 11,
    failing: 12,
    trialAtMs: 13,
    trials: 14,
    asideMs: 15,
    $stride: 16,
  });
  assert.equal(indices(AsideRow), { answeredMs: 0, $stride: 1 });
  assert.equal(indices(InFlight), {
    pending: 0,
    unanswered: 1,
    sentMs: 2,
    waitingSinceMs: 3,
    $stride: 4,
  });
  assert.equal(indices(RingHead), { taken: 0, $stride: 32 });
  assert.equal(indices(RingTail), { filled: 0, $stride: 32 });
  assert.equal(indices(RingSlot), {
    fd: 0,
    ticket: 1,
    listener: 2,
    protocol: 3,
    origFamily: 4,
    origPort: 5,
    origIp0: 6,
    origIp1: 7,
    origIp2: 8,
    origIp3: 9,
    peerFamily: 10,
    peerPort: 11,
    peerIp0: 12,
    peerIp1: 13,
    peerIp2: 14,
    peerIp3: 15,
    sniBytes: 16,
    alpnBytes: 17,
    text: 18,
    $stride: 128,
  });
  assert.equal(indices(LearnedRow), { key: 0, stampMs: 1, $stride: 2 });
});

test("the fields of a series", () => {
  assert.equal(SeriesField, {
    requests: 0,
    latencySumUs: 1,
    latencyBuckets: 2,
    aborted: 28,
    tcpOpen: 29,
    tcpClose: 30,
    tcpReadBytes: 31,
    tcpWriteBytes: 32,
    tcpConnectFailures: 33,
    statuses: 34,
  });
  assert.is(SERIES_COUNTERS, 534);
  assert.equal(
    LATENCY_BOUNDS_MS,
    [
      [1, 2, 3, 4, 5],
      [10, 20, 30, 40, 50],
      [100, 200, 300, 400, 500],
      [1_000, 2_000, 3_000, 4_000, 5_000],
      [10_000, 20_000, 30_000, 40_000, 50_000],
    ].flat(),
  );
  const buckets = LATENCY_BOUNDS_MS.length + 1;
  assert.is(SeriesField.latencyBuckets + buckets, SeriesField.aborted, "the last bucket is +Inf");
});

const GOLDEN = [
  {
    workers: 1,
    threads: 2,
    workerRows: 16,
    endpointRows: 48,
    asideRows: 65_584,
    inFlight: 69_680,
    descriptors: 86_064,
    learned: 348_208,
    rings: 350_256,
    ringStride: 32_832,
    counters: 383_088,
    series: 383_600,
    words: 1_477_232,
  },
  {
    workers: 2,
    threads: 3,
    workerRows: 16,
    endpointRows: 80,
    asideRows: 65_616,
    inFlight: 69_712,
    descriptors: 102_480,
    learned: 364_624,
    rings: 366_672,
    ringStride: 32_832,
    counters: 432_336,
    series: 433_104,
    words: 2_073_552,
  },
  {
    workers: 16,
    threads: 17,
    workerRows: 16,
    endpointRows: 528,
    asideRows: 66_064,
    inFlight: 70_160,
    descriptors: 332_304,
    learned: 594_448,
    rings: 596_496,
    ringStride: 32_832,
    counters: 1_121_808,
    series: 1_126_160,
    words: 10_422_032,
  },
];

test("where every region begins for 1, 2 and 16 workers", () => {
  for (const golden of GOLDEN) assert.equal(layoutFor(golden.workers), golden);
});

test("regions, and what each thread writes of them, begin on a cache line", () => {
  for (let workers = 1; workers <= WORKERS_MAX; workers++) {
    const { workers: _, threads: __, ...regions } = layoutFor(workers);
    for (const [name, word] of Object.entries(regions)) {
      assert.is(word % LINE_WORDS, 0, `${workers} workers: ${name}`);
    }
  }
  for (const record of [Header, WorkerRow, EndpointRow, RingHead, RingTail, RingSlot]) {
    assert.is(record.$stride % LINE_WORDS, 0);
  }
  assert.is(ENDPOINTS_MAX % LINE_WORDS, 0, "pending of one worker, and the rows set aside");
  assert.is((COUNTERS_MAX * 2) % LINE_WORDS, 0, "counters of one thread");
  assert.is((SERIES_MAX * SERIES_COUNTERS * 2) % LINE_WORDS, 0, "series of one thread");
});

test("a slot has room for its text, and the wrap of the counts does not jump a slot", () => {
  assert.ok(RingSlot.text * 4 + SNI_BYTES_MAX + ALPN_BYTES_MAX <= RingSlot.$stride * 4);
  assert.is(2 ** 32 % RING_SLOTS, 0);
});

test("layoutFor() refuses a number of workers it has no room for", () => {
  for (const workers of [0, -1, 1.5, 17, Number.NaN]) assert.throws(() => layoutFor(workers));
});

test("struct() refuses more fields than words", () => {
  assert.throws(() => struct(1, { a: "u32", b: "u32" }), "2 fields do not fit 1 words");
});

test("attach() sees what allocate() made", () => {
  const memory = allocate(2);
  const other = attach(memory.words.buffer);
  assert.equal(other.layout, memory.layout);
  assert.is(drainPhase(other), DrainPhase.none);
  startDraining(memory, DrainPhase.inbound);
  assert.is(drainPhase(other), DrainPhase.inbound);
});

test("attach() refuses another magic, version, number of workers or size", () => {
  const spoilt = (word: number, value: number): SharedArrayBuffer => {
    const { words } = allocate(1);
    words[word] = value;
    return words.buffer;
  };
  assert.throws(() => attach(spoilt(Header.magic, 0)), /magic/);
  assert.throws(
    () => attach(spoilt(Header.version, 1)),
    new RegExp(`version 1, want ${LAYOUT_VERSION}`),
  );
  assert.throws(() => attach(spoilt(Header.workers, 2)), /words, want/);
  assert.throws(() => attach(spoilt(Header.workers, 0)), /workers/);
  const cut = new SharedArrayBuffer(4_096);
  new Int32Array(cut).set(allocate(1).words.subarray(0, 1_024));
  assert.throws(() => attach(cut), /1024 words, want/);
  assert.throws(() => attach(new SharedArrayBuffer(0)));
});

test.run();
