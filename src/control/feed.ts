/**
 * Streams that tell of changes: what there is to tell is asked for when the client has taken what it
 * was told before, so a slow one costs no memory and skips what is no longer true.
 */

/** Changes that happen within so long are told together: a service that starts is many. */
export const COALESCE_MS = 5;

/** Who is told that there may be news. */
export type Waiting = { wake(): void };

/** Who waits for news of what. */
export class Topics {
  readonly #waiting = new Map<string, Set<Waiting>>();
  readonly #changed = new Set<string>();
  readonly #later: (run: () => void) => void;
  #isAllChanged = false;
  #isPlanned = false;

  constructor(later: (run: () => void) => void = (run) => void setTimeout(run, COALESCE_MS)) {
    this.#later = later;
  }

  subscribe(topic: string, waiting: Waiting): void {
    const all = this.#waiting.get(topic);
    if (all === undefined) this.#waiting.set(topic, new Set([waiting]));
    else all.add(waiting);
  }

  unsubscribe(topic: string, waiting: Waiting): void {
    const all = this.#waiting.get(topic);
    all?.delete(waiting);
    if (all?.size === 0) this.#waiting.delete(topic);
  }

  /** Says whether somebody waits for it. */
  has(topic: string): boolean {
    return this.#waiting.has(topic);
  }

  /** Has those called who wait for it, soon. */
  changed(topic: string): void {
    if (!this.#waiting.has(topic)) return;
    this.#changed.add(topic);
    this.#plan();
  }

  /** The same for everybody. */
  allChanged(): void {
    this.#isAllChanged = true;
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#later(() => this.#tell());
  }

  #tell(): void {
    const topics = this.#isAllChanged ? [...this.#waiting.keys()] : [...this.#changed];
    this.#isPlanned = false;
    this.#isAllChanged = false;
    this.#changed.clear();
    for (const topic of topics) for (const each of this.#waiting.get(topic) ?? []) each.wake();
  }
}

/** There is nothing more to tell. */
export const OVER = Symbol("over");

/**
 * That we stop: whoever watches is sent away, to ask elsewhere or later. An AbortSignal looks through
 * all its listeners for each one more, which tens of thousands of streams cannot afford.
 */
export class Leaving {
  #isOver = false;
  readonly waiting = new Set<Waiting>();

  get isOver(): boolean {
    return this.#isOver;
  }

  begin(): void {
    this.#isOver = true;
    for (const each of [...this.waiting]) each.wake();
  }
}

type Result = IteratorResult<Uint8Array, undefined>;
const DONE: Result = { done: true, value: undefined };

/**
 * A stream of messages, asked for one after the other. A class and not a generator, and without a
 * closure of its own: there are tens of thousands, and most of them wait.
 */
export abstract class Feed implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #leaving: Leaving;
  #state: "new" | "open" | "over" = "new";
  /** Of who has asked and was not told. */
  #resolve: ((result: Result) => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;

  /** It ends when its reader says `return`, or when we leave. */
  constructor(leaving: Leaving) {
    this.#leaving = leaving;
  }

  /** It was asked for the first time. May refuse by throwing. */
  protected abstract begin(): void;
  /** Called once for each `begin` that did not throw. */
  protected abstract end(): void;
  /** What there is to tell now; null: nothing. Throws what the stream ends with, if it does badly. */
  protected abstract take(): Uint8Array | null | typeof OVER;

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    try {
      const result = this.#step();
      if (result !== null) return Promise.resolve(result);
    } catch (error) {
      this.#close();
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  return(): Promise<Result> {
    this.#close();
    this.#settle(DONE);
    return Promise.resolve(DONE);
  }

  /** There may be something to tell. */
  wake(): void {
    if (this.#resolve === null) return;
    try {
      const result = this.#step();
      if (result !== null) this.#settle(result);
    } catch (error) {
      const reject = this.#reject;
      this.#close();
      this.#resolve = null;
      this.#reject = null;
      reject?.(error);
    }
  }

  #step(): Result | null {
    if (this.#state === "over") return DONE;
    if (this.#state === "new") {
      this.begin();
      this.#state = "open";
      this.#leaving.waiting.add(this);
    }
    const message = this.#leaving.isOver ? OVER : this.take();
    if (message === null) return null;
    if (message !== OVER) return { done: false, value: message };
    this.#close();
    return DONE;
  }

  #close(): void {
    const wasOpen = this.#state === "open";
    this.#state = "over";
    if (!wasOpen) return;
    this.#leaving.waiting.delete(this);
    this.end();
  }

  #settle(result: Result): void {
    const resolve = this.#resolve;
    this.#resolve = null;
    this.#reject = null;
    resolve?.(result);
  }
}
