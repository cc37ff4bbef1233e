/**
 * Which services are in use, as the counters of all workers tell: what was sent since it was last
 * looked, and what is under way. No worker has to say so.
 */
import type { Service } from "../mesh/snapshot.ts";
import { OVERFLOW_SERIES } from "../metrics/series.ts";
import { type Counters, sumSeries } from "../shared/counters.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { SeriesField } from "../shared/layout.ts";

export class Usage {
  readonly #threads: readonly Counters[];
  readonly #rows: EndpointRows;
  /** What the counters of a service showed when it was last looked. */
  #seen = new Map<string, number>();

  constructor(threads: readonly Counters[], rows: EndpointRows) {
    this.#threads = threads;
    this.#rows = rows;
  }

  /** Returns the names of those that are in use. To be called at intervals, with all services. */
  look(services: readonly Service[]): ReadonlySet<string> {
    const used = new Set<string>();
    const seen = new Map<string, number>();
    for (const service of services) {
      const { total, isBusy } = this.#figures(service);
      if (isBusy || (this.#seen.get(service.name) ?? total) !== total) used.add(service.name);
      seen.set(service.name, total);
    }
    this.#seen = seen;
    return used;
  }

  #figures({ series, endpoints }: Service): { readonly total: number; readonly isBusy: boolean } {
    let total = this.#count(series);
    let isBusy = false;
    for (const endpoint of endpoints) {
      total += this.#count(endpoint.series);
      // Where labels ran out, the time of the last answer tells.
      total += this.#rows.stampMs(endpoint.row);
      isBusy ||= this.#rows.pending(endpoint.row) > 0;
      isBusy ||= this.#isOpen(endpoint.series);
    }
    return { total, isBusy };
  }

  #count(series: number): number {
    if (series === OVERFLOW_SERIES) return 0;
    const { requests, tcpOpen } = SeriesField;
    return sumSeries(this.#threads, series, requests) + sumSeries(this.#threads, series, tcpOpen);
  }

  #isOpen(series: number): boolean {
    if (series === OVERFLOW_SERIES) return false;
    const open = sumSeries(this.#threads, series, SeriesField.tcpOpen);
    return open > sumSeries(this.#threads, series, SeriesField.tcpClose);
  }
}
