/**
 * Streams that tell of changes: what there is to tell is asked for when the client has taken what it
 * was told before, so a slow one costs no memory and skips what is no longer true.
 */

/** Changes that happen within so long are told together: a service that starts is many. */
export const COALESCE_MS = 5;

/** Who waits for news of what: called when there may be some. */
export class Topics {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #changed = new Set<string>();
  readonly #later: (run: () => void) => void;
  #isAllChanged = false;
  #isPlanned = false;

  constructor(later: (run: () => void) => void = (run) => void setTimeout(run, COALESCE_MS)) {
    this.#later = later;
  }

  /** Returns what ends it. */
  subscribe(topic: string, wake: () => void): () => void {
    const waiting = this.#waiting.get(topic);
    if (waiting === undefined) this.#waiting.set(topic, new Set([wake]));
    else waiting.add(wake);
    return () => {
      const all = this.#waiting.get(topic);
      all?.delete(wake);
      if (all?.size === 0) this.#waiting.delete(topic);
    };
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
    for (const topic of topics) for (const wake of this.#waiting.get(topic) ?? []) wake();
  }
}

/** Has `wake` called whenever `next` may have something; returns what ends that. */
export type Subscribe = (wake: () => void) => () => void;

/**
 * Yields what `next` returns until that is null, then waits to be woken, until one of the `ends` is
 * aborted. Whoever aborts must not leave the generator unread: it looks when it is resumed.
 */
export async function* follow(
  next: () => Uint8Array | null,
  subscribe: Subscribe,
  ends: readonly AbortSignal[],
): AsyncGenerator<Uint8Array> {
  let wakeUp: () => void = () => {};
  const wake = (): void => wakeUp();
  const isOver = (): boolean => ends.some((end) => end.aborted);
  const unsubscribe = subscribe(wake);
  for (const end of ends) end.addEventListener("abort", wake);
  try {
    while (!isOver()) {
      const message = next();
      if (message !== null) {
        yield message;
        continue;
      }
      // Nothing happens between the question and the wait: both are of one turn.
      await new Promise<void>((resolve) => {
        wakeUp = resolve;
      });
    }
  } finally {
    unsubscribe();
    for (const end of ends) end.removeEventListener("abort", wake);
  }
}
