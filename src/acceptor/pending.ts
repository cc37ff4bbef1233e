/**
 * One connection between accept and hand-off. Its bytes are looked at, never read; it is looked at
 * again only upon an edge, so half a hello and silence cost nothing.
 */

import type { Member } from "../lib/members.ts";
import { Timer } from "../lib/timer-wheel.ts";
import type { Protocol } from "../mesh/protocol.ts";
import type { ListenerKind, ListenerSpec } from "../mesh/snapshot.ts";
import { INPUT, INPUT_BYTES, NONE } from "../net/arena.ts";
import { EPOLL_ENDS } from "../net/constants.ts";
import { peek, setReceiveLowWater } from "../net/listener.ts";
import type { Pollable } from "../net/poller.ts";
import { detect } from "../protocol/detect.ts";
import type { HandOff } from "../shared/hand-off-ring.ts";
import type { Acceptor } from "./acceptor.ts";

/** Silence after which a known target is dialled: a client that speaks first has spoken by then. */
export const SILENCE_MS = 100;
/** Looks at one connection's bytes; more make it final, so one byte at a time buys no CPU. */
const PEEKS_MAX = 64;
/** How often a connection that found no worker is offered again. */
const OFFER_MS = 20;
/** SO_RCVLOWAT beyond this could exceed what the kernel buffers. */
const LOW_WATER_MAX = INPUT_BYTES;
/** When accepting ends, what has not said anything after this long is not waited for. */
const LAST_WORDS_MS = 100;

export class Pending implements Pollable, Member {
  memberAt = -1;
  readonly #acceptor: Acceptor;
  readonly #handOff: HandOff;
  readonly #listener: ListenerSpec;
  readonly #timer: Timer;
  #place = NONE;
  #deadlineMs = 0;
  #peeks = 0;
  #lowWater = 1;
  #isSilent = true;
  #isDecided = false;
  #hasWaited = false;

  constructor(acceptor: Acceptor, handOff: HandOff, listener: ListenerSpec) {
    this.#acceptor = acceptor;
    this.#handOff = handOff;
    this.#listener = listener;
    this.#timer = new Timer(() => acceptor.loop.guard(this, () => this.#onTimer()));
    this.#deadlineMs = acceptor.loop.clock.nowMs + acceptor.start.detectTimeoutMs;
  }

  /** Of the listener that it came to. */
  get kind(): ListenerKind {
    return this.#listener.kind;
  }

  /** Looks at once: most clients' first bytes are there already. */
  begin(): void {
    if (this.#look(false)) return;
    if (this.#isSilent && this.#isLearned()) this.#handOverSilent();
    else this.#watch();
  }

  #watch(): void {
    const { loop, pending } = this.#acceptor;
    this.#place = loop.poller.add(this.#handOff.fd, this, true);
    if (this.#place === NONE) {
      this.#acceptor.count("refused_descriptors");
      this.close();
      return;
    }
    pending.add(this);
    this.#arm();
  }

  onEvents(events: number): void {
    const isOver = (events & EPOLL_ENDS) !== 0;
    if (!this.#look(isOver)) this.#arm();
  }

  onFault(): void {
    this.close();
  }

  /** The verdict is there. */
  decide(protocol: Protocol | null): void {
    this.#isDecided = true;
    this.#handOff.protocol = protocol;
    if (protocol !== null) this.#acceptor.count(`detected_${protocol}`);
    this.#offer();
  }

  /** Accepting has ended: a verdict, whatever it is, must come soon. */
  hurry(): void {
    if (this.#isDecided) return;
    const { clock, timers } = this.#acceptor.loop;
    this.#deadlineMs = Math.min(this.#deadlineMs, clock.nowMs + LAST_WORDS_MS);
    timers.arm(this.#timer, this.#deadlineMs);
  }

  /** Closes the connection, unless it is another's already. */
  close(): void {
    const { fd } = this.#handOff;
    if (fd === NONE) return;
    if (this.#place !== NONE) this.#acceptor.loop.poller.forget(this.#place);
    this.#place = NONE;
    this.#letGo();
    this.#acceptor.descriptors.close(fd);
  }

  #letGo(): void {
    this.#acceptor.loop.timers.disarm(this.#timer);
    this.#acceptor.pending.delete(this);
    this.#handOff.fd = NONE;
  }

  /** Looks at the bytes. True: decided, or closed. */
  #look(isFinal: boolean): boolean {
    const { arena } = this.#acceptor;
    const count = peek(arena, this.#handOff.fd);
    if (count === 0 || (count < 0 && isFinal)) {
      this.#acceptor.count("detect_closed");
      this.close();
      return true;
    }
    if (count < 0) return false;
    this.#isSilent = false;
    this.#peeks++;
    const isLast = isFinal || this.#peeks >= PEEKS_MAX || count === INPUT_BYTES;
    const verdict = detect(arena.bytes, INPUT, INPUT + count, isLast);
    if (verdict.kind === "incomplete") {
      const wanted = Math.min(verdict.needBytes, LOW_WATER_MAX);
      if (wanted > count + 1) this.#setLowWater(wanted);
      return false;
    }
    this.#handOff.sni = verdict.sni;
    this.#handOff.alpn = verdict.alpn;
    // Refused where HTTP is parsed, with a 400: it must not reach a backend as opaque bytes.
    const isBadHttp = verdict.reason === "malformed-request-line";
    this.decide(isBadHttp ? "http1" : verdict.protocol);
    return true;
  }

  #offer(): void {
    const { dispatcher, loop, pending } = this.#acceptor;
    const { nowMs } = loop.clock;
    this.#setLowWater(1);
    // Out of our epoll before it can be in a worker's.
    const place = this.#place;
    this.#place = NONE;
    if (place !== NONE) loop.poller.remove(place, this.#handOff.fd);
    if (dispatcher.dispatch(this.#handOff, nowMs)) {
      this.#letGo();
      this.#acceptor.count("handed_off");
      return;
    }
    if (!this.#hasWaited) this.#acceptor.count("hand_off_waited");
    this.#hasWaited = true;
    if (nowMs >= this.#deadlineMs) {
      this.close();
      return;
    }
    pending.add(this);
    loop.timers.arm(this.#timer, nowMs + OFFER_MS);
  }

  #onTimer(): void {
    const { clock } = this.#acceptor.loop;
    if (this.#isDecided) this.#offer();
    else if (this.#isSilent && this.#hasTarget()) this.#handOverSilent();
    else if (clock.nowMs < this.#deadlineMs) this.#arm();
    else if (!this.#isSilent) this.#look(true);
    else {
      this.#acceptor.count("detect_timeout");
      this.close();
    }
  }

  #handOverSilent(): void {
    this.#acceptor.count("detect_silent");
    this.decide(null);
  }

  #arm(): void {
    const { clock, timers } = this.#acceptor.loop;
    const isWaitingForTarget = this.#isSilent && this.#hasTarget();
    const atMs = isWaitingForTarget ? clock.nowMs + SILENCE_MS : this.#deadlineMs;
    timers.arm(this.#timer, Math.min(atMs, this.#deadlineMs));
  }

  #hasTarget(): boolean {
    if (this.#handOff.origFamily !== 0) return true;
    return this.#listener.kind === "inbound" && this.#acceptor.start.app !== null;
  }

  #isLearned(): boolean {
    const { learned, loop, start } = this.#acceptor;
    const { origFamily, origIp, origPort } = this.#handOff;
    const { nowMs } = loop.clock;
    if (origFamily !== 0) {
      return learned.knows(origIp.subarray(0, origFamily === 4 ? 4 : 16), origPort, nowMs);
    }
    if (this.#listener.kind !== "inbound" || start.app === null) return false;
    return learned.knows(start.app.ip, start.app.port, nowMs);
  }

  #setLowWater(bytes: number): void {
    if (this.#lowWater === bytes) return;
    this.#lowWater = bytes;
    setReceiveLowWater(this.#acceptor.arena, this.#handOff.fd, bytes);
  }
}
