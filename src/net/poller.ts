/**
 * epoll, edge-triggered. Each registered descriptor has a place in a table; the kernel gives back
 * the place and the generation it was registered with, so that an event which was already in the
 * batch when its connection closed finds nobody, even if descriptor and place serve another by now.
 */
import { ARGUMENTS, type Arena, EVENTS } from "./arena.ts";
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from "./constants.ts";
import { libc } from "./libc.ts";

/** Events taken per call. */
const BATCH = 256;
/** `struct epoll_event` is packed on x86-64 only. */
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const DATA_OFFSET = process.arch === "x64" ? 4 : 8;
const EVENT_ARGUMENT = ARGUMENTS + 1_024;

export interface Pollable {
  /** Called with epoll's bits. */
  onEvents(events: number): void;
  /** Called when `onEvents` threw: whatever this is must be closed, and nothing else. */
  onFault(): void;
}

export class Poller {
  readonly fd: number;
  readonly #arena: Arena;
  readonly #handlers: (Pollable | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];

  constructor(arena: Arena) {
    this.#arena = arena;
    this.fd = libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.fd < 0) throw new Error("epoll_create1 failed");
  }

  /** Registers `fd`, reading and (unless `readOnly`) writing. Returns its place, or -1. */
  add(fd: number, handler: Pollable, readOnly = false): number {
    const place = this.#free.pop() ?? this.#handlers.length;
    const generation = ((this.#generations[place] ?? 0) + 1) | 0;
    this.#generations[place] = generation;
    this.#handlers[place] = handler;
    const events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET | (readOnly ? 0 : EPOLLOUT);
    const view = this.#arena.view;
    view.setUint32(EVENT_ARGUMENT, events >>> 0, true);
    view.setInt32(EVENT_ARGUMENT + DATA_OFFSET, place, true);
    view.setInt32(EVENT_ARGUMENT + DATA_OFFSET + 4, generation, true);
    const address = this.#arena.address + EVENT_ARGUMENT;
    if (libc.epoll_ctl(this.fd, EPOLL_CTL_ADD, fd, address) === 0) return place;
    this.forget(place);
    return -1;
  }

  /** Gives a registered descriptor to another handler. */
  replace(place: number, handler: Pollable): void {
    this.#handlers[place] = handler;
  }

  /** Frees a place whose descriptor is about to be closed, which takes it out of epoll too. */
  forget(place: number): void {
    this.#handlers[place] = null;
    this.#free.push(place);
  }

  /** Takes a descriptor out that goes on living, with another owner. */
  remove(place: number, fd: number): void {
    libc.epoll_ctl(this.fd, EPOLL_CTL_DEL, fd, this.#arena.address + EVENT_ARGUMENT);
    this.forget(place);
  }

  /** Waits up to `timeoutMs` and returns the number of events. A signal's interruption counts 0. */
  wait(timeoutMs: number): number {
    const count = libc.epoll_wait(this.fd, this.#arena.address + EVENTS, BATCH, timeoutMs);
    return Math.max(count, 0);
  }

  /** The handler of event `index`, or null when it has closed since. */
  handler(index: number): Pollable | null {
    const at = EVENTS + index * EVENT_BYTES + DATA_OFFSET;
    const place = this.#arena.view.getInt32(at, true);
    const generation = this.#arena.view.getInt32(at + 4, true);
    return this.#generations[place] === generation ? (this.#handlers[place] ?? null) : null;
  }

  /** epoll's bits of event `index`. */
  events(index: number): number {
    return this.#arena.view.getUint32(EVENTS + index * EVENT_BYTES, true);
  }

  /** Shows all handlers to `visit`, by which none may come or go. For what is done a few times a second. */
  each(visit: (handler: Pollable) => void): void {
    for (const handler of this.#handlers) if (handler !== null) visit(handler);
  }

  /** Registered descriptors. */
  get count(): number {
    return this.#handlers.length - this.#free.length;
  }
}
