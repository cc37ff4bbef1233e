/**
 * Whether the application accepts connections, found out by connecting: often until it does and once it
 * has refused, else now and then. One refusal is no outage: only several in a row count.
 */
import { connect } from "node:net";
import type { SetTimer } from "../identity/source.ts";
import { formatIp, type SocketAddress } from "../mesh/address.ts";

/** An application that starts is not kept waiting. */
export const PROBE_START_MS = 250;
export const PROBE_MS = 2_000;
/** A moment in which one process takes a port over from another; requests that come fail meanwhile. */
export const REFUSALS_MAX = 3;
/** The application is on this machine, or beside it. */
const CONNECT_MS = 1_000;

export type AppProbeOptions = {
  readonly app: SocketAddress;
  /** Is told each time it begins or ceases to accept. */
  readonly changed: (isAccepting: boolean) => void;
  readonly setTimer: SetTimer;
};

export class AppProbe {
  readonly #options: AppProbeOptions;
  #isAccepting = false;
  #refusals = 0;
  #isStopped = false;
  #takeTimerBack: () => void = () => {};

  constructor(options: AppProbeOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#probe();
  }

  stop(): void {
    this.#isStopped = true;
    this.#takeTimerBack();
  }

  /** Never rejects. */
  async #probe(): Promise<void> {
    const accepts = await acceptsConnection(this.#options.app);
    if (this.#isStopped) return;
    this.#refusals = accepts ? 0 : this.#refusals + 1;
    const isAccepting = accepts || (this.#isAccepting && this.#refusals < REFUSALS_MAX);
    if (isAccepting !== this.#isAccepting) {
      this.#isAccepting = isAccepting;
      this.#options.changed(isAccepting);
    }
    const delayMs = accepts ? PROBE_MS : PROBE_START_MS;
    this.#takeTimerBack = this.#options.setTimer(delayMs, () => void this.#probe());
  }
}

function acceptsConnection({ ip, port }: SocketAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: formatIp(ip), port });
    const end = (accepts: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(accepts);
    };
    const timer = setTimeout(() => end(false), CONNECT_MS);
    socket.on("connect", () => end(true));
    socket.on("error", () => end(false));
  });
}
