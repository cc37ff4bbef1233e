/**
 * The answer of a streaming handler: its messages go out as they come, and the next is asked for only
 * while little waits for the client. By callbacks, not as an async function: there are tens of
 * thousands, most of them wait, and what each keeps meanwhile adds up.
 */
import { STREAM_QUEUED_BYTES_HIGH } from "./limits.ts";
import { PREFIX_BYTES } from "./message-reader.ts";
import type { SendRoom } from "./send-room.ts";

/** Who sends the messages on, by the call's number. */
export type AnswerOwner = {
  send(call: number, message: Uint8Array): void;
  /** The handler has said all; `error` is what it threw, undefined if nothing. Called once. */
  finish(call: number, error: unknown): void;
};

export class StreamedAnswer {
  readonly #call: number;
  readonly #owner: AnswerOwner;
  readonly #room: SendRoom;
  #iterator: AsyncIterator<Uint8Array> | null = null;
  /** Given to the connection and not taken by it. */
  #waitingBytes = 0;
  #takenBytes = 0;
  /** It does not ask, though it may be told more. */
  #isHeld = false;

  constructor(call: number, owner: AnswerOwner, room: SendRoom) {
    this.#call = call;
    this.#owner = owner;
    this.#room = room;
  }

  /** Sends what `messages` yields until it ends, or `cancel`, of which the owner is told nothing. */
  begin(messages: AsyncIterable<Uint8Array>): void {
    this.#iterator = messages[Symbol.asyncIterator]();
    this.#goOn();
  }

  /** Nobody wants more. A source that waits for news may end when it will. */
  cancel(): void {
    const iterator = this.#iterator;
    this.#close();
    iterator?.return?.().catch(() => {});
  }

  /** So many bytes in all have left the queue, prefixes included. */
  onDrained(takenBytes: number): void {
    if (this.#iterator === null) return;
    const count = takenBytes - this.#takenBytes;
    this.#takenBytes = takenBytes;
    this.#waitingBytes -= count;
    this.#room.give(count);
    if (this.#isHeld) this.#goOn();
  }

  /** The connection has room again. */
  onRoom(): void {
    if (this.#isHeld) this.#goOn();
  }

  /** Asks for the next message, or waits until there is room for it. */
  #goOn(): void {
    this.#isHeld = true;
    if (this.#waitingBytes > STREAM_QUEUED_BYTES_HIGH) return;
    if (this.#room.isFull) return this.#room.wait(this);
    this.#isHeld = false;
    this.#room.leave(this);
    this.#iterator?.next().then(
      (result) => this.#take(result),
      (error: unknown) => this.#finish(error),
    );
  }

  #take(result: IteratorResult<Uint8Array>): void {
    if (this.#iterator === null) return;
    if (result.done === true) return this.#finish(undefined);
    const count = PREFIX_BYTES + result.value.length;
    this.#waitingBytes += count;
    this.#room.take(count);
    this.#owner.send(this.#call, result.value);
    this.#goOn();
  }

  #finish(error: unknown): void {
    if (this.#iterator === null) return;
    this.#close();
    this.#owner.finish(this.#call, error);
  }

  #close(): void {
    if (this.#iterator === null) return;
    this.#iterator = null;
    this.#room.leave(this);
    this.#room.give(this.#waitingBytes);
    this.#waitingBytes = 0;
  }
}
