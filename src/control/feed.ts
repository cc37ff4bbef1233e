/**
 * Streams that tell of changes: what there is to tell is asked for when the client has taken what it
 * was told before, so a slow one costs no memory and skips what is no longer true.
 */

/** Changes that happen within so long are told together: a service that starts is many. */
export const COALESCE_MS = 5;
/**
 * After a change was told, a topic rests for so long for each who was told: whoever announces and
 * withdraws without end would else keep both threads busy with that, and all others waiting.
 */
export const REST_MS_EACH = 0.05;
/** … but what is new is told within 100 ms, however many there are. */
export const REST_MS_MAX = 80;

/** Who is told that there may be news. */
export type Waiting = { wake(): void };

/** Who waits for news of what. */
export class Topics {
  readonly #waiting = new Map<string, Set<Waiting>>();
  readonly #changed = new Set<string>();
  /** Until when topics rest that were told to many. */
  readonly #restUntilMs = new Map<string, number>();
  readonly #later: (run: () => void) => void;
  readonly #nowMs: () => number;
  #isAllChanged = false;
  #isPlanned = false;

  constructor(
    later: (run: () => void) => void = (run) => void setTimeout(run, COALESCE_MS),
    nowMs: () => number = () => performance.now(),
  ) {
    this.#later = later;
    this.#nowMs = nowMs;
  }

  subscribe(topic: string, waiting: Waiting): void {
    const all = this.#waiting.get(topic);
    if (all === undefined) this.#waiting.set(topic, new Set([waiting]));
    else all.add(waiting);
  }

  unsubscribe(topic: string, waiting: Waiting): void {
    const all = this.#waiting.get(topic);
    all?.delete(waiting);
    if (all?.size !== 0) return;
    this.#waiting.delete(topic);
    this.#changed.delete(topic);
    this.#restUntilMs.delete(topic);
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
    const nowMs = this.#nowMs();
    const isResting = (topic: string): boolean => (this.#restUntilMs.get(topic) ?? 0) > nowMs;
    const topics = this.#isAllChanged
      ? [...this.#waiting.keys()]
      : [...this.#changed].filter((topic) => !isResting(topic));
    this.#isPlanned = false;
    this.#isAllChanged = false;
    for (const topic of topics) {
      this.#changed.delete(topic);
      const waiting = this.#waiting.get(topic);
      this.#rest(topic, waiting?.size ?? 0, nowMs);
      for (const each of waiting ?? []) each.wake();
    }
    if (this.#changed.size > 0) this.#plan();
  }

  #rest(topic: string, count: number, nowMs: number): void {
    const restMs = Math.min(count * REST_MS_EACH, REST_MS_MAX);
    if (restMs > COALESCE_MS) this.#restUntilMs.set(topic, nowMs + restMs);
    else this.#restUntilMs.delete(topic);
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
