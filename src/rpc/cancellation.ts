/** Whether a call is called off. Its AbortSignal, half a kilobyte, is made for who asks for it. */

export class Cancellation {
  isCancelled = false;
  #controller: AbortController | null = null;

  /** Aborted when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.isCancelled) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  cancel(): void {
    this.isCancelled = true;
    this.#controller?.abort();
  }
}
