/** What a mesh's policy says, service by service; of services that it does not name, the default. */
import type { Authorization, Route } from "../../mesh/policy.ts";
import type { ServiceName } from "../../mesh/service-name.ts";

/** Who may reach a port, and whether its bytes are looked at. */
export type PortRule = {
  readonly isOpaque: boolean;
  readonly authorizations: readonly Authorization[];
};

/** A service by its canonical name, and its share. */
export type WeightedService = Route["backends"][number];

export type ServicePolicy = {
  readonly service: ServiceName;
  readonly access: PortRule;
  /** By the application's port. */
  readonly ports: ReadonlyMap<number, PortRule>;
  /** The first that matches counts; the last one is for all requests. */
  readonly routes: readonly Route[];
  /** Where its connections and requests go; empty: to itself. */
  readonly split: readonly WeightedService[];
  /** Names of those who may announce it besides itself. */
  readonly announcers: ReadonlySet<string>;
};

const ANYONE: Authorization = { networks: [], clients: { kind: "anyone" } };

export const DEFAULT_RULE: PortRule = { isOpaque: false, authorizations: [ANYONE] };

/** To the service itself, without limits of time and without retries. */
export const DEFAULT_ROUTE: Route = {
  matches: [],
  backends: [],
  requestTimeoutMs: 0,
  responseTimeoutMs: 0,
  retry: null,
};

export class MeshPolicy {
  readonly services: ReadonlyMap<string, ServicePolicy>;
  /** By the name of who may announce it, the service whose rules hold at his sidecar too. */
  readonly #announced = new Map<string, ServicePolicy>();
  readonly #identityOf: (service: ServiceName) => string;

  /** `identityOf` returns the name that a workload of the service's name has. */
  constructor(services: readonly ServicePolicy[], identityOf: (service: ServiceName) => string) {
    this.services = new Map(services.map((each) => [each.service.canonical, each]));
    this.#identityOf = identityOf;
    for (const service of services) {
      for (const announcer of service.announcers) {
        if (!this.#announced.has(announcer)) this.#announced.set(announcer, service);
      }
    }
  }

  /** Says whether the policy names a service. */
  knows(service: string): boolean {
    return this.services.has(service);
  }

  isOpaque(service: string, port: number): boolean {
    const policy = this.services.get(service);
    return (policy?.ports.get(port) ?? policy?.access)?.isOpaque ?? false;
  }

  mayAnnounce(identity: string, service: ServiceName): boolean {
    if (identity === this.#identityOf(service)) return true;
    return this.services.get(service.canonical)?.announcers.has(identity) ?? false;
  }

  /**
   * What holds for a port of a workload: its own entry, or else that of the first service which
   * lists it as an announcer.
   */
  ruleFor(workload: ServiceName, port: number): PortRule {
    const own = this.services.get(workload.canonical);
    const policy = own ?? this.#announced.get(this.#identityOf(workload));
    return policy?.ports.get(port) ?? policy?.access ?? DEFAULT_RULE;
  }
}
