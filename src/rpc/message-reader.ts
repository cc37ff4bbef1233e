/**
 * gRPC's length-prefixed messages, PROTOCOL-HTTP2.md ("Length-Prefixed-Message"): a flag byte, four
 * bytes of length, the message. Bytes come in any pieces; a message comes out whole, as a copy. What
 * all readers of a thread put together at a time draws on one budget.
 */
import { ASSEMBLED_BYTES_MAX, MESSAGE_BYTES_MAX } from "./limits.ts";
import { Status } from "./status.ts";

export const PREFIX_BYTES = 5;

export type MessageFault = "compressed" | "bad-flag" | "too-large" | "no-memory";

/** What a call ends with for each fault. */
export const FAULT_STATUS: Readonly<Record<MessageFault, readonly [Status, string]>> = {
  compressed: [Status.unimplemented, "compressed messages are not supported"],
  "bad-flag": [Status.internal, "a message's first byte is neither 0 nor 1"],
  "too-large": [Status.resourceExhausted, `messages have at most ${MESSAGE_BYTES_MAX} bytes`],
  "no-memory": [Status.resourceExhausted, "too many messages at a time"],
};

/** What the readers of a thread hold together. */
export class AssemblyBudget {
  usedBytes = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number = ASSEMBLED_BYTES_MAX) {
    this.#maxBytes = maxBytes;
  }

  take(bytes: number): boolean {
    if (this.usedBytes + bytes > this.#maxBytes) return false;
    this.usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.usedBytes -= bytes;
  }
}

/** Room that a message begins with; what was only announced takes no memory. */
const ROOM_BYTES_MIN = 4_096;

export class MessageReader {
  /** Why nothing more is read. */
  fault: MessageFault | null = null;
  readonly #budget: AssemblyBudget;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixBytes = 0;
  /** The message's announced length, once its prefix is whole. */
  #length = 0;
  #room: Uint8Array<ArrayBuffer> | null = null;
  #filled = 0;

  constructor(budget: AssemblyBudget) {
    this.#budget = budget;
  }

  /** A part of a message has come, and the rest has not. */
  get isWithin(): boolean {
    return this.#prefixBytes > 0;
  }

  /** Reads `bytes[start, end)` and hands out each whole message; stops with a `fault`. */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    take: (message: Uint8Array<ArrayBuffer>) => void,
  ): void {
    let at = start;
    while (this.fault === null) {
      while (this.#prefixBytes < PREFIX_BYTES && at < end) {
        this.#prefix[this.#prefixBytes++] = bytes[at++] ?? 0;
        if (this.#prefixBytes === 1 && !this.#takeFlag()) return;
        if (this.#prefixBytes === PREFIX_BYTES && !this.#begin()) return;
      }
      if (this.#prefixBytes < PREFIX_BYTES) return;
      const count = Math.min(end - at, this.#length - this.#filled);
      if (!this.#fill(bytes, at, at + count)) return;
      at += count;
      if (this.#filled < this.#length) return;
      take(this.#finish());
    }
  }

  /** Gives up what was begun. */
  clear(): void {
    if (this.#room !== null) this.#budget.give(this.#room.length);
    this.#room = null;
    this.#prefixBytes = 0;
    this.#filled = 0;
  }

  #takeFlag(): boolean {
    const flag = this.#prefix[0] ?? 0;
    if (flag === 0) return true;
    return this.#fail(flag === 1 ? "compressed" : "bad-flag");
  }

  #begin(): boolean {
    const [, a = 0, b = 0, c = 0, d = 0] = this.#prefix;
    this.#length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    this.#filled = 0;
    return this.#length <= MESSAGE_BYTES_MAX || this.#fail("too-large");
  }

  #fill(bytes: Uint8Array, start: number, end: number): boolean {
    const wanted = this.#filled + end - start;
    if (this.#room === null || this.#room.length < wanted) {
      const doubled = Math.max(wanted, ROOM_BYTES_MIN, 2 * (this.#room?.length ?? 0));
      const size = Math.min(doubled, this.#length);
      if (!this.#budget.take(size)) return this.#fail("no-memory");
      const grown = new Uint8Array(size);
      if (this.#room !== null) {
        grown.set(this.#room.subarray(0, this.#filled));
        this.#budget.give(this.#room.length);
      }
      this.#room = grown;
    }
    this.#room.set(bytes.subarray(start, end), this.#filled);
    this.#filled = wanted;
    return true;
  }

  /** The message is whole; its room has exactly its length by now, and is whoever's who takes it. */
  #finish(): Uint8Array<ArrayBuffer> {
    const message = this.#room ?? new Uint8Array(0);
    this.#budget.give(message.length);
    this.#room = null;
    this.#prefixBytes = 0;
    return message.length === this.#length ? message : message.slice(0, this.#length);
  }

  #fail(fault: MessageFault): boolean {
    this.clear();
    this.fault = fault;
    return false;
  }
}

/** Writes the prefix of a message of `length` bytes to `out[at, at + 5)`; not compressed. */
export function writePrefix(out: Uint8Array, at: number, length: number): void {
  out[at] = 0;
  out[at + 1] = length >>> 24;
  out[at + 2] = length >>> 16;
  out[at + 3] = length >>> 8;
  out[at + 4] = length;
}
