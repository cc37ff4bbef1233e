/** Time that moves only when told to, and a log that is kept. */
import type { SetTimer } from "../../src/identity/source.ts";
import { settled } from "../support/later.ts";

/** Any time of day; certificates of the tests are made around it. */
export const START_MS: number = Date.UTC(2031, 4, 20, 12);

/** More than an attempt that fails at once takes from one end to the other. */
const MICROTASKS = 20;

type Alarm = { readonly dueMs: number; readonly callback: () => void };

export class FakeTime {
  /** Monotonic. */
  nowMs = 5_000;
  wallMs: number = START_MS;
  /** What is still under way and has to end before time goes on. */
  readonly pending = new Set<Promise<unknown>>();
  readonly #alarms = new Set<Alarm>();

  readonly setTimer: SetTimer = (delayMs, callback) => {
    const alarm = { dueMs: this.nowMs + delayMs, callback };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  };

  get alarms(): number {
    return this.#alarms.size;
  }

  /** Lets both clocks go on, and what is due happen in its order. */
  async advance(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    await this.flush();
    for (;;) {
      const [next] = [...this.#alarms].sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > endMs) break;
      this.#alarms.delete(next);
      this.#move(next.dueMs);
      next.callback();
      // Days of a look every second: what ends without the runtime's help is not waited for longer.
      for (let i = 0; i < MICROTASKS; i++) await null;
      if (this.pending.size > 0) await this.flush();
    }
    this.#move(endMs);
  }

  /** Waits for all that is pending and for what comes of it. */
  async flush(): Promise<void> {
    await settled();
    while (this.pending.size > 0) {
      await Promise.allSettled([...this.pending]);
      await settled();
    }
  }

  #move(toMs: number): void {
    const elapsedMs = Math.max(toMs - this.nowMs, 0);
    this.nowMs += elapsedMs;
    this.wallMs += elapsedMs;
  }
}

export class KeptLog {
  /** `level message {"field":…}` */
  readonly lines: string[] = [];

  info(message: string, fields: object = {}): void {
    this.lines.push(`info ${message} ${JSON.stringify(fields)}`);
  }

  warn(message: string, fields: object = {}): void {
    this.lines.push(`warn ${message} ${JSON.stringify(fields)}`);
  }

  error(message: string, fields: object = {}): void {
    this.lines.push(`error ${message} ${JSON.stringify(fields)}`);
  }

  /** Lines with the text in them. */
  count(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }
}
