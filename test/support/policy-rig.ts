/**
 * A worker and the acceptor in real threads before an application, without a main program: the test
 * publishes the snapshots, and sees what the worker asks for.
 */
import { Threads } from "../../src/cli/threads.ts";
import { Logger } from "../../src/lib/log.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import type { Authorization, PortPolicy } from "../../src/mesh/policy.ts";
import type { InboundPolicy, Speaks, ThreadStart } from "../../src/mesh/snapshot.ts";
import { Counter, type CounterName } from "../../src/metrics/catalog.ts";
import { Arena, CHUNKS_MAX } from "../../src/net/arena.ts";
import { listen } from "../../src/net/listener.ts";
import { Counters } from "../../src/shared/counters.ts";
import { allocate } from "../../src/shared/memory.ts";
import { eventually } from "./eventually.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
/** One for all rigs: its pages are never given back. */
const arena = new Arena(1);

export const ANYONE: Authorization = { networks: [], clients: { kind: "anyone" } };
export const MESHED: Authorization = { networks: [], clients: { kind: "meshed" } };

/** Whoever comes from loopback, or from everywhere else. */
export function fromLoopback(clients: Authorization["clients"], isIt = true): Authorization {
  const loopback = { ip: LOOPBACK, prefixLength: 8 };
  const all = { ip: new Uint8Array(4), prefixLength: 0 };
  const network = isIt ? { net: loopback, except: [] } : { net: all, except: [loopback] };
  return { networks: [network], clients };
}

export function only(...identities: readonly string[]): Authorization {
  return { networks: [], clients: { kind: "named", identities, suffixes: [] } };
}

export type PolicyRigOptions = {
  readonly appPort: number;
  readonly speaks?: Speaks;
  readonly flags?: InboundPolicy;
  readonly credentials?: Credentials;
  readonly detectTimeoutMs?: number;
  /** What the first snapshot says; null: there are no policies. Anyone may come in unless said. */
  readonly inbound?: readonly PortPolicy[] | null;
};

export class PolicyRig {
  readonly appPort: number;
  /** Ports whose policy was asked for, in order. */
  readonly asked: number[] = [];
  /** What the log said of errors. */
  readonly errors: string[] = [];
  readonly port: number;
  readonly #memory = allocate(1);
  readonly #threads: Threads;
  readonly #all: readonly Counters[];
  #version = 0;

  private constructor(options: PolicyRigOptions) {
    const opened = listen(arena, { ip: LOOPBACK, port: 0 }, 64);
    if ("error" in opened) throw new Error(opened.error);
    this.appPort = options.appPort;
    this.port = opened.port;
    this.#all = [0, 1].map((thread) => new Counters(this.#memory, thread));
    const start: ThreadStart = {
      memory: this.#memory.words.buffer,
      listeners: [{ kind: "inbound", ...opened, service: null }],
      app: { ip: LOOPBACK, port: options.appPort, speaks: options.speaks ?? "any" },
      opaquePorts: [],
      detectTimeoutMs: options.detectTimeoutMs ?? 10_000,
      ownPorts: [opened.port],
      policy: options.flags ?? { requiresIdentity: false, allowFrom: null },
    };
    this.#threads = new Threads({
      arena,
      memory: this.#memory,
      start,
      chunks: CHUNKS_MAX,
      accessLog: false,
      balancer: "ewma",
      log: new Logger({
        level: "warn",
        format: "text",
        write: (line) => this.errors.push(line) > 0,
      }),
      onResolve: () => {},
      onAccess: () => {},
      onPort: (port) => this.asked.push(port),
      onClient: () => {},
      onTap: () => {},
    });
  }

  static async start(options: PolicyRigOptions): Promise<PolicyRig> {
    const rig = new PolicyRig(options);
    if (options.credentials !== undefined) rig.#threads.use(options.credentials);
    const { inbound = [rig.policy(ANYONE)] } = options;
    await rig.#threads.start(rig.#snapshot(inbound));
    return rig;
  }

  /** A policy of the application's port. */
  policy(...authorizations: readonly Authorization[]): PortPolicy {
    return { port: this.appPort, isOpaque: false, authorizations };
  }

  /** The same for bytes that are not looked at. */
  opaque(...authorizations: readonly Authorization[]): PortPolicy {
    return { ...this.policy(...authorizations), isOpaque: true };
  }

  /** Publishes a snapshot; resolves when the worker has taken it. */
  async publish(...inbound: readonly PortPolicy[]): Promise<void> {
    this.#threads.publish(this.#snapshot(inbound));
    await eventually(() => this.#threads.acknowledged() === this.#version, {
      what: "the worker has taken the snapshot",
    });
  }

  count(name: CounterName): number {
    return this.#all.reduce((sum, counters) => sum + counters.get(Counter[name]), 0);
  }

  /** Waits until a counter stands there, and shows that it goes no further. */
  async counts(name: CounterName, expected: number): Promise<void> {
    await eventually(() => this.count(name) >= expected, { what: `${name} is ${expected}` });
    if (this.count(name) !== expected) {
      throw new Error(`${name} is ${this.count(name)} instead of ${expected}`);
    }
  }

  /** Nothing failed, nothing is left open or in flight. */
  async assertQuiet(): Promise<void> {
    const { rows } = this.#threads;
    await eventually(() => rows.get(0, "connections") === 0 && rows.get(0, "inFlight") === 0, {
      what: "no connection and no request is left",
    });
    const faults = ["worker_faults", "worker_restarts", "descriptor_violations"] as const;
    for (const name of faults) {
      if (this.count(name) !== 0) throw new Error(`${name}: ${this.errors.join("")}`);
    }
  }

  #snapshot(inbound: readonly PortPolicy[] | null) {
    this.#version++;
    const endpoint = {
      row: 0,
      series: 0,
      ip: LOOPBACK,
      port: this.appPort,
      speaks: "any",
      peer: null,
    } as const;
    const app = {
      name: `127.0.0.1:${this.appPort}`,
      series: 0,
      endpoints: [endpoint],
      failure: null,
      routes: [],
    };
    return { version: this.#version, services: [app], aliases: [], inbound, clients: [] };
  }
}
