/** A link over channels whose far end, clock and timers are the test's. */
import { ControlLink } from "../../src/control/link.ts";
import type { Refusal } from "../../src/discovery/mesh-source.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import { RpcChannel } from "../../src/rpc/client-handle.ts";
import type { ToClient } from "../../src/rpc/client-messages.ts";
import type { Received } from "../../src/rpc/received.ts";
import type { Status } from "../../src/rpc/status.ts";
import { settled } from "../support/later.ts";

type Timer = { readonly atMs: number; readonly run: () => void };

/** The far end of one connection. */
export class FarEnd {
  readonly channel: RpcChannel;
  readonly #calls = new Map<number, Received>();
  /** Method and number of each call that was begun and not ended by us. */
  readonly open = new Map<string, number>();
  /** What each method was last asked. */
  readonly requests = new Map<string, Uint8Array>();
  isClosed = false;

  constructor() {
    let last = 0;
    const calls = { next: () => ++last, received: this.#calls };
    this.channel = new RpcChannel(1, (message) => this.#take(message), calls);
    this.channel.onOpened();
  }

  async say(method: string, text: string): Promise<void> {
    await this.sayBytes(method, new TextEncoder().encode(text));
  }

  async sayBytes(method: string, bytes: Uint8Array): Promise<void> {
    this.#calls.get(this.open.get(method) ?? -1)?.onMessage(bytes);
    await settled();
  }

  async end(method: string, status: Status): Promise<void> {
    const call = this.open.get(method) ?? -1;
    this.open.delete(method);
    this.#calls.get(call)?.onEnded(status, "because", []);
    await settled();
  }

  /** The connection is lost, with all that was on it. */
  async lose(): Promise<void> {
    this.channel.onClosed("lost");
    for (const call of this.#calls.values()) call.onEnded(14, "lost", []);
    this.open.clear();
    await settled();
  }

  #take(message: ToClient): void {
    if (message.kind === "call") {
      this.open.set(message.method, message.call);
      this.requests.set(message.method, new Uint8Array(message.message));
    }
    if (message.kind === "close") this.isClosed = true;
    if (message.kind === "cancel") {
      for (const [method, call] of this.open) {
        if (call === message.call) this.open.delete(method);
      }
    }
  }
}

export class LinkRig {
  readonly link: ControlLink;
  readonly ends: FarEnd[] = [];
  readonly logged: string[] = [];
  /** What was said and refused of a watched call: `method first text`, `method text`, `method -why`. */
  readonly heard: string[] = [];
  credentials: Credentials | null = { notAfterMs: Date.now() + 3_600_000 } as Credentials;
  isReachable = true;
  /** Why it is not. */
  reason = "refused";
  attempts = 0;
  contacts = 0;
  nowMs = 1_000;
  readonly timers = new Set<Timer>();

  constructor() {
    this.link = new ControlLink({
      connect: async () => {
        this.attempts += 1;
        if (!this.isReachable) throw new Error(this.reason);
        const end = new FarEnd();
        this.ends.push(end);
        return end.channel;
      },
      current: () => this.credentials,
      awayMs: 5_000,
      contact: () => {
        this.contacts += 1;
      },
      nowMs: () => this.nowMs,
      // The longest pause.
      random: () => 0xffff_ffff,
      setTimer: (delayMs, run) => {
        const timer = { atMs: this.nowMs + delayMs, run };
        this.timers.add(timer);
        return () => void this.timers.delete(timer);
      },
      log: {
        info: (message) => void this.logged.push(message),
        warn: (message) => void this.logged.push(message),
      },
    });
  }

  get end(): FarEnd {
    const end = this.ends.at(-1);
    if (end === undefined) throw new Error("no connection was made");
    return end;
  }

  watch(method: string, isWanted: (refusal: Refusal) => boolean = () => true): () => void {
    return this.link.watch(method, new Uint8Array(0), {
      onMessage: (bytes, isFirst) => {
        const text = new TextDecoder().decode(bytes);
        if (text === "nonsense") throw new Error("nonsense");
        this.heard.push(`${method} ${isFirst ? "first " : ""}${text}`);
      },
      onRefused: (refusal) => {
        this.heard.push(`${method} -${refusal}`);
        return isWanted(refusal);
      },
    });
  }

  /** Lets `ms` pass, with all timers that come due. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      await settled();
    }
    this.nowMs = untilMs;
    await settled();
  }
}
