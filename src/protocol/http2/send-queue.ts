/** The streams of a connection that can send, each once, in the order of their turns. */
import type { Http2Stream } from "./stream.ts";

export class SendQueue {
  #first: Http2Stream | null = null;
  #last: Http2Stream | null = null;

  push(stream: Http2Stream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    stream.next = null;
    if (this.#last === null) this.#first = stream;
    else this.#last.next = stream;
    this.#last = stream;
  }

  /** Puts one that was taken back to the front. */
  unshift(stream: Http2Stream): void {
    stream.isQueued = true;
    stream.next = this.#first;
    this.#first = stream;
    this.#last ??= stream;
  }

  shift(): Http2Stream | null {
    const stream = this.#first;
    if (stream === null) return null;
    this.#first = stream.next;
    if (this.#first === null) this.#last = null;
    stream.next = null;
    stream.isQueued = false;
    return stream;
  }

  /** Takes one out that is cut. As many steps as streams wait, a thousand at the most. */
  remove(stream: Http2Stream): void {
    if (!stream.isQueued) return;
    if (this.#first === stream) {
      this.shift();
      return;
    }
    let before = this.#first;
    while (before !== null && before.next !== stream) before = before.next;
    if (before === null) return;
    before.next = stream.next;
    if (this.#last === stream) this.#last = before;
    stream.next = null;
    stream.isQueued = false;
  }
}
