/**
 * Which services there are and who serves them: what sidecars announced and hold by a lease, which is
 * a stream that is open. A lease that ends leaves its endpoint for a grace. Times are given in
 * milliseconds of any clock that does not go back, days in milliseconds since 1970.
 */
import type { ServiceName } from "../../mesh/service-name.ts";
import { RpcError, Status } from "../../rpc/status.ts";
import type { Topics } from "../feed.ts";
import { addressOf, type Endpoint, endpointKey, isSameEndpoint } from "./endpoint.ts";
import {
  type Announced,
  type DirectoryPolicy,
  type Entry,
  type LeaseHolder,
  NO_COUNTS,
  type Service,
} from "./entry.ts";
import * as limits from "./limits.ts";
import { ServiceLog } from "./service-log.ts";

export type DirectoryOptions = {
  readonly topics: Topics;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
};

/** The topic of what happens at an address. */
export const addressTopic = (address: string): string => `at ${address}`;

export class Directory {
  readonly counts = { ...NO_COUNTS };
  /** Grows with each change of what is kept on disk. */
  version = 0;
  readonly #options: DirectoryOptions;
  readonly #services = new Map<string, Service>();
  readonly #byAddress = new Map<string, Set<Entry>>();
  readonly #perIdentity = new Map<string, number>();
  /** Those without a lease. */
  readonly #leaving = new Set<Entry>();
  #size = 0;
  #policy: DirectoryPolicy;

  constructor(options: DirectoryOptions, policy: DirectoryPolicy) {
    this.#options = options;
    this.#policy = policy;
  }

  get services(): Iterable<Service> {
    return this.#services.values();
  }
  get serviceCount(): number {
    return this.#services.size;
  }
  get endpointCount(): number {
    return this.#size;
  }
  get leavingCount(): number {
    return this.#leaving.size;
  }

  get(service: string): Service | null {
    return this.#services.get(service) ?? null;
  }

  /** Who is at `ip:port`, the port being the application's; the one announced last is first. */
  at(address: string): readonly Entry[] {
    return [...(this.#byAddress.get(address) ?? [])].reverse();
  }

  /** Enters an endpoint, or takes it over from an earlier stream; or says why not. */
  announce(announced: Announced, holder: LeaseHolder): Entry | RpcError {
    const entry = this.#enter(announced);
    if (entry instanceof RpcError) {
      this.counts.refused += 1;
      return entry;
    }
    const before = entry.lease;
    entry.lease = holder;
    entry.instance = announced.instance;
    this.#leaving.delete(entry);
    this.counts.announced += 1;
    if (before !== null) {
      this.counts.taken_over += 1;
      before.onLeaseEnd(new RpcError(Status.aborted, "announced anew by another stream"));
    }
    return entry;
  }

  /** The stream has ended: the endpoint stays for a grace, if it still was this stream's. */
  release(entry: Entry, holder: LeaseHolder): void {
    if (entry.lease !== holder) return;
    this.counts.released += 1;
    this.#startGrace(entry, limits.LEASE_GRACE_MS);
  }

  /** Takes away what a process announced for a service, at once. Returns how many endpoints. */
  withdraw(service: string, identity: string, instance: string): number {
    let count = 0;
    for (const entry of [...(this.#services.get(service)?.entries.values() ?? [])]) {
      if (entry.endpoint.identity !== identity || entry.instance !== instance) continue;
      count += 1;
      this.counts.withdrawn += 1;
      this.#end(entry, new RpcError(Status.ok, "withdrawn"));
    }
    return count;
  }

  /** Takes away whatever its time has come for. */
  expire(): void {
    const nowMs = this.#options.nowMs();
    for (const entry of this.#leaving) {
      if (entry.goneAtMs > nowMs) continue;
      this.counts.expired += 1;
      this.#remove(entry);
    }
  }

  /** Forgets services that had no endpoints for long, but for those that somebody asks for. */
  forget(): void {
    const wallMs = this.#options.wallMs();
    for (const { name, entries, seenMs } of this.#services.values()) {
      if (entries.size > 0 || wallMs - seenMs < limits.SERVICE_MEMORY_MS) continue;
      if (!this.#options.topics.has(name.canonical)) this.#drop(name);
    }
  }

  /** What was there before a restart, as if its stream had just ended. */
  restore(name: ServiceName, seenMs: number, endpoints: readonly Endpoint[]): void {
    const service = this.#serviceFor(name);
    if (service === null) return;
    service.seenMs = Math.min(seenMs, service.seenMs);
    for (const endpoint of endpoints) {
      if (service.entries.has(endpointKey(endpoint))) continue;
      if (!this.#policy.mayAnnounce(endpoint.identity, name)) continue;
      if (this.#fullFor(endpoint.identity) !== null) continue;
      this.counts.restored += 1;
      this.#startGrace(this.#add(service, endpoint), limits.RESTART_GRACE_MS);
    }
  }

  /** Has everybody told what is different by a new policy, and ends what it no longer allows. */
  applyPolicy(policy: DirectoryPolicy): void {
    this.#policy = policy;
    for (const service of this.#services.values()) {
      for (const entry of [...service.entries.values()]) {
        if (policy.mayAnnounce(entry.endpoint.identity, service.name)) {
          this.#publish(service, entry.address);
          continue;
        }
        this.counts.revoked += 1;
        const text = `may no longer announce ${service.name.canonical}`;
        this.#end(entry, new RpcError(Status.permissionDenied, text));
      }
    }
  }

  #enter({ service: name, endpoint }: Announced): Entry | RpcError {
    const known = this.#services.get(name.canonical)?.entries.get(endpointKey(endpoint));
    if (known === undefined) {
      const full = this.#fullFor(endpoint.identity);
      if (full !== null) return new RpcError(Status.resourceExhausted, full);
      const service = this.#serviceFor(name);
      if (service !== null) return this.#add(service, endpoint);
      return new RpcError(Status.resourceExhausted, "there are too many services");
    }
    if (known.endpoint.identity !== endpoint.identity) {
      // Somebody else whom policy allows: not while the first one is there.
      if (known.lease !== null) {
        const text = `${known.key} is announced by ${known.endpoint.identity}`;
        return new RpcError(Status.alreadyExists, text);
      }
      const full = this.#fullFor(endpoint.identity);
      if (full !== null) return new RpcError(Status.resourceExhausted, full);
      this.#remove(known);
      return this.#add(known.service, endpoint);
    }
    this.counts.resumed += known.lease === null ? 1 : 0;
    if (isSameEndpoint(known.endpoint, endpoint)) return known;
    known.endpoint = endpoint;
    this.version += 1;
    this.#publish(known.service, known.address);
    return known;
  }

  #fullFor(identity: string): string | null {
    if (this.#size >= limits.ENDPOINTS_MAX) return "there are too many endpoints";
    const own = this.#perIdentity.get(identity) ?? 0;
    if (own < limits.ENDPOINTS_PER_IDENTITY_MAX) return null;
    return `${identity} has announced too many endpoints`;
  }

  #serviceFor(name: ServiceName): Service | null {
    const known = this.#services.get(name.canonical);
    if (known !== undefined) return known;
    if (this.#services.size >= limits.SERVICES_MAX && !this.#makeRoom()) return null;
    const seenMs = this.#options.wallMs();
    const service = { name, log: new ServiceLog(), entries: new Map<string, Entry>(), seenMs };
    this.#services.set(name.canonical, service);
    this.version += 1;
    return service;
  }

  /** Forgets the first that has no endpoints and that nobody asks for. */
  #makeRoom(): boolean {
    for (const { name, entries } of this.#services.values()) {
      if (entries.size > 0 || this.#options.topics.has(name.canonical)) continue;
      this.#drop(name);
      return true;
    }
    return false;
  }

  #drop(name: ServiceName): void {
    this.#services.delete(name.canonical);
    this.version += 1;
  }

  #add(service: Service, endpoint: Endpoint): Entry {
    const key = endpointKey(endpoint);
    const address = addressOf(endpoint);
    const absent = { lease: null, instance: "", goneAtMs: 0 };
    const entry: Entry = { service, key, address, endpoint, ...absent };
    service.entries.set(key, entry);
    const there = this.#byAddress.get(address);
    if (there === undefined) this.#byAddress.set(address, new Set([entry]));
    else there.add(entry);
    this.#countFor(endpoint.identity, 1);
    this.#publish(service, address);
    return entry;
  }

  #startGrace(entry: Entry, graceMs: number): void {
    entry.lease = null;
    entry.goneAtMs = this.#options.nowMs() + graceMs;
    this.#leaving.add(entry);
  }

  #end(entry: Entry, error: RpcError): void {
    const { lease } = entry;
    this.#remove(entry);
    lease?.onLeaseEnd(error);
  }

  #remove(entry: Entry): void {
    const { address, key, service, endpoint } = entry;
    entry.lease = null;
    service.entries.delete(key);
    service.seenMs = this.#options.wallMs();
    this.#leaving.delete(entry);
    const there = this.#byAddress.get(address);
    there?.delete(entry);
    if (there?.size === 0) this.#byAddress.delete(address);
    this.#countFor(endpoint.identity, -1);
    this.#publish(service, address);
  }

  #countFor(identity: string, difference: 1 | -1): void {
    const count = (this.#perIdentity.get(identity) ?? 0) + difference;
    if (count === 0) this.#perIdentity.delete(identity);
    else this.#perIdentity.set(identity, count);
    this.#size += difference;
    this.version += 1;
  }

  /** Two sidecars may be before one application: clients are told of the one announced last. */
  #publish(service: Service, address: string): void {
    const { topics, nowMs } = this.#options;
    const endpoint = this.at(address).find((entry) => entry.service === service)?.endpoint ?? null;
    const before = service.log.get(address);
    if (endpoint === null) service.log.remove(address, nowMs());
    else {
      const { canonical } = service.name;
      const isOpaque =
        endpoint.protocol === "opaque" ||
        this.#policy.isOpaque(canonical, endpoint.applicationPort);
      if (before?.endpoint === endpoint && before.isOpaque === isOpaque) return;
      service.log.put(address, { endpoint, isOpaque }, nowMs());
    }
    topics.changed(service.name.canonical);
    topics.changed(addressTopic(address));
  }
}
