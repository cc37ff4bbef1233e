/**
 * The one connection to the control plane that a sidecar keeps, and the calls that are wanted on it.
 *
 *   start, certificate ──▶ opening ──▶ open ──lost──▶ opening
 *                           ▲    └─failed─▶ resting ─┘
 *                           └──────────────────┘
 *
 * `connecting` is told until an attempt fails: a connection that is lost and found again within
 * milliseconds is nobody's concern. A new certificate, by which the control plane is to know us from
 * then on, makes a new connection; the old one is left when the calls are begun on the new one.
 */
import type { LinkState, StopWatching, Watcher } from "../discovery/mesh-source.ts";
import type { SetTimer } from "../identity/source.ts";
import { fullJitterMs } from "../lib/backoff.ts";
import type { Logger } from "../lib/log.ts";
import type { Credentials } from "../mesh/credentials.ts";
import type { RpcChannel } from "../rpc/client-handle.ts";
import { RpcError, Status } from "../rpc/status.ts";
import { LinkWatch, RETRY_MAX_MS, RETRY_MIN_MS } from "./link-watch.ts";

/** Thousands of sidecars renew when anchors change: they return one by one. */
const RENEWED_SPREAD_MAX_MS = 10_000;
/** … and long before the certificate ends that is in use. */
const RENEWED_SPREAD_SHARE = 0.05;
/** Lines that one outage may bring to the log; a reason may have something else in it each time. */
const REASONS_TOLD_MAX = 3;
const UINT32 = 0x1_0000_0000;

export type LinkOptions = {
  readonly connect: (credentials: Credentials) => Promise<RpcChannel>;
  /** The certificate in use; null: there is none yet. */
  readonly current: () => Credentials | null;
  /** When the control plane was there last, as a run before has kept it: milliseconds ago. */
  readonly awayMs: number;
  /** It is there now, or was until now. */
  readonly contact: () => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** 32 random bits. */
  readonly random: () => number;
  readonly setTimer: SetTimer;
  readonly log: Pick<Logger, "info" | "warn">;
};

export type LinkFigures = {
  readonly isConnected: boolean;
  /** Milliseconds since the control plane was there last, or since the start; 0 while it is. */
  readonly awayMs: number;
  /** Connections that were made, and attempts that came to nothing. */
  readonly connects: number;
  readonly failures: number;
  /** Why the last attempt failed; null when it did not. */
  readonly lastError: string | null;
};

export class ControlLink {
  readonly #options: LinkOptions;
  readonly #watches = new Set<LinkWatch>();
  readonly #listeners = new Set<() => void>();
  #channel: RpcChannel | null = null;
  /** Whose certificate the connection was made by. */
  #madeBy: Credentials | null = null;
  #state: LinkState = "connecting";
  #isOpening = false;
  #isStarted = false;
  #isStopped = false;
  #takeTimerBack: () => void = () => {};
  #failuresInRow = 0;
  #connects = 0;
  #failures = 0;
  #lastMs: number;
  #lastError: string | null = null;
  /** Why this outage goes on, as far as the log has it. */
  readonly #told = new Set<string>();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#lastMs = options.nowMs() - options.awayMs;
  }

  get state(): LinkState {
    return this.#state;
  }

  get figures(): LinkFigures {
    const isConnected = this.#channel !== null;
    return {
      isConnected,
      awayMs: isConnected ? 0 : this.#options.nowMs() - this.#lastMs,
      connects: this.#connects,
      failures: this.#failures,
      lastError: this.#lastError,
    };
  }

  /** Connects as soon as there is a certificate. */
  start(): void {
    this.#isStarted = true;
    this.renewed();
  }

  /** There is another certificate than before. */
  renewed(): void {
    const { current, random, setTimer } = this.#options;
    const credentials = current();
    if (!this.#isStarted || credentials === null || this.#isOpening) return;
    if (this.#channel === null) return void this.#open();
    if (this.#madeBy === credentials) return;
    const leftMs = Math.max(0, (this.#madeBy?.notAfterMs ?? 0) - Date.now());
    const spreadMs = Math.min(RENEWED_SPREAD_MAX_MS, leftMs * RENEWED_SPREAD_SHARE);
    this.#takeTimerBack();
    this.#takeTimerBack = setTimer((spreadMs * random()) / UINT32, () => void this.#open());
  }

  /** Calls back when `state` is another one. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Keeps a streaming call going until the function returned is called. */
  watch(method: string, request: Uint8Array, watcher: Watcher<Uint8Array>): StopWatching {
    const { random, setTimer, log } = this.#options;
    const watch = new LinkWatch({
      method,
      request,
      watcher,
      channel: () => this.#channel,
      heard: () => {
        this.#failuresInRow = 0;
      },
      random,
      setTimer,
      log,
    });
    this.#watches.add(watch);
    if (this.#channel !== null) watch.begin(this.#channel);
    return () => {
      this.#watches.delete(watch);
      watch.stop();
    };
  }

  /** One question. Rejects with RpcError, also when there is no connection. */
  async call(method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    if (this.#channel === null) throw new RpcError(Status.unavailable, "not connected");
    return await this.#channel.call(method, request, { timeoutMs });
  }

  stop(): void {
    if (this.#channel !== null) this.#options.contact();
    this.#isStopped = true;
    this.#takeTimerBack();
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    this.#channel?.close();
    this.#channel = null;
  }

  /** Never rejects. */
  async #open(): Promise<void> {
    const { connect, current } = this.#options;
    const credentials = current();
    if (this.#isOpening || this.#isStopped || credentials === null) return;
    this.#isOpening = true;
    this.#takeTimerBack();
    try {
      const channel = await connect(credentials);
      this.#isOpening = false;
      this.#opened(channel, credentials);
    } catch (error) {
      this.#isOpening = false;
      this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  #opened(channel: RpcChannel, credentials: Credentials): void {
    if (this.#isStopped) return channel.close();
    const former = this.#channel;
    this.#channel = channel;
    this.#madeBy = credentials;
    this.#connects += 1;
    this.#options.contact();
    this.#lastError = null;
    this.#told.clear();
    if (former === null) this.#options.log.info("connected to the control plane");
    for (const watch of this.#watches) watch.begin(channel);
    former?.close();
    void channel.closed.then((reason) => this.#closed(channel, reason));
    this.#enter("connected");
    // It may have been renewed while this one was made.
    this.renewed();
  }

  #closed(channel: RpcChannel, reason: string): void {
    if (this.#channel !== channel || this.#isStopped) return;
    this.#channel = null;
    this.#lastMs = this.#options.nowMs();
    this.#lastError = reason;
    this.#options.contact();
    this.#options.log.warn("the connection to the control plane is lost", { reason });
    this.#enter("connecting");
    this.#rest();
  }

  #failed(reason: string): void {
    if (this.#isStopped) return;
    this.#failures += 1;
    this.#lastError = reason;
    // One line for each outage, but that another one serves there now has to be seen.
    if (this.#channel === null && !this.#told.has(reason) && this.#told.size < REASONS_TOLD_MAX) {
      this.#told.add(reason);
      this.#options.log.warn("the control plane cannot be reached", { reason });
    }
    // The attempt may have been for a better connection than the one in use.
    if (this.#channel === null) this.#enter("away");
    this.#rest();
  }

  #rest(): void {
    const { random, setTimer } = this.#options;
    this.#failuresInRow += 1;
    const delayMs = fullJitterMs(this.#failuresInRow, RETRY_MIN_MS, RETRY_MAX_MS, random);
    this.#takeTimerBack();
    this.#takeTimerBack = setTimer(delayMs, () => void this.#open());
  }

  #enter(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
