/**
 * The worker's view of the newest snapshot: services by name and by their further names, and policies
 * by port. What it lacks is asked for once per snapshot, and whoever needs it waits, in bounded number,
 * until the next one or the deadline.
 */
import { lookupKeys } from "../mesh/authority.ts";
import type { PortPolicy } from "../mesh/policy.ts";
import type { Service, Snapshot } from "../mesh/snapshot.ts";
import { QUEUE_MAX } from "./limits.ts";

/** What a snapshot lacks: a service by its name, or the policy of a port of the application. */
export type Missing =
  | { readonly kind: "name"; readonly authority: string }
  | { readonly kind: "port"; readonly port: number };

/** Told once that the directory changed; it looks its name up again. */
export interface Waiter {
  onDirectoryChange(): void;
}

export class Directory {
  #services: ReadonlyMap<string, Service> = new Map();
  #aliases: ReadonlyMap<string, Service> = new Map();
  #waiters: Set<Waiter> = new Set();
  readonly #asked = new Set<string>();
  readonly #ask: (authority: string) => void;
  #clients: ReadonlyMap<string, number> = new Map();
  readonly #met = new Set<string>();
  readonly #meet: (client: string) => void;
  /** null: there are none, and none are needed. Before the first snapshot nothing is known of them. */
  #policies: ReadonlyMap<number, PortPolicy> | null = new Map();
  readonly #askedPorts = new Set<number>();
  readonly #askPort: (port: number) => void;
  /** Rises with each snapshot, so that whoever keeps a service knows when to look again. */
  version = 0;
  /** Services that have no endpoints any more, and since when. */
  #emptied: ReadonlyMap<string, number> = new Map();

  constructor(
    ask: (authority: string) => void,
    meet: (client: string) => void,
    askPort: (port: number) => void,
  ) {
    this.#ask = ask;
    this.#meet = meet;
    this.#askPort = askPort;
  }

  /**
   * The service for `host[:port]`, or null when the snapshot does not have it: a static upstream
   * before a service that has this for a further name, and that before one found by DNS.
   */
  find(authority: string): Service | null {
    const { exact, bare, dns } = lookupKeys(authority);
    const services = this.#services;
    const aliases = this.#aliases;
    return (
      services.get(exact) ??
      services.get(bare) ??
      aliases.get(exact) ??
      aliases.get(bare) ??
      aliases.get(dns) ??
      services.get(dns) ??
      null
    );
  }

  /** Those of the newest snapshot. */
  get services(): Iterable<Service> {
    return this.#services.values();
  }

  /** What a route of `parent` calls `name`; without endpoints when the snapshot does not have it. */
  backend(name: string, parent: Service): Service {
    const service = this.#services.get(name);
    return service ?? { ...parent, name, endpoints: [], failure: null, routes: [] };
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

  /** Whether the newest snapshot has the service. */
  has(service: Service): boolean {
    return this.#services.has(service.name);
  }

  /** Monotonic milliseconds at which a service lost its last endpoint; -1: it has some, or never had. */
  emptiedMs(service: Service): number {
    return this.#emptied.get(service.name) ?? -1;
  }

  /** Whether ports have policies at all. */
  get hasPolicies(): boolean {
    return this.#policies !== null;
  }

  /** The policy of a port of the application, or null when the snapshot does not have it. */
  policyOf(port: number): PortPolicy | null {
    return this.#policies?.get(port) ?? null;
  }

  /** Asks for what is missing; `waiter` is told of the next snapshot. False: too many wait already. */
  wait(missing: Missing, waiter: Waiter): boolean {
    if (this.#waiters.size >= QUEUE_MAX) return false;
    this.#waiters.add(waiter);
    if (missing.kind === "name") this.#askName(missing.authority);
    else this.askPort(missing.port);
    return true;
  }

  #askName(authority: string): void {
    const { dns } = lookupKeys(authority);
    if (this.#asked.has(dns)) return;
    this.#asked.add(dns);
    this.#ask(authority);
  }

  /** Asks for the policy of a port, once per snapshot. */
  askPort(port: number): void {
    if (this.#askedPorts.has(port)) return;
    this.#askedPorts.add(port);
    this.#askPort(port);
  }

  stopWaiting(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  replace(snapshot: Snapshot, nowMs: number): void {
    const services = new Map(snapshot.services.map((service) => [service.name, service]));
    this.#noteEmptied(services, nowMs);
    const aliases = new Map<string, Service>();
    for (const { name, service } of snapshot.aliases) {
      const target = services.get(service);
      // Of what is not there nothing is known: such a name is asked for like any other.
      if (target !== undefined) aliases.set(name, target);
    }
    this.#services = services;
    this.#aliases = aliases;
    this.#clients = new Map(snapshot.clients.map(({ name, series }) => [name, series]));
    const { inbound } = snapshot;
    this.#policies = inbound === null ? null : new Map(inbound.map((each) => [each.port, each]));
    this.version = snapshot.version;
    this.#asked.clear();
    this.#askedPorts.clear();
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const waiter of waiters) waiter.onDirectoryChange();
  }

  #noteEmptied(services: ReadonlyMap<string, Service>, nowMs: number): void {
    const emptied = new Map<string, number>();
    for (const [name, { endpoints }] of services) {
      if (endpoints.length > 0) continue;
      const before = this.#services.get(name)?.endpoints.length ?? 0;
      const sinceMs = before > 0 ? nowMs : this.#emptied.get(name);
      if (sinceMs !== undefined) emptied.set(name, sinceMs);
    }
    this.#emptied = emptied;
  }
}
