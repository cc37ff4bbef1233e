/**
 * Main thread: from the upstreams on the command line and the names that workers ask for to the
 * snapshots they route by. A name is a static upstream, else a service of the mesh, else a name of
 * DNS. Whatever changes marks its services stale; at the end of the turn these are built anew, and a
 * snapshot is published if anything differs.
 */
import { lookupKeys, normalizeAuthority, splitAuthority } from "../mesh/authority.ts";
import type { Service, Snapshot } from "../mesh/snapshot.ts";
import type { Counters } from "../shared/counters.ts";
import { EndpointRows } from "../shared/endpoint-rows.ts";
import type { Memory } from "../shared/memory.ts";
import { Awaited } from "./awaited.ts";
import { Clients } from "./clients.ts";
import { type HostEntry, hostEntry, isLookedUp } from "./host-entry.ts";
import { Hosts, type Log } from "./hosts.ts";
import type { Mesh, MeshDeps } from "./mesh.ts";
import { NAME_CHARS_MAX, NAMES_MAX, Names } from "./names.ts";
import type { SeriesAllocator } from "./series-allocator.ts";
import { areSame, areSameAliases, type Entry, ServiceBuilder } from "./service-builder.ts";
import { targetOf, targetsOf, type Upstream } from "./target.ts";
import { systemTiming, type Timing } from "./timing.ts";
import { Usage } from "./usage.ts";

/** The system's resolver does not tell how long an answer is good for. */
export const DNS_REFRESH_MS = 5_000;

export type RegistryOptions = {
  readonly memory: Memory;
  /** Of every thread, to see what is in use. */
  readonly counters: readonly Counters[];
  readonly upstreams: readonly Upstream[];
  readonly series: SeriesAllocator;
  /** Must settle within bounded time; rejects with DnsTimeout when the time is over. */
  readonly resolveHost: (host: string) => Promise<readonly Uint8Array[]>;
  /** null: there is no control plane. Else what it takes is loaded, and handed in. */
  readonly mesh: ((deps: MeshDeps) => Mesh) | null;
  readonly publish: (snapshot: Snapshot) => void;
  /** Returns the least version of a snapshot that all workers have taken. */
  readonly acknowledged: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly log: Log;
  readonly timing?: Timing;
};

/** What a name that workers asked for is. The key of the mesh's has no port, DNS's always has one. */
type Named =
  | { readonly kind: "mesh"; readonly key: string; readonly service: string }
  | {
      readonly kind: "dns";
      readonly key: string;
      readonly host: string;
      readonly entry: HostEntry;
    };

export class Registry {
  readonly #options: RegistryOptions;
  readonly #timing: Timing;
  readonly #hosts: Hosts;
  readonly #builder: ServiceBuilder;
  readonly #usage: Usage;
  readonly #statics = new Map<string, HostEntry>();
  readonly #names = new Names<Named>();
  readonly #mesh: Mesh | null;
  readonly #awaited: Awaited;
  readonly #clients: Clients;
  #snapshot: Snapshot = { version: 0, services: [], aliases: [], inbound: null, clients: [] };
  #isPublishDue = false;
  #isStopped = false;
  #stopTimer: (() => void) | null = null;
  #settled: (() => void) | null = null;

  constructor(options: RegistryOptions) {
    const { counters, log, memory, mesh, nowMs, resolveHost, series, upstreams } = options;
    this.#options = options;
    this.#timing = options.timing ?? systemTiming;
    this.#clients = new Clients(series);
    this.#builder = new ServiceBuilder(options);
    this.#usage = new Usage(counters, new EndpointRows(memory));
    this.#hosts = new Hosts({ resolveHost, changed: (host) => this.#onHostChange(host), log });
    for (const { name, endpoints } of upstreams) {
      const key = normalizeAuthority(name);
      const former = this.#statics.get(key)?.targets ?? [];
      const targets = targetsOf(endpoints);
      this.#statics.set(key, hostEntry(key, [...former, ...targets], this.#hosts, true));
    }
    const changed = (): void => this.#publishSoon();
    this.#awaited = new Awaited(this.#timing, changed);
    const wantByDns = (authority: string): void => this.#wantByDns(authority);
    const deps = { changed, wantByDns, nowMs, timing: this.#timing, log };
    this.#mesh = mesh?.(deps) ?? null;
  }

  /**
   * Publishes what is known at once and begins to look up the rest. Resolves when the first lookups
   * of the static upstreams have ended, well or not.
   */
  start(): Promise<void> {
    this.#publish(true);
    this.#stopTimer = this.#timing.every(DNS_REFRESH_MS, () => this.#tick());
    return new Promise((resolve) => {
      this.#settled = resolve;
      this.#settleIfKnown();
    });
  }

  /** A worker misses this authority in its snapshot. A later snapshot has it, or says why not. */
  want(authority: string): void {
    const { exact, bare, dns } = lookupKeys(authority);
    if (dns.length > NAME_CHARS_MAX) return;
    if ([exact, bare, dns].some((key) => this.#statics.has(key))) return;
    if (!this.#wantOfMesh(dns)) this.#wantByDns(dns);
    this.#publishSoon();
  }

  /** A worker has a client for this port of the application, and no policy. */
  wantPort(port: number): void {
    this.#mesh?.ports.want(port);
  }

  /** The control plane can be reached, or not any more. */
  onLinkChange(): void {
    this.#mesh?.onLinkChange();
  }

  /** Whether the policy of the application's port is known, as far as there is one. */
  get isPolicyKnown(): boolean {
    return this.#mesh?.isPolicyKnown ?? true;
  }

  /** A worker has a client whose name its snapshot lacks. */
  meet(name: string): void {
    if (this.#clients.meet(name)) this.#publishSoon();
  }

  /** Returns a service of the newest snapshot as a worker finds it, by `web` or `web:8080`. */
  service(authority: string): Service | null {
    const { exact, bare, dns } = lookupKeys(authority);
    const { services, aliases } = this.#snapshot;
    const named = (key: string | undefined) => services.find(({ name }) => name === key);
    const alias = aliases.find(({ name }) => name === bare)?.service;
    return named(exact) ?? named(bare) ?? named(alias) ?? named(dns) ?? null;
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Publishes nothing more. Lookups that are on their way are let run out. */
  stop(): void {
    this.#isStopped = true;
    this.#stopTimer?.();
    this.#mesh?.stop();
    this.#hosts.retain(new Set());
    this.#settleIfKnown();
  }

  /** Returns whether the mesh knows the name, or is to say whether it does. */
  #wantOfMesh(dns: string): boolean {
    const host = splitAuthority(dns)?.host ?? "";
    const service = this.#mesh?.nameOf(host) ?? null;
    if (this.#mesh === null || service === null) return false;
    const nowMs = this.#options.nowMs();
    if (!this.#names.touch(host, nowMs)) {
      if (this.#refuseIfFull(dns)) return true;
      this.#names.admit(host, { kind: "mesh", key: host, service }, nowMs);
    }
    return this.#mesh.want(service, dns);
  }

  #wantByDns(name: string): void {
    const nowMs = this.#options.nowMs();
    if (this.#names.touch(name, nowMs)) return;
    const split = splitAuthority(name);
    if (split === null || split.port === null) this.#names.refuse(name, "dns-failed", nowMs);
    else if (!this.#refuseIfFull(name)) {
      const { host, port } = split;
      const targets = [targetOf(host, { port, speaks: "any", peer: null })];
      const entry = hostEntry(name, targets, this.#hosts, false);
      this.#names.admit(name, { kind: "dns", key: name, host, entry }, nowMs);
      if ((this.#mesh?.nameOf(host) ?? null) !== null) this.#awaited.begin(name);
    }
    this.#publishSoon();
  }

  #refuseIfFull(name: string): boolean {
    if (!this.#names.isFull) return false;
    this.#options.log.warn("too many names are in use; one is refused", { max: NAMES_MAX, name });
    this.#names.refuse(name, "too-many-names", this.#options.nowMs());
    return true;
  }

  #tick(): void {
    const version = this.#snapshot.version + 1;
    this.#touchUsed();
    const hasFailed = (named: Named): boolean =>
      named.kind === "mesh"
        ? this.#mesh?.isAbsent(named.service) === true
        : named.entry.service !== null && named.entry.service.failure !== null;
    for (const named of this.#names.expire(this.#options.nowMs(), hasFailed)) {
      if (named.kind === "dns") this.#builder.remove(named.entry, version);
    }
    const wanted = this.#names
      .values()
      .flatMap((each) => (each.kind === "mesh" ? each.service : []));
    for (const entry of this.#mesh?.retain(wanted) ?? []) this.#builder.remove(entry, version);
    this.#builder.collect();
    const hosts = new Set<string>();
    for (const entry of this.#hostEntries()) {
      if (entry.isShort) entry.isStale = true;
      for (const { host, ip } of entry.targets) if (ip === null) hosts.add(host);
    }
    this.#hosts.retain(hosts);
    this.#hosts.refresh();
    this.#publishSoon();
  }

  /** What workers use stays, and what is known of the mesh while nobody can be asked anew. */
  #touchUsed(): void {
    const nowMs = this.#options.nowMs();
    const used = this.#usage.look(this.#snapshot.services);
    for (const named of this.#names.values()) {
      if (named.kind === "dns" && used.has(named.key)) {
        this.#names.touch(named.key, nowMs);
        // It may become one of the mesh.
        this.#names.touch(named.host, nowMs);
      } else if (named.kind === "mesh" && (used.has(named.service) || !this.#mesh?.isConnected)) {
        this.#names.touch(named.key, nowMs);
      }
    }
  }

  #onHostChange(host: string): void {
    for (const entry of this.#hostEntries()) {
      if (entry.targets.some((target) => target.host === host)) entry.isStale = true;
    }
    this.#publishSoon();
  }

  #publishSoon(): void {
    if (this.#isPublishDue) return;
    this.#isPublishDue = true;
    this.#timing.soon(() => {
      this.#isPublishDue = false;
      this.#publish(false);
    });
  }

  #publish(isFirst: boolean): void {
    if (this.#isStopped) return;
    const version = this.#snapshot.version + 1;
    const { services, aliases } = this.#collect(version);
    const clients = this.#clients.entries();
    const inbound = this.#mesh?.ports.policies ?? null;
    const former = this.#snapshot;
    const isNew = clients.length > former.clients.length || inbound !== former.inbound;
    if (
      isFirst ||
      isNew ||
      !areSame(services, former.services) ||
      !areSameAliases(aliases, former.aliases)
    ) {
      this.#snapshot = { version, services, aliases, inbound, clients };
      this.#options.publish(this.#snapshot);
    }
    this.#settleIfKnown();
  }

  /** What the snapshot holds: services built for `version`, and their further names. */
  #collect(version: number): Pick<Snapshot, "services" | "aliases"> {
    const named = this.#names.values();
    const entries: Entry[] = [...this.#statics.values(), ...(this.#mesh?.entries() ?? [])];
    for (const each of named) {
      if (each.kind === "dns" && !this.#mesh?.isShadowing(each.host)) entries.push(each.entry);
    }
    for (const entry of entries) if (entry.isStale) this.#builder.build(entry, version);
    const built = entries.flatMap(({ service }) => service ?? []);
    const services = built.filter((service) => !this.#awaited.withholds(service));
    for (const [name, failure] of this.#names.refusals()) {
      services.push(this.#builder.refused(name, failure));
    }
    const ofMesh = named.flatMap((each) => (each.kind === "mesh" ? each : []));
    return { services, aliases: this.#mesh?.aliases(ofMesh) ?? [] };
  }

  /** Ends the wait of `start` once no static upstream has a first lookup on its way. */
  #settleIfKnown(): void {
    if (this.#settled === null) return;
    const isPending = [...this.#statics.values()].some((each) => isLookedUp(each, this.#hosts));
    if (!this.#isStopped && isPending) return;
    this.#settled();
    this.#settled = null;
  }

  #hostEntries(): HostEntry[] {
    const named = this.#names.values();
    const byDns = named.flatMap((each) => (each.kind === "dns" ? each.entry : []));
    return [...this.#statics.values(), ...byDns];
  }
}
