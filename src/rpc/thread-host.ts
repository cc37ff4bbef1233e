/**
 * The main thread's side of a thread of gRPC: starts it as tinypool's one endless task, sends it
 * messages and wakes it, notices when it is gone, and gives back what it held.
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { Tinypool } from "tinypool";
import type { Arena } from "../net/arena.ts";
import { Clock } from "../net/clock.ts";
import { libc } from "../net/libc.ts";
import { isThreadAlive, poolFor } from "../net/thread.ts";
import { createWake, wake } from "../net/wake.ts";
import { DescriptorTable } from "../shared/descriptor-table.ts";
import { allocate, type Memory } from "../shared/memory.ts";
import { WorkerRows } from "../shared/worker-rows.ts";
import { EXIT, type FromThread, RPC_OWNER } from "./thread.ts";

/** How often it is looked whether the thread still exists: Bun does not tell. */
const WATCH_MS = 200;
/** What a thread that threw is given to end. */
const DESTROY_MS = 100;
/** A thread that does not report by then will not. */
const READY_TIMEOUT_MS = 10_000;

export type HostOptions<From> = {
  readonly arena: Arena;
  /** A file of workers/. */
  readonly entry: string;
  /** What the thread gets beside memory, port and wake-up. */
  readonly data: object;
  readonly onMessage: (message: Exclude<From, FromThread>) => void;
  /** A bug in the thread that cost one connection. */
  readonly onFault: (text: string) => void;
};

export class ThreadHost<To, From extends { readonly kind: string }> {
  /** Resolves when the thread is gone, with the reason if it should not be. Never rejects. */
  readonly ended: Promise<string | null>;
  readonly #arena: Arena;
  readonly #clock: Clock;
  readonly #memory: Memory = allocate(1);
  readonly #rows = new WorkerRows(this.#memory);
  readonly #wakeFd = createWake();
  readonly #port: MessagePort;
  #threadId = 0;
  #pollFd = -1;
  #watch: ReturnType<typeof setInterval> | undefined;
  #isOver = false;
  #isAsked = false;

  private constructor(options: HostOptions<From>, onReady: () => void) {
    const { port1, port2 } = new MessageChannel();
    this.#arena = options.arena;
    this.#clock = new Clock(options.arena);
    this.#port = port1;
    port1.on("message", (message: From | FromThread) => {
      if (message.kind === "ready") {
        const ready = message as FromThread & { kind: "ready" };
        this.#threadId = ready.threadId;
        this.#pollFd = ready.pollFd;
        onReady();
      } else if (message.kind === "fault") {
        options.onFault((message as FromThread & { kind: "fault" }).text);
      } else options.onMessage(message as Exclude<From, FromThread>);
    });
    const memory = this.#memory.words.buffer;
    const data = { ...options.data, memory, wakeFd: this.#wakeFd, port: port2 };
    this.ended = this.#run(poolFor(options.entry), data, port2);
  }

  /** Starts the thread; resolves when it serves. Throws when it does not come to that. */
  static async start<To, From extends { readonly kind: string }>(
    options: HostOptions<From>,
  ): Promise<ThreadHost<To, From>> {
    let onReady: () => void = () => {};
    const ready = new Promise<null>((resolve) => {
      onReady = () => resolve(null);
    });
    const host = new ThreadHost<To, From>(options, onReady);
    const isLate = (): string => "it did not report in time";
    const failed = await Promise.race([
      ready,
      host.ended.then((reason) => reason ?? "it ended"),
      after(READY_TIMEOUT_MS).then(isLate),
    ]);
    if (failed === null) return host;
    host.stageDeath();
    throw new Error(`${options.entry}: ${failed}`);
  }

  /** Sends a message and wakes the thread. `moved` are buffers within it that go over. */
  post(message: To, moved: ArrayBuffer[] = []): void {
    if (this.#isOver) return;
    this.#port.postMessage(message, moved);
    wake(this.#arena, this.#wakeFd);
  }

  /** Whether its loop turns, or has ended. */
  isTurning(): boolean {
    const nowMs = this.#clock.readMs();
    return this.#isOver || this.#rows.isServing(RPC_OWNER, nowMs);
  }

  /** It was told to end. */
  get isFinished(): boolean {
    return this.#isAsked;
  }

  /** The last message: the thread ends upon it, and that is no failure. */
  finish(message: To): void {
    this.#isAsked = true;
    this.post(message);
  }

  /** Has the thread die as if it had crashed: for tests, and if it does not start. */
  stageDeath(): void {
    if (this.#isOver) return;
    this.#port.postMessage(EXIT);
    wake(this.#arena, this.#wakeFd);
  }

  async #run(pool: Tinypool, data: object, port: MessagePort): Promise<string | null> {
    const ended = pool
      .run(data, { transferList: [port] })
      .then(() => (this.#isAsked ? null : "its task ended"))
      .catch((error: unknown) => describe(error));
    const reason = await Promise.race([ended, this.#exit()]);
    this.#isOver = true;
    clearInterval(this.#watch);
    this.#port.close();
    // Of a thread that is gone the pool may wait for the end for ever.
    await Promise.race([pool.destroy().catch(() => {}), after(DESTROY_MS)]);
    const isClean = reason === null;
    for (const fd of new DescriptorTable(this.#memory).reclaim(RPC_OWNER)) libc.close(fd);
    if (!isClean && this.#pollFd > 2) libc.close(this.#pollFd);
    libc.close(this.#wakeFd);
    return reason;
  }

  /** Resolves when the thread is gone without having said so. */
  #exit(): Promise<string> {
    return new Promise((resolve) => {
      this.#watch = setInterval(() => {
        if (this.#threadId === 0 || isThreadAlive(this.#threadId)) return;
        clearInterval(this.#watch);
        resolve("its thread exited");
      }, WATCH_MS);
    });
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
