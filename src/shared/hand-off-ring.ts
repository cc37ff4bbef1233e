/**
 * The acceptor's queue to one worker: a ring with one writer (the acceptor) and one reader (the
 * worker), so both ends are a load and a store. `filled` and `taken` count for ever and wrap at
 * 2^32; their difference is the length. A slot is written before `filled` is raised and read
 * before `taken` is, and both are sequentially consistent, so neither sees half a slot.
 */
import type { Protocol } from "../mesh/protocol.ts";
import {
  ALPN_BYTES_MAX,
  RING_SLOTS,
  RingHead,
  RingSlot,
  RingTail,
  SNI_BYTES_MAX,
} from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

/** What the acceptor decided about a connection; addresses are 16 bytes, IPv4 in the first four. */
export type HandOff = {
  fd: number;
  ticket: number;
  listener: number;
  /** null: the client was silent, whoever speaks first decides. */
  protocol: Protocol | null;
  origFamily: 0 | 4 | 6;
  origPort: number;
  readonly origIp: Uint8Array;
  peerFamily: 0 | 4 | 6;
  peerPort: number;
  readonly peerIp: Uint8Array;
  sni: string | null;
  alpn: readonly string[];
};

const PROTOCOLS: readonly (Protocol | null)[] = [null, "http1", "http2", "tls", "opaque"];
const NO_NAMES: readonly string[] = [];

/** Returns an empty hand-off, to be filled and used again. */
export function emptyHandOff(): HandOff {
  return {
    fd: -1,
    ticket: 0,
    listener: 0,
    protocol: null,
    origFamily: 0,
    origPort: 0,
    origIp: new Uint8Array(16),
    peerFamily: 0,
    peerPort: 0,
    peerIp: new Uint8Array(16),
    sni: null,
    alpn: [],
  };
}

export class HandOffRing {
  readonly #words: Words;
  readonly #bytes: Uint8Array;
  readonly #taken: number;
  readonly #filled: number;
  readonly #slots: number;

  constructor(memory: Memory, worker: number) {
    const base = memory.layout.rings + worker * memory.layout.ringStride;
    this.#words = memory.words;
    this.#bytes = new Uint8Array(memory.words.buffer);
    this.#taken = base + RingHead.taken;
    this.#filled = base + RingHead.$stride + RingTail.filled;
    this.#slots = base + RingHead.$stride + RingTail.$stride;
  }

  /** Slots that wait for the worker. Any thread may ask: `taken` first, it never passes `filled`. */
  length(): number {
    const taken = Atomics.load(this.#words, this.#taken);
    return Math.min((Atomics.load(this.#words, this.#filled) - taken) >>> 0, RING_SLOTS);
  }

  /** Queues a connection. Returns false when the ring is full. Only the acceptor calls this. */
  push(handOff: HandOff): boolean {
    const filled = Atomics.load(this.#words, this.#filled);
    if ((filled - Atomics.load(this.#words, this.#taken)) >>> 0 >= RING_SLOTS) return false;
    this.#write(this.#slot(filled), handOff);
    Atomics.store(this.#words, this.#filled, (filled + 1) | 0);
    return true;
  }

  /**
   * Reads the oldest slot into `into`, without freeing it. Returns false when the ring is empty.
   * The worker adopts the descriptor between `peek` and `free`: if it dies in between, its
   * successor reads the slot again and finds the ticket stale.
   */
  peek(into: HandOff): boolean {
    const taken = Atomics.load(this.#words, this.#taken);
    if (Atomics.load(this.#words, this.#filled) === taken) return false;
    this.#read(this.#slot(taken), into);
    return true;
  }

  /** Frees the slot that `peek` read. */
  free(): void {
    Atomics.store(this.#words, this.#taken, (Atomics.load(this.#words, this.#taken) + 1) | 0);
  }

  /** Sets both counts, so that a test can stand just before the wrap. */
  startAt(count: number): void {
    Atomics.store(this.#words, this.#taken, count | 0);
    Atomics.store(this.#words, this.#filled, count | 0);
  }

  #slot(count: number): number {
    return this.#slots + ((count >>> 0) % RING_SLOTS) * RingSlot.$stride;
  }

  #write(slot: number, handOff: HandOff): void {
    const words = this.#words;
    words[slot + RingSlot.fd] = handOff.fd;
    words[slot + RingSlot.ticket] = handOff.ticket | 0;
    words[slot + RingSlot.listener] = handOff.listener;
    words[slot + RingSlot.protocol] = PROTOCOLS.indexOf(handOff.protocol);
    words[slot + RingSlot.origFamily] = handOff.origFamily;
    words[slot + RingSlot.origPort] = handOff.origPort;
    words[slot + RingSlot.peerFamily] = handOff.peerFamily;
    words[slot + RingSlot.peerPort] = handOff.peerPort;
    this.#bytes.set(handOff.origIp, (slot + RingSlot.origIp0) * 4);
    this.#bytes.set(handOff.peerIp, (slot + RingSlot.peerIp0) * 4);
    const sniAt = (slot + RingSlot.text) * 4;
    words[slot + RingSlot.sniBytes] = this.#writeText(handOff.sni ?? "", sniAt, SNI_BYTES_MAX);
    words[slot + RingSlot.alpnBytes] = this.#writeNames(handOff.alpn, sniAt + SNI_BYTES_MAX);
  }

  #read(slot: number, into: HandOff): void {
    const words = this.#words;
    into.fd = words[slot + RingSlot.fd] ?? -1;
    into.ticket = (words[slot + RingSlot.ticket] ?? 0) >>> 0;
    into.listener = words[slot + RingSlot.listener] ?? 0;
    into.protocol = PROTOCOLS[words[slot + RingSlot.protocol] ?? 0] ?? null;
    into.origFamily = family(words[slot + RingSlot.origFamily]);
    into.origPort = words[slot + RingSlot.origPort] ?? 0;
    into.peerFamily = family(words[slot + RingSlot.peerFamily]);
    into.peerPort = words[slot + RingSlot.peerPort] ?? 0;
    this.#readBytes(into.origIp, (slot + RingSlot.origIp0) * 4);
    this.#readBytes(into.peerIp, (slot + RingSlot.peerIp0) * 4);
    const sniAt = (slot + RingSlot.text) * 4;
    const sniBytes = words[slot + RingSlot.sniBytes] ?? 0;
    const alpnBytes = words[slot + RingSlot.alpnBytes] ?? 0;
    into.sni = sniBytes === 0 ? null : this.#readText(sniAt, sniBytes);
    into.alpn = alpnBytes === 0 ? NO_NAMES : this.#readNames(sniAt + SNI_BYTES_MAX, alpnBytes);
  }

  /** Writes Latin-1 text, cut at `maxBytes`; SNI and ALPN names are checked to be ASCII before. */
  #writeText(text: string, at: number, maxBytes: number): number {
    const length = Math.min(text.length, maxBytes);
    for (let i = 0; i < length; i++) this.#bytes[at + i] = text.charCodeAt(i);
    return length;
  }

  #readText(at: number, length: number): string {
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.#bytes[at + i] ?? 0);
    return text;
  }

  /** Writes whole names, as many as fit. */
  #writeNames(names: readonly string[], at: number): number {
    let length = 0;
    for (const name of names) {
      if (length + 1 + name.length > ALPN_BYTES_MAX) break;
      this.#bytes[at + length] = name.length;
      length += 1 + this.#writeText(name, at + length + 1, name.length);
    }
    return length;
  }

  #readNames(at: number, length: number): string[] {
    const names: string[] = [];
    for (let done = 0; done < length; ) {
      const bytes = this.#bytes[at + done] ?? 0;
      names.push(this.#readText(at + done + 1, bytes));
      done += 1 + bytes;
    }
    return names;
  }

  #readBytes(into: Uint8Array, at: number): void {
    for (let i = 0; i < into.length; i++) into[i] = this.#bytes[at + i] ?? 0;
  }
}

function family(word: number | undefined): 0 | 4 | 6 {
  return word === 4 ? 4 : word === 6 ? 6 : 0;
}
