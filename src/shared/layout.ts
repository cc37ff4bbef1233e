/**
 * The one description of the memory shared by all threads. Nothing outside `src/shared/` knows a
 * word index. Change anything here and LAYOUT_VERSION must rise: `attach` refuses a mismatch, and
 * test/shared/layout.test.ts pins the table.
 *
 *   | header | worker rows | endpoint rows | set aside | in flight, worker by worker | descriptors |
 *   | learned targets | hand-off rings, worker by worker | counters and series, thread by thread |
 *
 * "Thread" counts the workers and, last, the acceptor. Regions start on a cache line.
 */
import { LINE_WORDS, struct } from "./struct.ts";

/** "OUTR". */
export const LAYOUT_MAGIC = 0x4f555452;
export const LAYOUT_VERSION = 5;

/** More threads than this gain nothing on one host: the kernel's network stack saturates first. */
export const WORKERS_MAX = 16;
/** Endpoints known at once, over all services. A row is 64 bytes. */
export const ENDPOINTS_MAX = 4096;
/** Descriptors with a number at or above this are refused at once: one word each, 1 MiB in all. */
export const DESCRIPTORS_MAX = 262_144;
/** Accepted connections waiting for one worker; 256 is four times an epoll batch. */
export const RING_SLOTS = 256;
/** Targets whose servers were seen to speak first; direct-mapped, a collision costs an early dial. */
export const LEARNED_MAX = 1024;
/** Named counters of one thread; the names are in `metrics/catalog.ts`. */
export const COUNTERS_MAX = 128;
/** Label sets per thread. The last one is the overflow ("other"), so label values are bounded. */
export const SERIES_MAX = 512;

export const Header = struct(LINE_WORDS, {
  /** LAYOUT_MAGIC. Writer: main, once, before any thread starts. */
  magic: "i32",
  /** LAYOUT_VERSION. Writer: main, once. */
  version: "i32",
  /** Number of workers. Writer: main, once. */
  workers: "u32",
  /** One of DrainPhase. Writer: main. Monotonic. */
  draining: "i32",
});

export const WorkerRow = struct(2 * LINE_WORDS, {
  /** One of WorkerState. Writers: main (empty, starting), the worker (ready, stopped). */
  state: "u32",
  /** Monotonic milliseconds of the last turn of its loop. Writer: the worker. Wraps in 49.7 days. */
  beatMs: "u32",
  /** Client connections it serves. Writer: the worker. Reader: acceptor, to choose. */
  connections: "u32",
  /** Longest turn of its loop in the last second, microseconds. Writer: the worker. */
  turnUs: "u32",
  /** 1 while it may be blocked in epoll_wait. Writers: the worker (1, 0), whoever wakes it (0). */
  sleeping: "u32",
  /** eventfd that wakes it. Writer: main, once per start. */
  wakeFd: "i32",
  /** Its epoll descriptor, for whoever buries it; -1 none. Writer: the worker, once per start. */
  pollFd: "i32",
  /** Version of the newest snapshot it has taken. Writer: the worker. */
  snapshot: "u32",
  /** A fault to stage (tests only), see worker/faults.ts; taken by exchange. Writer: main. */
  fault: "u32",
  /** Idle upstream connections in its pools. Writer: the worker. */
  pooled: "u32",
  /** Requests and tunnels in flight. Writer: the worker. */
  inFlight: "u32",
  /** The kernel's number of its thread, to see that it still exists. Writer: the worker, once. */
  threadId: "u32",
});

/**
 * `inbound`: what comes to the application is finished and no more of it taken, while the application
 * itself still reaches others. `all`: the process ends.
 */
export const DrainPhase = { none: 0, inbound: 1, all: 2 } as const;

export const WorkerState = { empty: 0, starting: 1, ready: 2, stopped: 3 } as const;

export const EndpointRow = struct(LINE_WORDS, {
  /** Peak-EWMA round trip, microseconds, as of `stampMs`. Writer: any worker, compare-exchange. */
  costUs: "u32",
  /**
   * Monotonic milliseconds at which `costUs` was written; elapsed is `(now - stamp) >>> 0`, right
   * across the wrap at 49.7 days. Written after `costUs` was won: a reader between the two sees
   * the new cost with the old stamp and decays it once too much, which the next answer mends.
   */
  stampMs: "u32",
  /**
   * Monotonic milliseconds until which the endpoint is passed over; valid if failures > 0. Who moves it
   * by compare-exchange when it is over may try to connect, see `isRetried`.
   */
  retryAtMs: "u32",
  /** Connection failures in a row. Writer: any worker. 0 after a success. */
  failures: "u32",
  /** Monotonic milliseconds until which it asked to be left alone; 0: it did not. Writer: any worker. */
  heldUntilMs: "u32",
  /** The circuit breaker, see balancer/circuit.ts. 0: closed. Writer: any worker, compare-exchange. */
  circuit: "u32",
  /** How its answers fare, see balancer/health.ts. 0: well. Writer: any worker, compare-exchange. */
  health: "u32",
  /** Monotonic milliseconds at which the window of `health` was opened. Writer: who opened it. */
  healthMs: "u32",
  /** 1 while one attempt to connect is under way to see whether it is back. Writer: any worker. */
  isRetried: "u32",
  /** Monotonic milliseconds at which that was begun, or one failed. Writer: any worker. */
  triedMs: "u32",
  /** Milliseconds for which it keeps idle connections, as was seen; 0: not yet. Writer: any worker. */
  keptIdleMs: "u32",
  /** Monotonic milliseconds at which it was first seen, or welcomed back; 0: never. Any worker. */
  joinedMs: "u32",
  /** Share of its latest requests that failed, see balancer/failing.ts. Any, compare-exchange. */
  failing: "u32",
  /**
   * Monotonic milliseconds of the next trial of an endpoint that is set aside; 0: it is not. Any
   * worker, compare-exchange: who wins it sends the trial.
   */
  trialAtMs: "u32",
  /** Trials since it was set aside, less what was forgiven. Writer: who won `trialAtMs`. */
  trials: "u32",
  /** Monotonic milliseconds at which it was set aside, or its last trial began. Writer: the same. */
  asideMs: "u32",
});

/** What is noted only while the endpoint of the same row is set aside: an endpoint row is full. */
export const AsideRow = struct(1, {
  /** Monotonic milliseconds of its last answer to anybody then; 0: there was none. Writer: any worker. */
  answeredMs: "u32",
});

/** The bits of `circuit` that say whether it is closed: then they are 0. */
export const CIRCUIT_PHASE = 3;

/** What one worker has in flight to one endpoint. Writer: the worker. */
export const InFlight = struct(4, {
  /** Requests and tunnels. */
  pending: "i32",
  /** Those of them that the endpoint has not answered. */
  unanswered: "i32",
  /** Monotonic milliseconds of the request that was sent last. */
  sentMs: "u32",
  /**
   * Monotonic milliseconds before which the oldest of the unanswered was sent: a lower bound of its
   * age, right while there is one that was sent after all others were answered, and else short by no
   * more than lies between two requests. Valid if `unanswered` > 0.
   */
  waitingSinceMs: "u32",
});

export const RingHead = struct(2 * LINE_WORDS, {
  /** Slots taken by the worker, ever. Writer: the worker. Wraps at 2^32. */
  taken: "u32",
});

export const RingTail = struct(2 * LINE_WORDS, {
  /** Slots filled by the acceptor, ever. Writer: the acceptor. Wraps at 2^32. */
  filled: "u32",
});

/**
 * SNI is at most 253 bytes. ALPN names lie each behind its length in one byte, as on the wire; the
 * first that does not fit and all after it are left out.
 */
export const SNI_BYTES_MAX = 256;
export const ALPN_BYTES_MAX = 96;

export const RingSlot = struct(128, {
  fd: "i32",
  /** The descriptor's word in the ownership table while it lies here. */
  ticket: "u32",
  /** Index of the listener it came from. */
  listener: "u32",
  /** Index into PROTOCOLS of hand-off-ring.ts; 0 is undecided. */
  protocol: "u32",
  /** Address family of the original destination: 0 none, 4 or 6. Then its port and 16 bytes. */
  origFamily: "u32",
  origPort: "u32",
  origIp0: "u32",
  origIp1: "u32",
  origIp2: "u32",
  origIp3: "u32",
  /** The client's family, port and address. */
  peerFamily: "u32",
  peerPort: "u32",
  peerIp0: "u32",
  peerIp1: "u32",
  peerIp2: "u32",
  peerIp3: "u32",
  sniBytes: "u32",
  alpnBytes: "u32",
  /** SNI_BYTES_MAX bytes of SNI begin here, then ALPN_BYTES_MAX bytes of ALPN. */
  text: "u32",
});

export const LearnedRow = struct(2, {
  /** Hash of the target; 0 is free. */
  key: "u32",
  /** Monotonic milliseconds of the last time its server spoke first. */
  stampMs: "u32",
});

/** Upper bounds of response_latency_ms, milliseconds, as Linkerd's; the last bucket is +Inf. */
export const LATENCY_BOUNDS_MS: readonly number[] = [1, 10, 100, 1000, 10_000].flatMap((unit) =>
  unit === 1 ? [1, 2, 3, 4, 5] : [unit, 2 * unit, 3 * unit, 4 * unit, 5 * unit],
);
export const STATUS_MIN = 100;
export const STATUS_COUNT = 500;

/** Field offsets of a series, in 64-bit counters (two words each). */
export const SeriesField = {
  requests: 0,
  latencySumUs: 1,
  latencyBuckets: 2,
  /** Responses cut short or never begun because the client went away or the backend broke off. */
  aborted: 2 + 26,
  tcpOpen: 29,
  tcpClose: 30,
  tcpReadBytes: 31,
  tcpWriteBytes: 32,
  tcpConnectFailures: 33,
  statuses: 34,
} as const;
export const SERIES_COUNTERS = SeriesField.statuses + STATUS_COUNT;

export type Layout = {
  readonly workers: number;
  /** Workers and the acceptor. */
  readonly threads: number;
  readonly workerRows: number;
  readonly endpointRows: number;
  readonly asideRows: number;
  readonly inFlight: number;
  readonly descriptors: number;
  readonly learned: number;
  readonly rings: number;
  readonly ringStride: number;
  readonly counters: number;
  readonly series: number;
  readonly words: number;
};

/** Returns where each region begins, in words, for a number of workers (1 to WORKERS_MAX). */
export function layoutFor(workers: number): Layout {
  if (!(Number.isInteger(workers) && workers >= 1 && workers <= WORKERS_MAX)) {
    throw new RangeError(`workers: ${workers} is not within 1..${WORKERS_MAX}`);
  }
  const threads = workers + 1;
  const workerRows = Header.$stride;
  const endpointRows = workerRows + workers * WorkerRow.$stride;
  const asideRows = endpointRows + ENDPOINTS_MAX * EndpointRow.$stride;
  const inFlight = asideRows + ENDPOINTS_MAX * AsideRow.$stride;
  const descriptors = inFlight + workers * ENDPOINTS_MAX * InFlight.$stride;
  const learned = descriptors + DESCRIPTORS_MAX;
  const rings = learned + LEARNED_MAX * LearnedRow.$stride;
  const ringStride = RingHead.$stride + RingTail.$stride + RING_SLOTS * RingSlot.$stride;
  const counters = rings + workers * ringStride;
  const series = counters + threads * COUNTERS_MAX * 2;
  const words = series + threads * SERIES_MAX * SERIES_COUNTERS * 2;
  return Object.freeze({
    workers,
    threads,
    workerRows,
    endpointRows,
    asideRows,
    inFlight,
    descriptors,
    learned,
    rings,
    ringStride,
    counters,
    series,
    words,
  });
}
