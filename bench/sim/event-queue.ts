/** What happens later, in order of time: a binary heap. */

interface Event {
  readonly atMs: number;
  readonly run: (atMs: number) => void;
}

export class EventQueue {
  readonly #heap: Event[] = [];

  add(atMs: number, run: (atMs: number) => void): void {
    const heap = this.#heap;
    const event = { atMs, run };
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.atMs <= atMs) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = event;
  }

  /** Runs what is due by `nowMs`. */
  runUntil(nowMs: number): void {
    for (;;) {
      const [first] = this.#heap;
      if (first === undefined || first.atMs > nowMs) return;
      this.#removeFirst();
      first.run(first.atMs);
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      const left = heap[child];
      const right = heap[child + 1];
      if (left === undefined) break;
      let least = left;
      if (right !== undefined && right.atMs < left.atMs) {
        child++;
        least = right;
      }
      if (least.atMs >= last.atMs) break;
      heap[place] = least;
      place = child;
    }
    heap[place] = last;
  }
}
