/** The services of the mesh that this sidecar watches: those asked for, and those they lead to. */
import type { IdentityDefaults } from "../mesh/identity.ts";
import { parseServiceName } from "../mesh/service-name.ts";
import type { Log } from "./hosts.ts";
import { MeshService } from "./mesh-service.ts";
import type { MeshSource } from "./mesh-source.ts";
import { NAMES_MAX } from "./names.ts";
import type { Remembered } from "./remembered.ts";
import type { Timing } from "./timing.ts";

/**
 * Services let go of at a time. Each ends two calls, and a server takes so many ended calls for an
 * attack (protocol/http2/limits.ts): no more than 33 a second.
 */
export const DROPPED_MAX = 64;

export type MeshOptions = {
  readonly source: MeshSource;
  /** What short names are completed with. */
  readonly defaults: IdentityDefaults;
  readonly remembered: Remembered;
  /** What is said of a service, or its state, is not as it was. */
  readonly changed: (service: MeshService) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly timing: Timing;
  readonly log: Log;
};

export class MeshServices {
  readonly #options: MeshOptions;
  readonly #services = new Map<string, MeshService>();

  constructor(options: MeshOptions) {
    this.#options = options;
  }

  /** Whether the control plane is there to be asked. */
  get isConnected(): boolean {
    return this.#options.source.state === "connected";
  }

  /** The whole name of the service that a host may mean; null: it is none of the mesh. */
  nameOf(host: string): string | null {
    return parseServiceName(host, this.#options.defaults)?.canonical ?? null;
  }

  get(name: string): MeshService | null {
    return this.#services.get(name) ?? null;
  }

  /** Begins to watch a service, unless it is watched. Null: there are too many. */
  want(name: string): MeshService | null {
    const known = this.#services.get(name);
    if (known !== undefined) return known;
    const { remembered, source, nowMs, timing, log } = this.#options;
    if (this.#services.size >= NAMES_MAX) {
      log.warn("too many services are watched; one is not", { max: NAMES_MAX, name });
      return null;
    }
    const service = new MeshService({
      name,
      source,
      remembered: remembered.service(name),
      changed: () => this.#onChange(name),
      nowMs,
      timing,
      log,
    });
    this.#services.set(name, service);
    this.#onChange(name);
    return service;
  }

  /** Lets go of all but these and what their routes lead to. Returns the names that went. */
  retain(wanted: Iterable<string>): readonly string[] {
    const reached = new Set(wanted);
    // A set is iterated over to its end, also over what is added meanwhile.
    for (const name of reached) {
      for (const backend of this.#backendsOf(name)) reached.add(backend);
    }
    const dropped: string[] = [];
    for (const [name, service] of this.#services) {
      if (reached.has(name) || dropped.length >= DROPPED_MAX) continue;
      service.stop();
      this.#services.delete(name);
      dropped.push(name);
    }
    return dropped;
  }

  onLinkChange(): void {
    for (const service of this.#services.values()) service.onLinkChange();
  }

  /** See EndpointSet.expire. */
  expire(): void {
    for (const service of this.#services.values()) service.expire();
  }

  stop(): void {
    for (const service of this.#services.values()) service.stop();
  }

  #onChange(name: string): void {
    const service = this.#services.get(name);
    // While it is made; then it is looked at anyway.
    if (service === undefined) return;
    const { memory } = service;
    if (service.isConfirmed && memory !== null) {
      this.#options.remembered.keepService(name, memory);
    }
    for (const backend of this.#backendsOf(name)) this.want(backend);
    this.#options.changed(service);
  }

  /** The services that a service's routes name. */
  #backendsOf(name: string): string[] {
    const routes = this.#services.get(name)?.routes ?? [];
    return routes.flatMap(({ backends }) =>
      backends.flatMap(({ service }) => (this.nameOf(service) === service ? service : [])),
    );
  }
}
