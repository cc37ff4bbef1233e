/**
 * What a worker keeps of one pool of endpoints, as long as a snapshot has it: how to draw by weight,
 * and what is usual among them just now.
 */
import type { Endpoint } from "../mesh/snapshot.ts";
import { DEFAULT_RTT_US } from "./peak-ewma.ts";

/** What is usual is found again after this time: 1 % of what is forgotten meanwhile. */
export const REFRESH_MS = 100;
/**
 * The same at first, as long as it is a guess, and then twice as long each time: until it is found again
 * who was measured is preferred to who was not, or the other way round.
 */
export const REFRESH_FIRST_MS = 1;
/** Of a larger pool so many are looked at: the median of 64 is within 6 % of ranks, mostly. */
export const SAMPLED_MAX = 64;

const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** So that a turn's product has bits left behind the point. */
const TURNS_MAX = 2 ** 30;

/** Weight of an endpoint that says nothing about it: that of announcements, and Linkerd's. */
const WEIGHT_USUAL = 10_000;

export class PoolView {
  readonly endpoints: readonly Endpoint[];
  /** Their rows, close together: a pick looks at two, and needs the object of one. */
  readonly #rows: Int32Array;
  readonly isWeighted: boolean;
  /** Relative to their mean; null: all are equal. */
  readonly #weights: Float64Array | null;
  /** Sums of the weights up to and including each. */
  readonly #reaches: Float64Array | null;
  /** The usual latency; a guess until somebody was measured. */
  medianUs = DEFAULT_RTT_US;
  isMeasured = false;
  /** Share of failures of the better quarter, of FAILING_ONE. */
  failingFloor = 0;
  /** How far the oldest endpoint has come in its ramp: the others' are relative to it. */
  rampMax = 1;
  /** Some endpoint is new, or was welcomed back. */
  isRamping = true;
  /** Of a large pool a stretch is looked at, another one each time. */
  sampledFrom = 0;
  refreshedMs = Number.NEGATIVE_INFINITY;
  /** From when on it is to be looked at again, and after what time that is. */
  staleMs = Number.NEGATIVE_INFINITY;
  refreshMs = REFRESH_FIRST_MS;
  /** Picks since `refreshedMs`. */
  picks = 0;
  /** Requests of this worker for the pool, per millisecond; 0: not known yet. */
  ratePerMs = 0;
  #turn = 0;

  constructor(endpoints: readonly Endpoint[]) {
    this.endpoints = endpoints;
    this.#rows = Int32Array.from(endpoints, ({ row }) => row);
    const [first] = endpoints;
    const isEven = endpoints.every((each) => weightOf(each) === (first && weightOf(first)));
    this.isWeighted = !isEven;
    this.#weights = isEven ? null : relativeWeights(endpoints);
    this.#reaches = this.#weights && sums(this.#weights);
  }

  /**
   * Returns the place whose turn it is. With weights turns are spread by the golden ratio: no
   * sequence comes closer to each one's share after any number of turns.
   */
  nextTurn(): number {
    const turn = this.#turn;
    const count = this.endpoints.length;
    this.#turn = (turn + 1) % (this.#weights === null ? count : TURNS_MAX);
    return this.#weights === null ? turn : this.indexAt((turn * GOLDEN) % 1);
  }

  rowAt(index: number): number {
    return this.#rows[index] ?? 0;
  }

  weightAt(index: number): number {
    return this.#weights?.[index] ?? 1;
  }

  /** Returns the place of an endpoint for `share` (0 to below 1), by weight. */
  indexAt(share: number): number {
    const reaches = this.#reaches;
    const count = this.endpoints.length;
    if (reaches === null) return Math.floor(share * count);
    const point = share * (reaches[count - 1] ?? 0);
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((reaches[middle] ?? 0) > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function weightOf({ weight }: Endpoint): number {
  return weight !== undefined && weight > 0 ? weight : WEIGHT_USUAL;
}

function relativeWeights(endpoints: readonly Endpoint[]): Float64Array {
  const total = endpoints.reduce((sum, each) => sum + weightOf(each), 0);
  return Float64Array.from(endpoints, (each) => (weightOf(each) * endpoints.length) / total);
}

function sums(weights: Float64Array): Float64Array {
  let total = 0;
  return weights.map((weight) => {
    total += weight;
    return total;
  });
}
