/**
 * The worker's view of the newest snapshot: services by name. A name that it lacks is asked for
 * once, and whoever needs it waits, in bounded number, until the next snapshot or the deadline.
 */
import { lookupKeys } from "../mesh/authority.ts";
import type { Service, Snapshot } from "../mesh/snapshot.ts";
import { QUEUE_MAX } from "./limits.ts";

/** Told once that the directory changed; it looks its name up again. */
export interface Waiter {
  onDirectoryChange(): void;
}

export class Directory {
  #services: ReadonlyMap<string, Service> = new Map();
  #waiters: Set<Waiter> = new Set();
  readonly #asked = new Set<string>();
  readonly #ask: (authority: string) => void;
  #clients: ReadonlyMap<string, number> = new Map();
  readonly #met = new Set<string>();
  readonly #meet: (client: string) => void;
  /** Rises with each snapshot, so that whoever keeps a service knows when to look again. */
  version = 0;

  constructor(ask: (authority: string) => void, meet: (client: string) => void) {
    this.#ask = ask;
    this.#meet = meet;
  }

  /** The service for `host[:port]`, or null when the snapshot does not have it. */
  find(authority: string): Service | null {
    const keys = lookupKeys(authority);
    const services = this.#services;
    return services.get(keys.exact) ?? services.get(keys.bare) ?? services.get(keys.dns) ?? null;
  }

  /** Labels of a client's requests; asks for them, once per snapshot, when there are none yet. */
  clientSeries(name: string): number | null {
    const series = this.#clients.get(name) ?? null;
    if (series === null && !this.#met.has(name) && this.#met.size < QUEUE_MAX) {
      this.#met.add(name);
      this.#meet(name);
    }
    return series;
  }

  /** The same service as of now; without endpoints when the newest snapshot does not have it. */
  current(service: Service): Service {
    return this.#services.get(service.name) ?? { ...service, endpoints: [] };
  }

  /** Asks for a name and has `waiter` told of the next snapshot. False: too many wait already. */
  wait(authority: string, waiter: Waiter): boolean {
    if (this.#waiters.size >= QUEUE_MAX) return false;
    this.#waiters.add(waiter);
    const { dns } = lookupKeys(authority);
    if (!this.#asked.has(dns)) {
      this.#asked.add(dns);
      this.#ask(authority);
    }
    return true;
  }

  stopWaiting(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  replace(snapshot: Snapshot): void {
    this.#services = new Map(snapshot.services.map((service) => [service.name, service]));
    this.#clients = new Map(snapshot.clients.map(({ name, series }) => [name, series]));
    this.version = snapshot.version;
    this.#asked.clear();
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const waiter of waiters) waiter.onDirectoryChange();
  }
}
