/**
 * The policies of the application's ports: its own from the start, others when somebody comes for
 * one. What was known stays in force for as long as nothing else is said. Where connections are
 * redirected to us, clients choose the port: the second half of the calls is for ports that somebody
 * listens on, or a scan would use them up for good.
 */
import type { PortPolicy } from "../mesh/policy.ts";
import type { Server } from "../proto/inbound_pb.ts";
import type { Log } from "./hosts.ts";
import { portPolicyOf } from "./inbound-policy.ts";
import { ASK_MS } from "./mesh-service.ts";
import type { MeshSource, Refusal } from "./mesh-source.ts";
import type { Remembered } from "./remembered.ts";
import type { Timing } from "./timing.ts";

/** Clients choose them, and each is a call that goes on; an application has a handful. */
export const PORTS_MAX = 64;
/** From so many on it is looked who listens. */
export const PORTS_FREELY = PORTS_MAX / 2;
/** … and for all that were asked for meanwhile at once: clients wait for FAILFAST_MS of the proxy, 3 s. */
export const LOOK_MS = 250;

export type InboundPortsOptions = {
  readonly source: MeshSource;
  readonly remembered: Remembered;
  readonly changed: () => void;
  /** Ports that somebody listens on; null: that cannot be told. */
  readonly listening: () => ReadonlySet<number> | null;
  readonly timing: Timing;
  readonly log: Log;
};

type Port = {
  /** In force; null: nobody knows yet. */
  policy: PortPolicy | null;
  problem: string | null;
};

export class InboundPorts {
  readonly #options: InboundPortsOptions;
  readonly #ports = new Map<number, Port>();
  #policies: readonly PortPolicy[] = [];
  /** Asked for; to be watched if somebody listens there. */
  readonly #doubted = new Set<number>();
  #isFull = false;

  constructor(options: InboundPortsOptions) {
    this.#options = options;
  }

  /** Those that are known; the same list for as long as nothing changes. */
  get policies(): readonly PortPolicy[] {
    return this.#policies;
  }

  has(port: number): boolean {
    return this.#policies.some((policy) => policy.port === port);
  }

  /** Begins to watch a port, unless it is watched. Beyond PORTS_MAX one stays unknown. */
  want(port: number): void {
    if (this.#ports.has(port)) return;
    if (this.#ports.size < PORTS_FREELY) this.#watch(port);
    else if (this.#ports.size < PORTS_MAX) this.#doubt(port);
    else this.#warn();
  }

  #doubt(port: number): void {
    const { timing } = this.#options;
    if (this.#doubted.size === 0) timing.after(LOOK_MS, () => this.#look());
    this.#doubted.add(port);
  }

  #look(): void {
    const listening = this.#options.listening();
    for (const port of this.#doubted) {
      if (listening !== null && !listening.has(port)) continue;
      if (this.#ports.size < PORTS_MAX) this.#watch(port);
      else this.#warn();
    }
    this.#doubted.clear();
  }

  #warn(): void {
    const { log } = this.#options;
    if (!this.#isFull) log.warn("too many ports are asked for; no more are", { max: PORTS_MAX });
    this.#isFull = true;
  }

  #watch(port: number): void {
    const { source, timing } = this.#options;
    const entry: Port = { policy: null, problem: null };
    this.#ports.set(port, entry);
    source.watchPort(port, {
      onMessage: (server) => this.#onServer(port, entry, server),
      onRefused: (refusal, text) => this.#onRefused(port, entry, refusal, text),
    });
    timing.after(ASK_MS, () => this.#useRemembered(port, entry));
    this.onLinkChange();
  }

  /** Where the control plane cannot be reached, what it said last holds. */
  onLinkChange(): void {
    if (this.#options.source.state !== "away") return;
    for (const [port, entry] of this.#ports) this.#useRemembered(port, entry);
  }

  #onServer(port: number, entry: Port, server: Server): void {
    const { policy, problem } = portPolicyOf(port, server);
    this.#tell(port, entry, problem);
    if (JSON.stringify(policy) === JSON.stringify(entry.policy)) return;
    this.#options.remembered.keepPort(policy);
    this.#use(entry, policy);
  }

  #onRefused(port: number, entry: Port, refusal: Refusal, text: string): boolean {
    this.#tell(port, entry, refusal === "failed" ? null : text);
    return true;
  }

  #tell(port: number, entry: Port, problem: string | null): void {
    if (problem !== null && problem !== entry.problem) {
      this.#options.log.warn("the policy of a port is not as it should be", { port, problem });
    }
    entry.problem = problem;
  }

  #useRemembered(port: number, entry: Port): void {
    const remembered = this.#options.remembered.port(port);
    if (entry.policy === null && remembered !== null) this.#use(entry, remembered);
  }

  #use(entry: Port, policy: PortPolicy): void {
    entry.policy = policy;
    this.#policies = [...this.#ports.values()].flatMap((each) => each.policy ?? []);
    this.#options.changed();
  }
}
