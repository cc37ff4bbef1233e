/** What the acceptor's parts share. */
import { Members } from "../lib/members.ts";
import type { ListenerSpec, ThreadStart } from "../mesh/snapshot.ts";
import { Counter, type CounterName } from "../metrics/catalog.ts";
import { Arena } from "../net/arena.ts";
import { Descriptors } from "../net/descriptors.ts";
import { localAddress, originalDestination } from "../net/listener.ts";
import { Loop } from "../net/loop.ts";
import { Counters } from "../shared/counters.ts";
import { ACCEPTOR_OWNER, DescriptorTable } from "../shared/descriptor-table.ts";
import type { HandOff } from "../shared/hand-off-ring.ts";
import { LearnedTargets } from "../shared/learned-targets.ts";
import { attach } from "../shared/memory.ts";
import { Dispatcher } from "./dispatch.ts";
import { Pending } from "./pending.ts";

/** Chunks of this thread's arena: it only looks, and keeps nothing. */
const CHUNKS = 1;
/** Connections looked at or waiting for a worker at once; each is a few hundred bytes. */
export const PENDING_MAX = 65_536;

export class Acceptor {
  readonly arena = new Arena(CHUNKS);
  readonly loop = new Loop(this.arena);
  readonly descriptors: Descriptors;
  readonly learned: LearnedTargets;
  readonly dispatcher: Dispatcher;
  readonly start: ThreadStart;
  readonly pending = new Members<Pending>();
  readonly #counters: Counters;
  readonly #opaquePorts: ReadonlySet<number>;
  #violations = 0;

  constructor(start: ThreadStart) {
    const memory = attach(start.memory);
    const table = new DescriptorTable(memory);
    this.start = start;
    this.descriptors = new Descriptors(this.arena, table, ACCEPTOR_OWNER);
    this.learned = new LearnedTargets(memory);
    this.#counters = new Counters(memory, memory.layout.workers);
    this.#opaquePorts = new Set(start.opaquePorts);
    this.dispatcher = new Dispatcher(memory, this.arena, this.descriptors);
  }

  count(name: CounterName): void {
    this.#counters.add(Counter[name], 1);
  }

  /** Publishes how often a descriptor was not ours when we were about to close it. */
  countViolations(): void {
    const { violations } = this.descriptors;
    if (violations === this.#violations) return;
    this.#counters.add(Counter.descriptor_violations, violations - this.#violations);
    this.#violations = violations;
  }

  /** Decides about a connection that was accepted just now, or begins to watch it. */
  look(handOff: HandOff, listener: ListenerSpec): void {
    if (this.pending.size >= PENDING_MAX) {
      this.count("refused_descriptors");
      this.descriptors.close(handOff.fd);
      return;
    }
    const pending = new Pending(this, handOff, listener);
    // A bug met with this connection closes it, and not the listener that it came from.
    this.loop.guard(pending, () => this.#begin(pending, handOff, listener));
  }

  #begin(pending: Pending, handOff: HandOff, listener: ListenerSpec): void {
    const isForward = listener.kind === "forward";
    if (!isForward) this.#readOriginal(handOff, listener);
    const isOpaquePort = handOff.origFamily !== 0 && this.#opaquePorts.has(handOff.origPort);
    if (isForward || isOpaquePort) pending.decide("opaque");
    else pending.begin();
  }

  /** A connection that came to the listener's own address was not redirected. */
  #readOriginal(handOff: HandOff, listener: ListenerSpec): void {
    const family = handOff.peerFamily;
    if (family === 0) return;
    const original = originalDestination(this.arena, handOff.fd, family);
    if (original === null) return;
    const isWildcard = listener.ip.every((byte) => byte === 0);
    const own = isWildcard ? localAddress(this.arena, handOff.fd) : listener;
    const isOwn = original.port === own?.port && original.ip.every((b, i) => b === own.ip[i]);
    if (isOwn) return;
    handOff.origFamily = original.ip.length === 4 ? 4 : 6;
    handOff.origPort = original.port;
    handOff.origIp.fill(0);
    handOff.origIp.set(original.ip);
  }
}
