/**
 * A worker's data path on the test's own thread, a turn at a time: so that a test can look at what is
 * left in it (timers), and stop its time. Connections come from two listeners, one for each version.
 */
import { Balancer } from "../../src/balancer/balancer.ts";
import { Breaker } from "../../src/balancer/breaker.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { ListenerSpec, Service, ThreadStart } from "../../src/mesh/snapshot.ts";
import { Counter, type CounterName } from "../../src/metrics/catalog.ts";
import { Arena } from "../../src/net/arena.ts";
import { Descriptors } from "../../src/net/descriptors.ts";
import { libc } from "../../src/net/libc.ts";
import { accept, listen } from "../../src/net/listener.ts";
import { Loop } from "../../src/net/loop.ts";
import { Context } from "../../src/proxy/context.ts";
import { Directory } from "../../src/proxy/directory.ts";
import { Pools } from "../../src/proxy/pool.ts";
import { terminateTls } from "../../src/proxy/tls-client.ts";
import { Counters } from "../../src/shared/counters.ts";
import { DescriptorTable } from "../../src/shared/descriptor-table.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { emptyHandOff, HandOffRing } from "../../src/shared/hand-off-ring.ts";
import { DrainPhase } from "../../src/shared/layout.ts";
import { LearnedTargets } from "../../src/shared/learned-targets.ts";
import { allocate } from "../../src/shared/memory.ts";
import { WorkerRows } from "../../src/shared/worker-rows.ts";
import { Adopter } from "../../src/worker/adopt.ts";
import type { Version } from "./routed-peers.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const POLICY = { requiresIdentity: false, allowFrom: null };

export class LoopRig {
  readonly #arena = new Arena(64);
  readonly loop = new Loop(this.#arena);
  readonly rows: EndpointRows;
  readonly context: Context;
  readonly #adopter: Adopter;
  readonly #ring: HandOffRing;
  readonly #acceptor: Descriptors;
  readonly #listeners = { http1: this.#listen(), http2: this.#listen() };
  readonly #turns: ReturnType<typeof setInterval>;
  #version = 1;
  #isStopped = false;
  readonly faults: string[] = [];

  /** `seed`: of the worker's random numbers. `watch` is given each turn to run, and may count. */
  constructor(seed: number, watch: (turn: () => void) => void = (turn) => turn()) {
    const memory = allocate(1);
    const table = new DescriptorTable(memory);
    const { loop } = this;
    const arena = this.#arena;
    this.rows = new EndpointRows(memory);
    this.#acceptor = new Descriptors(arena, table, 1);
    this.context = new Context({
      io: { arena, loop, descriptors: new Descriptors(arena, table, 0) },
      worker: 0,
      rows: new WorkerRows(memory),
      counters: new Counters(memory, 0),
      balancer: new Balancer(this.rows, 0, xorshift32(seed)),
      endpoints: this.rows,
      breaker: new Breaker(this.rows, xorshift32(seed), {
        ejected: () => this.context.count("endpoint_ejected"),
        returned: () => this.context.count("endpoint_returned"),
      }),
      directory: new Directory(
        () => {},
        () => {},
        () => {},
      ),
      pools: new Pools(),
      learned: new LearnedTargets(memory),
      isOwn: () => false,
      detectTimeoutMs: 1_000,
      drainPhase: () => DrainPhase.none,
      policy: POLICY,
      terminateTls,
    });
    const start: ThreadStart = {
      memory: memory.words.buffer,
      listeners: [this.#listeners.http1, this.#listeners.http2],
      app: null,
      opaquePorts: [],
      detectTimeoutMs: 1_000,
      ownPorts: [],
      policy: POLICY,
    };
    this.#ring = new HandOffRing(memory, 0);
    this.#adopter = new Adopter(this.context, this.#ring, start);
    loop.mayBlock = () => false;
    loop.onTurn = () => {
      this.context.requests.turn();
      this.context.upstreamStreams.turn();
    };
    loop.onFault = (error) => this.faults.push(String(error));
    this.#turns = setInterval(() => watch(() => this.#turn()), 1);
  }

  port(version: Version): number {
    return this.#listeners[version].port;
  }

  publish(services: readonly Service[]): void {
    const rest = { aliases: [], inbound: null, clients: [] };
    const snapshot = { version: this.#version++, services, ...rest };
    this.context.directory.replace(snapshot, this.loop.clock.nowMs);
    this.context.lines.sweep();
  }

  count(name: CounterName): number {
    return this.context.counters.get(Counter[name]);
  }

  /** Lets time go by in which the worker does nothing, as one that the kernel does not let run. */
  pauseTurns(): () => void {
    this.#isStopped = true;
    return () => {
      this.#isStopped = false;
    };
  }

  stop(): void {
    clearInterval(this.#turns);
    for (const { fd } of Object.values(this.#listeners)) libc.close(fd);
    libc.close(this.loop.poller.fd);
  }

  #turn(): void {
    if (this.#isStopped) return;
    for (const version of ["http1", "http2"] as const) {
      const fd = accept(this.#arena, this.#listeners[version].fd);
      if (fd < 0 || !this.#acceptor.claim(fd)) continue;
      const ticket = this.#acceptor.hand(fd, 0);
      this.#ring.push({ ...emptyHandOff(), fd, ticket, protocol: version });
    }
    this.#adopter.adopt();
    this.loop.turn();
  }

  #listen(): ListenerSpec {
    const opened = listen(this.#arena, { ip: LOOPBACK, port: 0 }, 16);
    if ("error" in opened) throw new Error(opened.error);
    return { kind: "outbound", ...opened, service: null };
  }
}
