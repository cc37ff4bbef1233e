/**
 * What a thread of gRPC stands on, server or client: a loop, memory, and a port to the main thread.
 * The main thread keeps the logic and this one the sockets; between them go only messages, each way
 * in order, and a wake-up descriptor, because this thread blocks in epoll_wait.
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { assert } from "../lib/assert.ts";
import { Arena, DECODED, ENCODED, ENCODED_BYTES } from "../net/arena.ts";
import type { Io } from "../net/connection.ts";
import { Descriptors } from "../net/descriptors.ts";
import { libc } from "../net/libc.ts";
import { type Deferred, Loop } from "../net/loop.ts";
import type { Http2Memory } from "../protocol/http2/connection.ts";
import { KeptBudget } from "../protocol/http2/kept-data.ts";
import { DescriptorTable } from "../shared/descriptor-table.ts";
import { WorkerState } from "../shared/layout.ts";
import { attach } from "../shared/memory.ts";
import { WorkerRows } from "../shared/worker-rows.ts";
import { AssemblyBudget } from "./message-reader.ts";

/** Number of such a thread in its memory, which is its own: as an owner of descriptors, and its row. */
export const RPC_OWNER = 0;
/** Chunks of this thread's arena, 64 MiB of output and parts of frames at the most. */
const CHUNKS = 1_024;
/**
 * Messages taken in one turn. Each may touch another connection, whose output holds a chunk until
 * the turn's end: what is told to thousands at once must not need thousands of chunks.
 */
const MESSAGES_PER_TURN = 256;
/** A message of this size is moved to the other thread, a smaller one is cheaper to copy. */
const MOVED_BYTES_MIN = 16_384;

export type RpcThreadStart = {
  /** Holds the table of descriptors, so that the main thread can close what a dead thread left, and its beat. */
  readonly memory: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly wakeFd: number;
};

/** What every such thread tells. */
export type FromThread =
  | { readonly kind: "ready"; readonly threadId: number; readonly pollFd: number }
  | { readonly kind: "fault"; readonly text: string };

/** The message upon which a thread dies, as one does that crashes: tests stage it. */
export const EXIT = "exit";

type Received<ToThread> = { readonly message: ToThread | typeof EXIT } | undefined;

export class RpcThread<ToThread, From> implements Deferred {
  isDeferred = false;
  readonly io: Io;
  readonly loop: Loop;
  readonly http2: Http2Memory;
  readonly assembly = new AssemblyBudget();
  /** Called once per turn of the loop, after the events. */
  onTurn: () => void = () => {};
  readonly #start: RpcThreadStart;
  readonly #rows: WorkerRows;
  #take: (message: ToThread) => void = () => {};

  constructor(start: RpcThreadStart) {
    const arena = new Arena(CHUNKS);
    const loop = new Loop(arena);
    const memory = attach(start.memory);
    const table = new DescriptorTable(memory);
    this.#start = start;
    this.#rows = new WorkerRows(memory);
    this.loop = loop;
    this.io = { loop, arena, descriptors: new Descriptors(arena, table, RPC_OWNER) };
    this.http2 = {
      budget: new KeptBudget(),
      decodedAt: DECODED,
      scratch: { start: ENCODED, end: ENCODED + ENCODED_BYTES },
    };
    loop.onFault = (error) => this.#tellFault(error);
    loop.onTurn = () => this.#turn();
  }

  /** Runs until the loop is stopped. */
  async run(take: (message: ToThread) => void): Promise<void> {
    const { port, wakeFd } = this.#start;
    const { poller } = this.loop;
    this.#take = take;
    assert(poller.add(wakeFd, this, true) >= 0, "wake-up: epoll_ctl failed");
    this.#turn();
    this.#rows.set(RPC_OWNER, "state", WorkerState.ready);
    this.#post({ kind: "ready", threadId: libc.gettid(), pollFd: poller.fd });
    // What was sent before the descriptor was registered may have made no edge.
    this.loop.defer(this);
    await this.loop.run();
    this.#rows.set(RPC_OWNER, "state", WorkerState.stopped);
    libc.close(poller.fd);
    port.close();
  }

  /** Tells the main thread; `message` within it, if there is one, moves there. */
  tell(told: From, message: ArrayBuffer | null = null): void {
    if (message === null || message.byteLength < MOVED_BYTES_MIN)
      this.#start.port.postMessage(told);
    else this.#start.port.postMessage(told, [message]);
  }

  onEvents(): void {
    this.#takeAll();
  }

  /** A message that could not be taken was told of; the next ones still come. */
  onFault(): void {
    this.loop.defer(this);
  }

  onDeferred(): void {
    this.#takeAll();
  }

  #takeAll(): void {
    for (let count = 0; count < MESSAGES_PER_TURN; count++) {
      const received = receiveMessageOnPort(this.#start.port) as Received<ToThread>;
      if (received === undefined) return;
      if (received.message === EXIT) process.exit(1);
      this.#take(received.message);
    }
    this.loop.defer(this);
  }

  /** The main thread sees by the beat that this one does not hang. */
  #turn(): void {
    this.#rows.set(RPC_OWNER, "beatMs", this.loop.clock.nowMs);
    this.onTurn();
  }

  #tellFault(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#post({ kind: "fault", text });
  }

  #post(told: FromThread): void {
    this.#start.port.postMessage(told);
  }
}
