/**
 * The acceptor in a real thread, two workers that are only rows and rings of shared memory, and raw
 * clients. The test drains the rings itself, as the owner that each worker is.
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { AcceptorCommand } from "../../src/acceptor/main.ts";
import type { ListenerKind, ListenerSpec, ThreadStart } from "../../src/mesh/snapshot.ts";
import { Counter, type CounterName } from "../../src/metrics/catalog.ts";
import { Arena, INPUT, INPUT_BYTES } from "../../src/net/arena.ts";
import { Clock } from "../../src/net/clock.ts";
import { MSG_DONTWAIT } from "../../src/net/constants.ts";
import { Descriptors } from "../../src/net/descriptors.ts";
import { libc } from "../../src/net/libc.ts";
import { listen, localAddress } from "../../src/net/listener.ts";
import { createWake, wake } from "../../src/net/wake.ts";
import { Counters } from "../../src/shared/counters.ts";
import { DescriptorTable } from "../../src/shared/descriptor-table.ts";
import { emptyHandOff, type HandOff, HandOffRing } from "../../src/shared/hand-off-ring.ts";
import { Header, WorkerState } from "../../src/shared/layout.ts";
import { allocate, park } from "../../src/shared/memory.ts";
import { WorkerRows } from "../../src/shared/worker-rows.ts";
import { eventually } from "../support/eventually.ts";
import { Client, LOOPBACK } from "./client.ts";

const WORKERS = 2;
const BACKLOG = 4_096;
/** A third of the heartbeat that may be missed. */
const BEAT_MS = 300;
/** No test here opens more. */
const FD_MAX = 8_192;
/** Order of the rig's listeners. */
const KINDS: readonly ListenerKind[] = ["inbound", "outbound", "forward"];

export type RigOptions = Partial<Pick<ThreadStart, "app" | "detectTimeoutMs">>;

/** What came out of a ring: the hand-off, and who took it. */
export type Taken = HandOff & { readonly worker: number };

/** One arena for all rigs: its pages are never given back. */
const arena = new Arena(1);

export class Rig {
  readonly memory = allocate(WORKERS);
  readonly rows = new WorkerRows(this.memory);
  readonly table = new DescriptorTable(this.memory);
  readonly clock = new Clock(arena);
  readonly arena = arena;
  readonly wakeFds: readonly number[] = [createWake(), createWake()];
  readonly #counters = new Counters(this.memory, WORKERS);
  readonly #rings = this.wakeFds.map((_, worker) => new HandOffRing(this.memory, worker));
  readonly #owners = this.wakeFds.map((_, worker) => new Descriptors(arena, this.table, worker));
  readonly #listeners: readonly ListenerSpec[];
  readonly #port: MessagePort;
  readonly #wakeFd = createWake();
  readonly #thread: Worker;
  readonly #ended: Promise<string>;
  readonly #beat: ReturnType<typeof setInterval>;
  readonly #clients: Client[] = [];
  readonly #beating = new Set([0, 1]);

  constructor({ app = null, detectTimeoutMs = 10_000 }: RigOptions) {
    this.#listeners = KINDS.map((kind) => {
      const opened = listen(arena, { ip: LOOPBACK, port: 0 }, BACKLOG);
      if ("error" in opened) throw new Error(opened.error);
      return { kind, ...opened, service: kind === "forward" ? "db:1" : null };
    });
    const start: ThreadStart = {
      memory: this.memory.words.buffer,
      listeners: this.#listeners,
      app,
      opaquePorts: [],
      detectTimeoutMs,
      ownPorts: [],
      policy: { requiresIdentity: false, allowFrom: null },
    };
    for (const [worker, fd] of this.wakeFds.entries()) {
      this.rows.set(worker, "wakeFd", fd);
      this.rows.set(worker, "state", WorkerState.ready);
    }
    this.#beatNow();
    this.#beat = setInterval(() => this.#beatNow(), BEAT_MS);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#thread = new Worker(new URL("./acceptor-thread.ts", import.meta.url), {
      workerData: { start, port: port2, wakeFd: this.#wakeFd },
      transferList: [port2],
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#thread.on("message", resolve);
      this.#thread.on("error", reject);
    });
  }

  /** Resolves when the acceptor serves; what it has counted by then is part of `count`. */
  async warm(): Promise<this> {
    const client = this.client("forward");
    const [taken] = await this.take(1, 8_000);
    if (taken !== undefined) this.close(taken);
    client.close();
    return this;
  }

  portOf(kind: ListenerKind): number {
    return this.#listeners[KINDS.indexOf(kind)]?.port ?? 0;
  }

  client(kind: ListenerKind): Client {
    const client = new Client(arena);
    this.#clients.push(client);
    return client.connect(this.portOf(kind));
  }

  /** A client that has its descriptor but is not connected yet. */
  idleClient(): Client {
    const client = new Client(arena);
    this.#clients.push(client);
    return client;
  }

  /** Drains both rings until `count` connections have come. */
  async take(count: number, withinMs = 2_000): Promise<Taken[]> {
    const taken: Taken[] = [];
    const what = `${count} hand-offs`;
    await eventually(
      () => {
        taken.push(...this.drain());
        if (taken.length < count) throw new Error(`${taken.length} so far`);
      },
      { withinMs, what },
    );
    return taken;
  }

  /** Takes and adopts what lies in the rings now. */
  drain(): Taken[] {
    const taken: Taken[] = [];
    for (const [worker, ring] of this.#rings.entries()) {
      for (;;) {
        const handOff = emptyHandOff();
        if (!ring.peek(handOff)) break;
        if (!this.#owners[worker]?.adopt(handOff.fd, handOff.ticket)) throw new Error("stale");
        ring.free();
        taken.push({ ...handOff, worker });
      }
    }
    return taken;
  }

  /** Returns the bytes that wait in a connection that was taken. */
  read({ fd }: Taken): string {
    const count = libc.recv(fd, arena.address + INPUT, INPUT_BYTES, MSG_DONTWAIT);
    return Buffer.from(arena.bytes.subarray(INPUT, INPUT + Math.max(count, 0))).toString("latin1");
  }

  close({ worker, fd }: Taken): void {
    this.#owners[worker]?.close(fd);
  }

  /** Has a worker's heart stop, long ago. */
  silence(worker: number): void {
    this.#beating.delete(worker);
    this.rows.set(worker, "beatMs", this.clock.nowMs - 60_000);
  }

  revive(worker: number): void {
    this.#beating.add(worker);
    this.#beatNow();
  }

  count(name: CounterName): number {
    return this.#counters.get(Counter[name]);
  }

  send(command: AcceptorCommand): void {
    this.#port.postMessage(command);
    wake(arena, this.#wakeFd);
  }

  /** Resolves with "ended" when the acceptor's thread has ended well. */
  ended(): Promise<string> {
    return this.#ended;
  }

  /** Has this thread stand still, so that all that runs is the acceptor. */
  block(milliseconds: number): void {
    park(this.memory.words, Header.draining, 0, milliseconds);
  }

  /** Ends everything. Returns what is still owned by anybody, and the violations, both to be 0. */
  async stop(): Promise<{ why: string; owned: number; violations: number }> {
    for (const client of this.#clients) client.close();
    this.send({ kind: "exit" });
    const why = await this.#ended;
    for (const taken of this.drain()) this.close(taken);
    clearInterval(this.#beat);
    this.#port.close();
    await this.#thread.terminate();
    for (const fd of [...this.wakeFds, this.#wakeFd]) libc.close(fd);
    const violations = this.#owners.reduce((sum, owner) => sum + owner.violations, 0);
    return {
      why,
      owned: this.table.count(),
      violations: violations + this.count("descriptor_violations"),
    };
  }

  #beatNow(): void {
    this.clock.read();
    for (const worker of this.#beating) this.rows.set(worker, "beatMs", this.clock.nowMs);
  }
}

/** Descriptors of this process that are sockets of IP; the runtimes' own are pipes and the like. */
export function openSockets(): number {
  let count = 0;
  for (let fd = 0; fd < FD_MAX; fd++) {
    if (localAddress(arena, fd) !== null) count++;
  }
  return count;
}
