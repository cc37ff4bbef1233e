/**
 * The demo's clients: a fixed rate of requests through the sidecar, each timed from when it was due
 * (so that a stall shows), and one TCP echo a second. Bounded in rate, in time and in flight.
 */
import { Agent, request } from "node:http";
import { connect } from "node:net";

/** Requests that may be waited for at once; what would exceed it counts as failed. */
const IN_FLIGHT_MAX = 256;
const TICK_MS = 20;
const REQUEST_TIMEOUT_MS = 5_000;

export class Traffic {
  sent = 0;
  succeeded = 0;
  failed = 0;
  echoes = 0;
  readonly #latenciesMs: number[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT_MAX });
  readonly #ports: { readonly outbound: number; readonly echo: number };
  readonly #rate: number;
  #timers: ReturnType<typeof setInterval>[] = [];
  #inFlight = 0;
  #owed = 0;

  constructor(ports: { readonly outbound: number; readonly echo: number }, rate: number) {
    this.#ports = ports;
    this.#rate = rate;
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => this.#echo(), 1_000),
    ];
    this.#echo();
  }

  /** Stops, and waits for what is in flight. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const untilMs = performance.now() + REQUEST_TIMEOUT_MS;
    while (this.#inFlight > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    this.#agent.destroy();
  }

  /** Takes the latencies since the last call, sorted, milliseconds. */
  takeLatencies(): number[] {
    return this.#latenciesMs.splice(0).sort((a, b) => a - b);
  }

  #tick(): void {
    this.#owed += (this.#rate * TICK_MS) / 1e3;
    for (; this.#owed >= 1; this.#owed--) this.#request();
  }

  #request(): void {
    this.sent++;
    if (this.#inFlight >= IN_FLIGHT_MAX) {
      this.failed++;
      return;
    }
    this.#inFlight++;
    const startedMs = performance.now();
    let isOver = false;
    const over = (isSuccess: boolean): void => {
      if (isOver) return;
      isOver = true;
      this.#inFlight--;
      if (isSuccess) this.succeeded++;
      else this.failed++;
      this.#latenciesMs.push(performance.now() - startedMs);
    };
    const options = {
      host: "127.0.0.1",
      port: this.#ports.outbound,
      headers: { host: "web" },
      agent: this.#agent,
      timeout: REQUEST_TIMEOUT_MS,
    };
    const sent = request(options, (response) => {
      response.resume();
      response.on("end", () => over(response.statusCode === 200));
      response.on("error", () => over(false));
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => over(false));
    sent.end();
  }

  #echo(): void {
    const socket = connect(this.#ports.echo, "127.0.0.1", () => socket.write("hello\n"));
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("data", () => {
      this.echoes++;
      socket.end();
    });
  }
}
