/**
 * One service of the mesh, as far as this sidecar knows it.
 *
 *   waiting ──both answered, or late, or the control plane is away──▶ present | absent | away
 *                                                                        ▲        ▲       │
 *                                                                        └────────┴───────┘
 *
 * Who asks for it waits while it is `waiting`. `absent`: the control plane does not know it, so it may
 * be a name of DNS. `away`: nothing is known of it and nobody can be asked, so it is not: a request
 * that belongs into the mesh must not leave it in plaintext.
 */
import type { Route } from "../mesh/policy.ts";
import type { Update } from "../proto/destination_pb.ts";
import type { OutboundPolicy } from "../proto/outbound_pb.ts";
import { EndpointSet, USED_MAX } from "./endpoint-set.ts";
import type { EndpointAddress } from "./endpoint-table.ts";
import type { Log } from "./hosts.ts";
import type { MeshSource, Refusal, StopWatching } from "./mesh-source.ts";
import { routesOf } from "./outbound-policy.ts";
import type { Timing } from "./timing.ts";

/** For the control plane's first answer. A request waits for its service up to 3 s in all. */
export const ASK_MS = 1_000;

/** What is kept of a service across restarts. */
export type KnownService = {
  readonly endpoints: readonly EndpointAddress[];
  readonly routes: readonly Route[];
};

/** What is remembered of a name: a service, that there is none, or nothing (null). */
export type Memory = KnownService | "absent" | null;

export type MeshServiceOptions = {
  /** Its whole name. */
  readonly name: string;
  readonly source: MeshSource;
  readonly remembered: Memory;
  /** Whatever is said of it has changed. */
  readonly changed: (service: MeshService) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly timing: Timing;
  readonly log: Log;
};

export class MeshService {
  readonly name: string;
  readonly #options: MeshServiceOptions;
  readonly #endpoints: EndpointSet;
  #routes: readonly Route[];
  #knows: "nothing" | "present" | "absent";
  /** The control plane has said itself what is known. */
  isConfirmed = false;
  #isSettled = false;
  /** The last that was said is that there is no such service. */
  #isGone = false;
  /** This control plane knows no routes. */
  #isPlain = false;
  #hasRoutes = false;
  #problem: string | null = null;
  #leftOut = 0;
  #isTooLong = false;
  readonly #stopEndpoints: StopWatching;
  #stopRoutes: StopWatching | null = null;
  readonly #takeTimerBack: () => void;

  constructor(options: MeshServiceOptions) {
    const { name, source, remembered, timing } = options;
    this.name = name;
    this.#options = options;
    const known = remembered === "absent" || remembered === null ? null : remembered;
    this.#endpoints = new EndpointSet(known?.endpoints ?? []);
    this.#routes = known?.routes ?? [];
    this.#knows = remembered === null ? "nothing" : remembered === "absent" ? "absent" : "present";
    this.#stopEndpoints = source.watchEndpoints(name, {
      onMessage: (update, isFirst) => this.#onUpdate(update, isFirst),
      onRefused: (refusal) => this.#onEndpointsRefused(refusal),
    });
    this.#watchRoutes();
    this.#takeTimerBack = timing.after(ASK_MS, () => this.#settle());
    this.onLinkChange();
  }

  get state(): "waiting" | "present" | "absent" | "away" {
    if (!this.#isSettled) return "waiting";
    return this.#knows === "nothing" ? "away" : this.#knows;
  }

  get endpoints(): readonly EndpointAddress[] {
    return this.#endpoints.addresses;
  }

  /** The same list for as long as nothing in it changes. */
  get routes(): readonly Route[] {
    return this.#routes;
  }

  get memory(): Memory {
    if (this.#knows === "nothing") return null;
    return this.#knows === "absent"
      ? "absent"
      : { endpoints: this.endpoints, routes: this.#routes };
  }

  /** Nobody need wait while the control plane cannot be reached. */
  onLinkChange(): void {
    if (this.#options.source.state === "away") this.#settle();
  }

  /** Lets go of endpoints that a new call has not confirmed in time. */
  expire(): void {
    if (!this.#endpoints.expire(this.#options.nowMs())) return;
    if (this.#isGone && this.#endpoints.size === 0) this.#learn("absent");
    else this.#options.changed(this);
  }

  stop(): void {
    this.#takeTimerBack();
    this.#stopEndpoints();
    this.#stopRoutes?.();
  }

  #onUpdate(update: Update, isFirst: boolean): void {
    if (isFirst) this.#endpoints.begin(this.#options.nowMs());
    this.#endpoints.apply(update);
    const { update: told } = update;
    this.#isGone = told.case === "noEndpoints" && !told.value.exists;
    // While former endpoints may come back, a service that has just been lost is not yet gone.
    this.#learn(this.#isGone && this.#endpoints.size === 0 ? "absent" : "present");
    this.#warnOfLeftOut();
  }

  #onEndpointsRefused(refusal: Refusal): boolean {
    if (refusal === "unknown" || refusal === "invalid") {
      this.#endpoints.clear();
      this.#learn("absent");
    }
    return refusal !== "invalid";
  }

  #learn(knows: "present" | "absent"): void {
    this.isConfirmed = true;
    this.#knows = knows;
    if (knows === "absent" || this.#hasRoutes) this.#settle();
    if (knows === "present" && this.#stopRoutes === null && !this.#isPlain) this.#watchRoutes();
    this.#options.changed(this);
  }

  #watchRoutes(): void {
    const { source, name } = this.#options;
    this.#stopRoutes = source.watchRoutes(name, {
      onMessage: (policy) => this.#onPolicy(policy),
      onRefused: (refusal) => this.#onRoutesRefused(refusal),
    });
  }

  #onPolicy(policy: OutboundPolicy): void {
    const { routes, problem } = routesOf(this.name, policy);
    if (problem !== null && problem !== this.#problem) {
      const fields = { service: this.name, problem };
      this.#options.log.warn("routes of a service are not supported; they match nothing", fields);
    }
    this.#problem = problem;
    this.#takeRoutes(routes);
  }

  #onRoutesRefused(refusal: Refusal): boolean {
    if (refusal === "denied" || refusal === "failed") return true;
    this.#isPlain = refusal === "invalid";
    const isExpected = this.#knows === "present" && !this.#isPlain;
    // Of a control plane that was restarted, the service itself may not be back yet.
    this.#takeRoutes(isExpected ? this.#routes : []);
    if (isExpected) return true;
    this.#stopRoutes?.();
    this.#stopRoutes = null;
    return false;
  }

  #takeRoutes(routes: readonly Route[]): void {
    this.#hasRoutes = true;
    // They are plain values, and come whole whatever changed.
    if (JSON.stringify(routes) !== JSON.stringify(this.#routes)) this.#routes = routes;
    if (this.isConfirmed) this.#settle();
    this.#options.changed(this);
  }

  #settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#takeTimerBack();
    this.#options.changed(this);
  }

  #warnOfLeftOut(): void {
    const { leftOut, size } = this.#endpoints;
    const isTooLong = size > USED_MAX;
    if (isTooLong && !this.#isTooLong) {
      const fields = { service: this.name, used: USED_MAX, known: size };
      this.#options.log.warn("too many endpoints of a service; some are not used", fields);
    }
    this.#isTooLong = isTooLong;
    if (leftOut > this.#leftOut) {
      const fields = { service: this.name, leftOut: leftOut - this.#leftOut };
      this.#options.log.warn("endpoints of a service are left out: they make no sense", fields);
    }
    this.#leftOut = leftOut;
  }
}
