/**
 * What `--balancer` chooses between, and the numbers of each. docs/balancing.md says how they were
 * chosen, and `npm run bench -- balance-sim` shows what each of them does.
 */

export type Tuning = {
  /** How two endpoints are compared; `turns`: they are not, each is chosen in its turn. */
  readonly by: "latency" | "pending" | "turns";
  /** An endpoint that was not measured, or not lately, is worth the pool's median, and not nothing. */
  readonly leansOnPool: boolean;
  /** Silence counts as a lower bound of latency. */
  readonly countsSilence: boolean;
  /**
   * One answer makes an endpoint look slower by this factor at most. Less than `outlierRatio`: every
   * service has a slow answer now and then, and nobody is to be set aside for one.
   */
  readonly riseMax: number;
  /** An endpoint is set aside when it takes this many times the pool's median. */
  readonly outlierRatio: number;
  /** … or when its share of failures exceeds the pool's better quarter by this, of FAILING_ONE. */
  readonly failingMargin: number;
  /** A new endpoint's share grows to its fair one over this time. */
  readonly rampMs: number;
  /** One that is set aside is tried after the first time, then after twice that, up to the second. */
  readonly trialMinMs: number;
  readonly trialMaxMs: number;
  /**
   * … but no more often than once in so many requests of the pool, so that p99.9 does not know of it,
   * unless that takes longer than this.
   */
  readonly trialRequests: number;
  readonly trialLongestMs: number;
};

export const BALANCERS = ["ewma", "peak-ewma", "least-loaded", "round-robin"] as const;
export type BalancerName = (typeof BALANCERS)[number];

const PLAIN: Tuning = {
  by: "latency",
  leansOnPool: false,
  countsSilence: false,
  riseMax: Number.POSITIVE_INFINITY,
  outlierRatio: Number.POSITIVE_INFINITY,
  failingMargin: Number.POSITIVE_INFINITY,
  rampMs: 0,
  trialMinMs: 0,
  trialMaxMs: 0,
  trialRequests: 0,
  trialLongestMs: 0,
};

export const TUNINGS: Readonly<Record<BalancerName, Tuning>> = {
  ewma: {
    by: "latency",
    leansOnPool: true,
    countsSilence: true,
    riseMax: 2,
    outlierRatio: 3,
    failingMargin: 0.4 * 65_536,
    rampMs: 10_000,
    trialMinMs: 1_000,
    trialMaxMs: 5_000,
    trialRequests: 2_000,
    trialLongestMs: 30_000,
  },
  "peak-ewma": PLAIN,
  "least-loaded": { ...PLAIN, by: "pending" },
  "round-robin": { ...PLAIN, by: "turns" },
};
