/** One streaming call to the control plane that is wanted for long: begun again whenever it ends. */
import type { Refusal, Watcher } from "../discovery/mesh-source.ts";
import type { SetTimer } from "../identity/source.ts";
import { fullJitterMs } from "../lib/backoff.ts";
import type { Logger } from "../lib/log.ts";
import type { RpcChannel } from "../rpc/client-handle.ts";
import { RpcError, Status } from "../rpc/status.ts";

/** Between two attempts; also of the link's to connect. */
export const RETRY_MIN_MS = 100;
export const RETRY_MAX_MS = 10_000;

export type LinkWatchOptions = {
  readonly method: string;
  readonly request: Uint8Array;
  readonly watcher: Watcher<Uint8Array>;
  /** The connection in use; null without one. */
  readonly channel: () => RpcChannel | null;
  /** The control plane has said something. */
  readonly heard: () => void;
  /** 32 random bits. */
  readonly random: () => number;
  readonly setTimer: SetTimer;
  readonly log: Pick<Logger, "warn">;
};

export class LinkWatch {
  readonly #options: LinkWatchOptions;
  #call: AbortController | null = null;
  #failures = 0;
  #takeTimerBack: () => void = () => {};

  constructor(options: LinkWatchOptions) {
    this.#options = options;
  }

  /** Begins the call on a connection, and ends the one on the connection before. */
  begin(channel: RpcChannel): void {
    this.#takeTimerBack();
    const former = this.#call;
    const call = new AbortController();
    this.#call = call;
    void this.#read(channel, call.signal);
    former?.abort();
  }

  stop(): void {
    this.#takeTimerBack();
    this.#call?.abort();
    this.#call = null;
  }

  /** Never rejects. */
  async #read(channel: RpcChannel, signal: AbortSignal): Promise<void> {
    const { method, request, watcher, heard, log } = this.#options;
    let end: RpcError | null = null;
    try {
      let isFirst = true;
      for await (const message of channel.stream(method, request, { timeoutMs: null, signal })) {
        if (signal.aborted) return;
        heard();
        watcher.onMessage(message, isFirst);
        isFirst = false;
        this.#failures = 0;
      }
    } catch (error) {
      if (error instanceof RpcError) end = error;
      else log.warn("an answer of the control plane makes no sense", { method, error });
    }
    if (!signal.aborted) this.#ended(channel, end);
  }

  #ended(channel: RpcChannel, end: RpcError | null): void {
    this.#call = null;
    const { watcher, random, setTimer } = this.#options;
    // Calls that end with their connection are begun again with the next one.
    if (this.#options.channel() !== channel || !channel.isOpen) return;
    const isWanted = watcher.onRefused(refusalOf(end), end?.message ?? "the answer ended");
    if (!isWanted) return;
    this.#failures += 1;
    const delayMs = fullJitterMs(this.#failures, RETRY_MIN_MS, RETRY_MAX_MS, random);
    this.#takeTimerBack = setTimer(delayMs, () => {
      const now = this.#options.channel();
      if (now !== null && this.#call === null) this.begin(now);
    });
  }
}

function refusalOf(end: RpcError | null): Refusal {
  switch (end?.status) {
    case Status.notFound:
      return "unknown";
    // Linkerd's proxies ask no more after these either.
    case Status.invalidArgument:
    case Status.failedPrecondition:
    case Status.unimplemented:
      return "invalid";
    case Status.permissionDenied:
    case Status.unauthenticated:
      return "denied";
    default:
      return "failed";
  }
}
