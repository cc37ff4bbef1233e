/**
 * The threads: one acceptor, N workers, each a tinypool with one endless task. A worker that throws
 * or exits is buried (what it owned is closed, what it had pending is given back) and replaced; the
 * connections that wait in its ring are served by its successor.
 */

import { networkInterfaces } from "node:os";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { pack } from "msgpackr/pack";
import type { AcceptorCommand } from "../acceptor/main.ts";
import type { BalancerName } from "../balancer/tuning.ts";
import type { Logger } from "../lib/log.ts";
import { parseIp } from "../mesh/address.ts";
import type { Credentials } from "../mesh/credentials.ts";
import type { FromWorker, Snapshot, ThreadStart, ToWorker } from "../mesh/snapshot.ts";
import type { TapOrder } from "../mesh/tap.ts";
import type { Arena } from "../net/arena.ts";
import { Clock } from "../net/clock.ts";
import { isThreadAlive, poolFor } from "../net/thread.ts";
import { createWake, wake } from "../net/wake.ts";
import { WorkerState } from "../shared/layout.ts";
import type { Memory } from "../shared/memory.ts";
import { WorkerRows } from "../shared/worker-rows.ts";
import { bury } from "./bury.ts";
import { InboundDrain } from "./inbound-drain.ts";

/** Pause before a worker that died is replaced: a loop of deaths must not become a busy one. */
const RESTART_MS = 100;

/** What a thread that threw is given to end. */
const DESTROY_MS = 100;
/** How often it is looked whether the workers' threads still exist. */
const WATCH_MS = 200;

export type ThreadsOptions = {
  readonly arena: Arena;
  readonly memory: Memory;
  readonly start: ThreadStart;
  /** Of each worker's arena. */
  readonly chunks: number;
  readonly balancer: BalancerName;
  readonly accessLog: boolean;
  readonly log: Logger;
  readonly onResolve: (authority: string) => void;
  readonly onAccess: (line: string) => void;
  /** A worker misses the policy of a port of the application. */
  readonly onPort: (port: number) => void;
  /** A client has proved to be `name`. */
  readonly onClient: (name: string) => void;
  /** A batch of a tap came; its worker may send another when `onRead` was called. */
  readonly onTap: (batch: Extract<FromWorker, { kind: "tap" }>, onRead: () => void) => void;
};

export class Threads {
  readonly rows: WorkerRows;
  readonly #options: ThreadsOptions;
  readonly #wakeFds: number[] = [];
  readonly #ports: (MessagePort | null)[] = [];
  readonly #ended: Promise<void>[] = [];
  readonly #watches: ReturnType<typeof setInterval>[] = [];
  readonly #ownIps: readonly Uint8Array[];
  #acceptor: { port: MessagePort; wakeFd: number; ended: Promise<void> } | null = null;
  #snapshot: ArrayBuffer | null = null;
  #credentials: Credentials | null = null;
  #orders: readonly TapOrder[] = [];
  readonly #inbound: InboundDrain;
  readonly #clock: Clock;
  #isStopping = false;

  constructor(options: ThreadsOptions) {
    this.#options = options;
    this.rows = new WorkerRows(options.memory);
    this.#clock = new Clock(options.arena);
    this.#inbound = new InboundDrain(options.memory.layout.workers);
    this.#ownIps = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .map(({ address }) => parseIp(address.split("%")[0] ?? ""))
      .filter((ip) => ip !== null);
  }

  /** Starts all workers, one after another, then the acceptor. Resolves when all are ready. */
  async start(snapshot: Snapshot): Promise<void> {
    this.publish(snapshot);
    for (let worker = 0; worker < this.#options.memory.layout.workers; worker++) {
      this.#wakeFds.push(createWake());
      await this.#startWorker(worker);
    }
    this.#startAcceptor();
  }

  /** Sends a snapshot to every worker. */
  publish(snapshot: Snapshot): void {
    // `pack` returns a view of a buffer that it uses again: copy.
    this.#snapshot = new Uint8Array(pack(snapshot)).buffer;
    this.#ports.forEach((port, worker) => {
      if (port !== null) this.#sendSnapshot(port, worker);
    });
  }

  /** Sends certificates to every worker, also to those that are started later. */
  use(credentials: Credentials): void {
    this.#credentials = credentials;
    this.#ports.forEach((port, worker) => {
      if (port !== null) this.#sendCredentials(port, worker);
    });
  }

  /** Tells every worker what is tapped from now on, also those that are started later. */
  tap(orders: readonly TapOrder[]): void {
    this.#orders = orders;
    this.#ports.forEach((port, worker) => {
      if (port !== null) this.#send(port, worker, { kind: "tap", orders });
    });
  }

  /** The oldest snapshot that any worker still routes by. */
  acknowledged(): number {
    let least = Number.POSITIVE_INFINITY;
    for (let worker = 0; worker < this.rows.count; worker++) {
      if (this.rows.get(worker, "state") !== WorkerState.ready) continue;
      least = Math.min(least, this.rows.get(worker, "snapshot"));
    }
    return least;
  }

  /**
   * Closes the listeners for traffic to the application. Resolves when none of its connections waits
   * in the acceptor any more; then the workers may be told.
   */
  async stopInbound(): Promise<void> {
    if (this.#acceptor === null) return;
    const { port, wakeFd, ended } = this.#acceptor;
    const command: AcceptorCommand = { kind: "stop-inbound" };
    port.postMessage(command);
    wake(this.#options.arena, wakeFd);
    await Promise.race([this.#inbound.acceptor(), ended]);
  }

  /** Resolves when no worker serves a connection to the application, tunnels aside. */
  async inboundDrained(): Promise<void> {
    await this.#inbound.workers();
  }

  /** Stops accepting; the workers drain by the flag in shared memory. */
  async stopAccepting(): Promise<void> {
    this.#isStopping = true;
    if (this.#acceptor === null) return;
    const command: AcceptorCommand = { kind: "stop-accepting" };
    this.#acceptor.port.postMessage(command);
    wake(this.#options.arena, this.#acceptor.wakeFd);
    // It hands on what it still holds; the workers must not have ended by then.
    await this.#acceptor.ended;
  }

  /** Resolves when every worker has ended. */
  async drained(): Promise<void> {
    await Promise.all(this.#ended);
  }

  wakeAll(): void {
    for (const fd of this.#wakeFds) wake(this.#options.arena, fd);
  }

  /** Whether every worker's loop turns, or has ended when it was to. */
  isTurning(nowMs: number): boolean {
    for (let worker = 0; worker < this.rows.count; worker++) {
      const isOver = this.#isStopping && this.rows.get(worker, "state") !== WorkerState.ready;
      if (!isOver && !this.rows.isServing(worker, nowMs)) return false;
    }
    return true;
  }

  /** Number of workers that serve. */
  ready(): number {
    let count = 0;
    for (let worker = 0; worker < this.rows.count; worker++) {
      if (this.rows.get(worker, "state") === WorkerState.ready) count++;
    }
    return count;
  }

  async #startWorker(worker: number): Promise<void> {
    const { start, chunks, accessLog, balancer, log, onTap } = this.#options;
    const { port1, port2 } = new MessageChannel();
    this.rows.clear(worker);
    const wakeFd = this.#wakeFds[worker] ?? -1;
    this.rows.set(worker, "wakeFd", wakeFd);
    this.rows.set(worker, "state", WorkerState.starting);
    const ready = new Promise<void>((resolve) => {
      port1.on("message", (message: FromWorker) => {
        if (message.kind === "ready") resolve();
        else if (message.kind === "inbound-drained") this.#inbound.workerSaid(worker);
        else if (message.kind === "tap") {
          onTap(message, () => {
            const isAlive = this.#ports[worker] === port1;
            if (isAlive) this.#send(port1, worker, { kind: "tap-read", id: message.id });
          });
        } else this.#onMessage(message);
      });
    });
    const common = { start, chunks, ownIps: this.#ownIps, accessLog, balancer };
    const data = { ...common, worker, wakeFd, port: port2 };
    const pool = poolFor("proxy");
    this.#ports[worker] = port1;
    this.#sendCredentials(port1, worker);
    this.#sendSnapshot(port1, worker);
    if (this.#orders.length > 0) this.#send(port1, worker, { kind: "tap", orders: this.#orders });
    const ended = Promise.race([
      pool
        .run(data, { transferList: [port2] })
        .then(() => null)
        .catch((error: unknown) => error ?? "ended"),
      this.#exitOf(worker),
    ]);
    this.#ended[worker] = ended.then(async (error) => {
      this.#ports[worker] = null;
      clearInterval(this.#watches[worker]);
      port1.close();
      // Of a thread that is gone the pool may wait for the end for ever.
      await Promise.race([pool.destroy().catch(() => {}), after(DESTROY_MS)]);
      if (error === null && this.#isStopping) return;
      log.error("a worker ended, and is replaced", { worker, error: describe(error) });
      bury(this.#options.memory, this.rows, worker, this.#clock.readMs());
      if (this.#isStopping) return;
      await after(RESTART_MS);
      await this.#startWorker(worker);
      await this.#ended[worker];
    });
    await Promise.race([ready, ended]);
  }

  /**
   * Resolves when a worker's thread is gone. Bun does not tell of a thread that exits while it is
   * unreferenced, which those of the pool are; the kernel always does.
   */
  #exitOf(worker: number): Promise<string> {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const threadId = this.rows.get(worker, "threadId");
        if (threadId === 0 || isThreadAlive(threadId)) return;
        clearInterval(timer);
        resolve("its thread exited");
      }, WATCH_MS);
      this.#watches[worker] = timer;
    });
  }

  #startAcceptor(): void {
    const { start, log } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const wakeFd = createWake();
    const pool = poolFor("acceptor");
    const ended = pool
      .run({ start, port: port2, wakeFd }, { transferList: [port2] })
      .then(() => {})
      .catch((error: unknown) => {
        // Nothing is accepted any more: better to end, and be started anew, than to look alive.
        log.error("the acceptor ended", { error: describe(error) });
        process.exit(1);
      });
    port1.on("message", (message: FromWorker) => {
      if (message.kind === "inbound-drained") this.#inbound.acceptorSaid();
      else this.#onMessage(message);
    });
    port1.unref();
    this.#acceptor = { port: port1, wakeFd, ended };
  }

  #onMessage(message: FromWorker): void {
    if (message.kind === "resolve") this.#options.onResolve(message.authority);
    else if (message.kind === "port") this.#options.onPort(message.port);
    else if (message.kind === "client") this.#options.onClient(message.name);
    else if (message.kind === "access") this.#options.onAccess(message.line);
    else if (message.kind === "log") this.#options.log[message.level](message.text);
  }

  #sendSnapshot(port: MessagePort, worker: number): void {
    if (this.#snapshot === null) return;
    this.#send(port, worker, { kind: "snapshot", bytes: this.#snapshot });
  }

  #sendCredentials(port: MessagePort, worker: number): void {
    if (this.#credentials === null) return;
    this.#send(port, worker, { kind: "credentials", credentials: this.#credentials });
  }

  #send(port: MessagePort, worker: number, message: ToWorker): void {
    port.postMessage(message);
    const wakeFd = this.#wakeFds[worker];
    if (wakeFd !== undefined) wake(this.#options.arena, wakeFd);
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
