/**
 * What the registry has of the mesh: its services as entries of snapshots, the names that wait for
 * the control plane's word before they may be looked up by DNS, and the policies of our own ports.
 */
import type { Snapshot } from "../mesh/snapshot.ts";
import { InboundPorts } from "./inbound-ports.ts";
import type { MeshService } from "./mesh-service.ts";
import { type MeshOptions, MeshServices } from "./mesh-services.ts";
import { Remembered, type Store } from "./remembered.ts";
import { type Entry, type Found, NO_ROUTES, newEntry } from "./service-builder.ts";

export type MeshSetup = Pick<MeshOptions, "source" | "defaults"> & {
  /** What is kept across restarts; null: nothing is. */
  readonly store: Store | null;
  /** Where the application listens, if there is one: its policy is asked for at once. */
  readonly appPort: number | null;
  /** See InboundPortsOptions. */
  readonly listening: () => ReadonlySet<number> | null;
};

export type MeshDeps = Pick<MeshOptions, "nowMs" | "timing" | "log"> & {
  /** There may be something new for a snapshot. */
  readonly changed: () => void;
  /** A name of DNS, always with its port, that is none of the mesh. */
  readonly wantByDns: (name: string) => void;
};

/** Ports of one name that wait for the control plane's word; it takes a second at the most. */
const WAITING_MAX = 64;

export class Mesh {
  readonly ports: InboundPorts;
  readonly #services: MeshServices;
  readonly #deps: MeshDeps;
  readonly #appPort: number | null;
  /** By their whole names. */
  readonly #entries = new Map<string, Entry>();
  /** Names of DNS, by the service that each may be. */
  readonly #waiting = new Map<string, Set<string>>();

  constructor(options: MeshSetup & MeshDeps) {
    const { source, defaults, store, appPort, listening, nowMs, timing, log, changed } = options;
    const remembered = new Remembered(store);
    this.#deps = options;
    this.#appPort = appPort;
    this.ports = new InboundPorts({ source, remembered, changed, listening, timing, log });
    this.#services = new MeshServices({
      source,
      defaults,
      remembered,
      changed: (service) => this.#onChange(service),
      nowMs,
      timing,
      log,
    });
    if (appPort !== null) this.ports.want(appPort);
  }

  /** See MeshServices.isConnected. */
  get isConnected(): boolean {
    return this.#services.isConnected;
  }

  get isPolicyKnown(): boolean {
    return this.#appPort === null || this.ports.has(this.#appPort);
  }

  /** See MeshServices.nameOf. */
  nameOf(host: string): string | null {
    return this.#services.nameOf(host);
  }

  /** Returns false when `service` is none of the mesh, so that its name `dns` is one of DNS. */
  want(service: string, dns: string): boolean {
    const watched = this.#services.want(service);
    // Where no more can be asked, what may belong into the mesh is not sent elsewhere.
    if (watched === null || watched.state !== "waiting") return watched?.state !== "absent";
    const waiting = this.#waiting.get(service) ?? new Set();
    if (waiting.size < WAITING_MAX) waiting.add(dns);
    this.#waiting.set(service, waiting);
    return true;
  }

  isAbsent(service: string): boolean {
    return this.#services.get(service)?.state === "absent";
  }

  /** Whether a name of DNS with this host is one of the mesh, and is not looked up. */
  isShadowing(host: string): boolean {
    const state = this.#services.get(this.nameOf(host) ?? "")?.state;
    return state === "present" || state === "away";
  }

  entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  /** Further names of services: the hosts that `names` tell, of services that are in the snapshot. */
  aliases(names: Iterable<{ key: string; service: string }>): Snapshot["aliases"] {
    return [...names].flatMap(({ key, service }) =>
      this.#entries.get(service)?.service ? { name: key, service } : [],
    );
  }

  /** Lets go of all services but these and what they lead to; returns what went. */
  retain(wanted: Iterable<string>): readonly Entry[] {
    this.#services.expire();
    // There may be rows for them by now.
    for (const entry of this.#entries.values()) if (entry.isShort) entry.isStale = true;
    return this.#services.retain(wanted).flatMap((name) => {
      const entry = this.#entries.get(name);
      this.#entries.delete(name);
      this.#waiting.delete(name);
      return entry ?? [];
    });
  }

  onLinkChange(): void {
    this.#services.onLinkChange();
    this.ports.onLinkChange();
  }

  stop(): void {
    this.#services.stop();
  }

  #onChange(service: MeshService): void {
    const { name, state } = service;
    const known = this.#entries.get(name);
    if (known !== undefined) known.isStale = true;
    else
      this.#entries.set(
        name,
        newEntry(name, () => findOf(service)),
      );
    if (state !== "waiting") {
      const waiting = this.#waiting.get(name) ?? [];
      this.#waiting.delete(name);
      if (state === "absent") for (const dns of waiting) this.#deps.wantByDns(dns);
    }
    this.#deps.changed();
  }
}

function findOf({ state, endpoints, routes }: MeshService): Found | null {
  switch (state) {
    case "present":
      return { addresses: endpoints, failure: null, routes };
    case "away":
      return { addresses: [], failure: "control-away", routes: NO_ROUTES };
    default:
      return null;
  }
}
