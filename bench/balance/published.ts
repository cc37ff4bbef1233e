/**
 * What "Beyond Round Robin: Load Balancing for Latency" (Buoyant, 2016-03-16) published of its
 * experiment, from its author's R transcript, milliseconds; success within a second from its text.
 */
import type { BalancerName } from "../../src/balancer/tuning.ts";

export interface Published {
  readonly quantilesMs: Readonly<Record<string, number>>;
  readonly success: number;
}

const NAMES = ["p50", "p90", "p95", "p96", "p97", "p98", "p99", "p99.9", "p99.99", "p99.999"];

function published(success: number, ...ms: readonly number[]): Published {
  return { success, quantilesMs: Object.fromEntries(NAMES.map((name, i) => [name, ms[i] ?? 0])) };
}

export const PUBLISHED: Partial<Readonly<Record<BalancerName, Published>>> = {
  "round-robin": published(0.95, 175, 187, 203, 1664, 1673, 1683, 1714, 1862, 1978, 1995),
  "least-loaded": published(0.99, 174, 184, 189, 191, 193, 197, 205, 1723, 1825, 1907),
  "peak-ewma": published(0.999, 174, 183, 188, 189, 191, 194, 199, 211, 1780, 1819),
};
