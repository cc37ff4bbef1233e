/**
 * A worker: one thread, one loop, its own sockets. It never waits for another thread: connections
 * come through its ring, routes through messages that it looks at when it is woken, load through
 * shared memory.
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { unpack } from "msgpackr/unpack";
import { Balancer } from "../balancer/balancer.ts";
import { Breaker } from "../balancer/breaker.ts";
import { TUNINGS } from "../balancer/tuning.ts";
import { xorshift32 } from "../lib/random.ts";
import type { Credentials } from "../mesh/credentials.ts";
import type { Endpoint, FromWorker, Snapshot, ToWorker } from "../mesh/snapshot.ts";
import { Counter } from "../metrics/catalog.ts";
import { Arena } from "../net/arena.ts";
import { Descriptors } from "../net/descriptors.ts";
import { libc } from "../net/libc.ts";
import { Loop } from "../net/loop.ts";
import { sharpenWaits } from "../net/pause.ts";
import { runtime } from "../net/runtime.ts";
import { wake } from "../net/wake.ts";
import { Context } from "../proxy/context.ts";
import { Directory } from "../proxy/directory.ts";
import { leavesIn } from "../proxy/draining.ts";
import { isSame, Pools } from "../proxy/pool.ts";
import { DelayProbe } from "../proxy/shedding.ts";
import { terminateTls } from "../proxy/tls-client.ts";
import { Counters } from "../shared/counters.ts";
import { DescriptorTable } from "../shared/descriptor-table.ts";
import { EndpointRows } from "../shared/endpoint-rows.ts";
import { HandOffRing } from "../shared/hand-off-ring.ts";
import { DrainPhase, WorkerState } from "../shared/layout.ts";
import { LearnedTargets } from "../shared/learned-targets.ts";
import { attach, drainPhase } from "../shared/memory.ts";
import { WorkerRows } from "../shared/worker-rows.ts";
import { Adopter } from "./adopt.ts";
import { BreakerNotes } from "./breaker-notes.ts";
import { stage } from "./faults.ts";
import { Gathering, gather } from "./gathering.ts";
import { HangSweep } from "./hang-sweep.ts";
import { IdleCollection } from "./idle-collection.ts";
import { ownAddresses } from "./own-addresses.ts";
import { PolicySweep } from "./policy-sweep.ts";
import { ProofSweep } from "./proof-sweep.ts";
import type { WorkerStart } from "./start.ts";
import { Watchers } from "./watchers.ts";

/** Runs until the process drains and nothing is left, or until something breaks. */
export async function runWorker(data: WorkerStart): Promise<void> {
  await new Worker(data).run();
}

class Worker {
  readonly #data: WorkerStart;
  readonly #loop: Loop;
  readonly #rows: WorkerRows;
  readonly #ring: HandOffRing;
  readonly #context: Context;
  readonly #adopter: Adopter;
  readonly #proofs: ProofSweep;
  readonly #hangs: HangSweep;
  readonly #watchers: Watchers;
  readonly #policies: PolicySweep;
  readonly #memory: ReturnType<typeof attach>;
  readonly #delay: DelayProbe;
  readonly #gathering = new Gathering();
  #turnUs = 0;
  readonly #collection = new IdleCollection(() => runtime.collect());
  #isInboundTold = false;
  #turnPeakUs = 0;
  #peakSinceMs = 0;
  #violations = 0;

  constructor(data: WorkerStart) {
    const { worker, start } = data;
    const memory = attach(start.memory);
    const arena = new Arena(data.chunks);
    const loop = new Loop(arena);
    this.#memory = memory;
    this.#data = data;
    this.#loop = loop;
    this.#rows = new WorkerRows(memory);
    this.#ring = new HandOffRing(memory, worker);
    const endpoints = new EndpointRows(memory);
    const random = xorshift32(seed());
    const notes = new BreakerNotes({
      count: (name) => this.#context.count(name),
      nowMs: () => loop.clock.nowMs,
      log: (text) => this.#tell({ kind: "log", level: "info", text }),
    });
    this.#context = new Context({
      io: { loop, arena, descriptors: new Descriptors(arena, new DescriptorTable(memory), worker) },
      worker,
      rows: this.#rows,
      counters: new Counters(memory, worker),
      balancer: new Balancer(endpoints, worker, random, TUNINGS[data.balancer]),
      breaker: new Breaker(endpoints, random, notes),
      endpoints,
      directory: new Directory(
        (authority) => this.#tell({ kind: "resolve", authority }),
        (name) => this.#tell({ kind: "client", name }),
        (port) => this.#tell({ kind: "port", port }),
      ),
      pools: new Pools(),
      learned: new LearnedTargets(memory),
      isOwn: ownAddresses(data),
      detectTimeoutMs: start.detectTimeoutMs,
      drainPhase: () => drainPhase(memory),
      policy: start.policy,
      terminateTls,
    });
    this.#watchers = new Watchers(
      this.#context,
      data.accessLog ? (line) => this.#tell({ kind: "access", line }) : null,
      (id, events, dropped) => this.#tell({ kind: "tap", id, events, dropped }),
    );
    this.#adopter = new Adopter(this.#context, this.#ring, start);
    this.#proofs = new ProofSweep(this.#context);
    this.#policies = new PolicySweep(this.#context);
    this.#hangs = new HangSweep(this.#context);
    this.#delay = new DelayProbe({
      now: () => performance.now(),
      wake: () => wake(arena, data.wakeFd),
      shedding: this.#context.shedding,
    });
  }

  async run(): Promise<void> {
    const { worker, wakeFd, port } = this.#data;
    const loop = this.#loop;
    sharpenWaits();
    this.#rows.set(worker, "pollFd", loop.poller.fd);
    this.#rows.set(worker, "threadId", libc.gettid());
    // There are messages, the ring was filled, or it woke itself.
    loop.poller.add(wakeFd, { onEvents: () => this.#onWoken(port), onFault: () => {} }, true);
    loop.mayBlock = () => this.#fallAsleep();
    loop.onTurn = () => this.#onTurn();
    loop.onFault = (error) => this.#onFault(error);
    this.#takeMessages(port);
    this.#beat();
    this.#rows.set(worker, "state", WorkerState.ready);
    this.#tell({ kind: "ready" });
    await loop.run();
    this.#rows.set(worker, "state", WorkerState.stopped);
  }

  /** Says "I may sleep", then looks once more: whoever fills the ring does it in the other order. */
  #fallAsleep(): boolean {
    const { worker } = this.#data;
    this.#rows.set(worker, "sleeping", 1);
    if (this.#ring.length() === 0) return true;
    this.#rows.set(worker, "sleeping", 0);
    return false;
  }

  #onTurn(): void {
    const { worker } = this.#data;
    this.#rows.set(worker, "sleeping", 0);
    this.#context.requests.turn();
    this.#context.upstreamStreams.turn();
    this.#adopter.adopt();
    this.#beat();
    const { nowMs } = this.#loop.clock;
    const isBusy = this.#context.inFlight > 0;
    this.#delay.onTurn(nowMs, isBusy);
    this.#collection.onTurn(nowMs, isBusy);
    const fault = this.#rows.take(worker, "fault");
    if (fault !== 0) stage(fault, () => performance.now());
    const phase = drainPhase(this.#memory);
    if (phase !== DrainPhase.none) this.#drain(phase);
    gather(this.#gathering, this.#loop, this.#turnUs, this.#context.sharedWrites);
  }

  #beat(): void {
    const { worker } = this.#data;
    const { clock } = this.#loop;
    const rows = this.#rows;
    rows.set(worker, "beatMs", clock.nowMs);
    rows.set(worker, "inFlight", this.#context.inFlight);
    rows.set(worker, "pooled", this.#context.pools.count + this.#context.http2.count);
    this.#context.http2.sweep(clock.nowMs);
    this.#proofs.sweep(clock.nowMs);
    this.#policies.sweep(clock.nowMs);
    this.#hangs.sweep(clock.nowMs);
    this.#turnUs = this.#workedUs();
    this.#turnPeakUs = Math.max(this.#turnPeakUs, this.#turnUs);
    if (clock.nowMs - this.#peakSinceMs >= 1_000) {
      rows.set(worker, "turnUs", this.#turnPeakUs);
      this.#turnPeakUs = 0;
      this.#peakSinceMs = clock.nowMs;
    }
    const { violations } = this.#context.io.descriptors;
    if (violations > this.#violations) {
      this.#context.counters.add(Counter.descriptor_violations, violations - this.#violations);
      this.#violations = violations;
    }
  }

  /** How long this turn has worked: what a client that came during it had to wait. */
  #workedUs(): number {
    return Math.min(Math.round((performance.now() - this.#loop.wokeMs) * 1e3), 0x7fffffff);
  }

  #drain(phase: number): void {
    const context = this.#context;
    if (context.drainedTo !== phase) {
      context.drainedTo = phase;
      for (const client of [...context.clients]) {
        if (leavesIn(phase, client.origin.kind)) client.drain();
      }
      if (phase === DrainPhase.all) context.pools.keepOnly(() => false);
    }
    if (phase === DrainPhase.inbound) return this.#tellInbound();
    context.http2.closeIdle();
    const isEmpty = context.clients.size === 0 && context.tunnels.size === 0;
    if (isEmpty && this.#ring.length() === 0) this.#loop.stop();
  }

  /** Tunnels are not waited for: who has one open ends it when the application is told to end. */
  #tellInbound(): void {
    if (this.#isInboundTold || this.#ring.length() > 0) return;
    for (const { origin } of this.#context.clients) if (origin.kind === "inbound") return;
    this.#isInboundTold = true;
    this.#tell({ kind: "inbound-drained" });
  }

  #onFault(error: unknown): void {
    this.#context.count("worker_faults");
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#tell({ kind: "log", level: "error", text: `a connection failed: ${text}` });
  }

  #onWoken(port: MessagePort): void {
    this.#delay.onWoken(this.#loop.clock.nowMs);
    this.#takeMessages(port);
  }

  #takeMessages(port: MessagePort): void {
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: ToWorker } | undefined;
      if (received === undefined) return;
      const { message } = received;
      this.#take(message);
    }
  }

  #take(message: ToWorker): void {
    switch (message.kind) {
      case "credentials":
        return this.#takeCredentials(message.credentials);
      case "snapshot":
        return this.#takeSnapshot(unpack(new Uint8Array(message.bytes)) as Snapshot);
      case "tap":
        return this.#watchers.tap(message.orders);
      case "tap-read":
        return this.#watchers.onRead(message.id);
      default:
        return message satisfies never;
    }
  }

  /** What OpenSSL does not take is refused; the old ones serve on. */
  #takeCredentials(credentials: Credentials): void {
    try {
      this.#context.mesh.use(credentials);
    } catch (error) {
      this.#context.count("tls_credentials_refused");
      const reason = error instanceof Error ? error.message : String(error);
      this.#tell({ kind: "log", level: "error", text: `certificates refused: ${reason}` });
    }
  }

  #takeSnapshot(snapshot: Snapshot): void {
    const context = this.#context;
    const byRow = new Map(snapshot.services.flatMap((s) => s.endpoints.map((e) => [e.row, e])));
    // First the pools: `replace` lets waiting requests go, and they may pick a reused row.
    const isKnown = (endpoint: Endpoint): boolean => {
      const known = byRow.get(endpoint.row);
      return known !== undefined && isSame(known, endpoint);
    };
    context.pools.keepOnly(isKnown);
    const left = context.http2.keepOnly(isKnown);
    const names = new Set(snapshot.services.map(({ name }) => name));
    context.retryBudgets.keepOnly((service) => names.has(service));
    context.directory.replace(snapshot, this.#loop.clock.nowMs);
    for (const waiter of left) waiter.onNoStream("gone");
    context.lines.sweep();
    this.#policies.onSnapshot(this.#loop.clock.nowMs);
    this.#rows.set(this.#data.worker, "snapshot", snapshot.version);
  }

  #tell(message: FromWorker): void {
    this.#data.port.postMessage(message);
  }
}

/** A seed that is never 0, which xorshift cannot leave. */
function seed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] || 1;
}
