/** Which threads have said that no connection to the application is left with them. */
export class InboundDrain {
  readonly #acceptor = Promise.withResolvers<void>();
  readonly #workers: PromiseWithResolvers<void>[];

  constructor(workers: number) {
    this.#workers = Array.from({ length: workers }, () => Promise.withResolvers<void>());
  }

  acceptorSaid(): void {
    this.#acceptor.resolve();
  }

  /** Also of the one that replaces a worker that died. */
  workerSaid(worker: number): void {
    this.#workers[worker]?.resolve();
  }

  async acceptor(): Promise<void> {
    await this.#acceptor.promise;
  }

  async workers(): Promise<void> {
    await Promise.all(this.#workers.map(({ promise }) => promise));
  }
}
