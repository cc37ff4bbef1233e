/** The experiments: the article's, its harness's other scenarios, and ours. */
import { articleLatencyMs } from "./latencies.ts";
import type { Answer, World } from "./simulate.ts";

/** The article's window in which one of its backends is unwell. */
export const WINDOW_FROM_MS = 15_000;
export const WINDOW_TO_MS = 45_000;
const SLOWER = 10;
/** The backend to which it happens. */
export const BAD = 3;
const JOIN_MS = 15_000;
export const JOINING = 10;
const FAST_FAILURE_MS = 2;

const usual = {
  backends: 11,
  sidecars: 1,
  workers: 1,
  ratePerSecond: 1_000,
  seconds: 60,
  warmUpSeconds: 5,
  joinsMs: JOIN_MS,
  seenMs: (nowMs: number): number => nowMs,
  isThere: (): boolean => true,
  weight: (): number | undefined => undefined,
} as const;

export type WorldName =
  | "slow"
  | "slow-20"
  | "slow-stalls"
  | "fast-failing-stalls"
  | "fast-failing"
  | "fast-failing-4"
  | "half-failing"
  | "joining"
  | "hanging"
  | "cold-start"
  | "temporary-failure"
  | "permanent-failure"
  | "flapping"
  | "weighted"
  | "capacity";

export const WORLDS: Readonly<Record<WorldName, World>> = {
  slow: { ...usual, answer: inWindow(well(1), slow(SLOWER)) },
  "slow-20": { ...usual, sidecars: 20, answer: inWindow(well(1), slow(SLOWER)) },
  "slow-stalls": { ...usual, seenMs: stalls, answer: inWindow(well(1), slow(SLOWER)) },
  "fast-failing-stalls": { ...usual, seenMs: stalls, answer: inWindow(well(4), fastFailure(1)) },
  "fast-failing": { ...usual, answer: inWindow(well(1), fastFailure(1)) },
  "fast-failing-4": { ...usual, answer: inWindow(well(4), fastFailure(1)) },
  "half-failing": { ...usual, answer: inWindow(well(1), fastFailure(0.5)) },
  joining: {
    ...usual,
    isThere: (backend, nowMs) => backend !== JOINING || nowMs >= JOIN_MS,
    answer: well(1),
  },
  hanging: { ...usual, answer: inWindow(well(1), hang) },
  // The harness's own: 1,250 requests/s to 10 backends for 45 s, nothing known beforehand.
  "cold-start": { ...usual, ...harness(), answer: coldStart },
  "temporary-failure": { ...usual, ...harness(), answer: failing(10_000, 25_000) },
  "permanent-failure": { ...usual, ...harness(), answer: failing(10_000, 45_000) },
  flapping: {
    ...usual,
    answer: (backend, nowMs, unit, inFlight) =>
      Math.floor(nowMs / 50) % 2 === 0
        ? well(1)(backend, nowMs, unit, inFlight)
        : inWindow(well(1), fastFailure(1))(backend, nowMs, unit, inFlight),
  },
  weighted: { ...usual, weight: (backend) => (backend === BAD ? 40_000 : 10_000), answer: well(1) },
  capacity: { ...usual, answer: ofCapacity },
};

type Behave = World["answer"];

function well(factor: number): Behave {
  return (_, __, unit) => ({ latencyMs: factor * articleLatencyMs(unit()), isFailure: false });
}

function slow(factor: number): Behave {
  return well(factor);
}

function fastFailure(share: number): Behave {
  return (_, __, unit): Answer =>
    unit() < share
      ? { latencyMs: FAST_FAILURE_MS, isFailure: true }
      : { latencyMs: articleLatencyMs(unit()), isFailure: false };
}

function hang(): Answer {
  return { latencyMs: Number.POSITIVE_INFINITY, isFailure: true };
}

/** One backend behaves badly for the article's window. */
function inWindow(usually: Behave, badly: Behave): Behave {
  return (backend, nowMs, unit, inFlight) => {
    const isBad = backend === BAD && nowMs >= WINDOW_FROM_MS && nowMs < WINDOW_TO_MS;
    return (isBad ? badly : usually)(backend, nowMs, unit, inFlight);
  };
}

/** The sidecar stands still for 400 ms every 1.7 s: a machine with far too much to do. */
function stalls(nowMs: number): number {
  const [everyMs, forMs] = [1_700, 400];
  const into = ((nowMs % everyMs) + everyMs) % everyMs;
  return into < forMs ? nowMs - into + forMs : nowMs;
}

function harness(): Pick<World, "backends" | "ratePerSecond" | "seconds" | "warmUpSeconds"> {
  return { backends: 10, ratePerSecond: 1_250, seconds: 45, warmUpSeconds: 0 };
}

function failing(fromMs: number, toMs: number): Behave {
  return (backend, nowMs, unit, inFlight) =>
    backend === BAD && nowMs >= fromMs && nowMs < toMs
      ? { latencyMs: FAST_FAILURE_MS, isFailure: true }
      : well(1)(backend, nowMs, unit, inFlight);
}

/** One backend warms up, and is slow once more later; another is always twice as slow. */
function coldStart(backend: number, nowMs: number, unit: () => number): Answer {
  let factor = 1;
  if (backend === BAD && nowMs < 10_000) factor = Math.min(5, 10_000 / Math.max(nowMs, 1));
  if (backend === BAD && nowMs >= 19_000 && nowMs < 23_000) factor = SLOWER;
  if (backend === BAD + 1) factor = 2;
  return { latencyMs: factor * articleLatencyMs(unit()), isFailure: false };
}

/** Backends that get slower as they are given more: 20 at once and they take twice as long. */
function ofCapacity(backend: number, _nowMs: number, unit: () => number, inFlight: number): Answer {
  const slower = backend === BAD ? 4 : 1;
  return { latencyMs: slower * articleLatencyMs(unit()) * (1 + inFlight / 20), isFailure: false };
}
