/**
 * HTTP/1 requests through a proxy on a fixed schedule, whether or not earlier ones were answered, over
 * kept connections. Nothing is retried here: what a client is told is what counts.
 */
import { connect, type Socket } from "node:net";

export type Failure = { readonly method: string; readonly why: string };

export type SteadyReport = {
  sent: number;
  ok: number;
  readonly failures: Failure[];
  /** Milliseconds from when each was due to its answer, of those that were answered well. */
  readonly latenciesMs: number[];
};

export type SteadyLoad = {
  readonly report: SteadyReport;
  /** Methods of the requests that have waited for `leastMs`. */
  waiting(leastMs: number): string[];
  /** Sends no more; resolves when all were answered or failed. */
  stop(): Promise<SteadyReport>;
};

/** One in four cannot be repeated by whoever does not know what it does. */
const METHODS = ["GET", "GET", "PUT", "POST"] as const;
const TURN_MS = 2;
/** Why a request failed that got no answer. */
export const NO_ANSWER = "no answer";
/** Then it counts as failed; longer than any wait of the proxy's. */
const ANSWER_MS = 15_000;

class Lane {
  readonly #port: number;
  readonly #done: (lane: Lane, why: string | null) => void;
  #socket: Socket | null = null;
  #text = "";
  #timer: ReturnType<typeof setTimeout> | null = null;
  method = "";
  dueMs = 0;

  constructor(port: number, done: (lane: Lane, why: string | null) => void) {
    this.#port = port;
    this.#done = done;
  }

  ask(host: string, method: string, dueMs: number): void {
    this.method = method;
    this.dueMs = dueMs;
    this.#text = "";
    this.#timer = setTimeout(() => this.#end(NO_ANSWER), ANSWER_MS);
    const body = method === "GET" ? "" : "Content-Length: 2\r\n";
    const content = method === "GET" ? "" : "hi";
    this.#open().write(`${method} / HTTP/1.1\r\nHost: ${host}\r\n${body}\r\n${content}`);
  }

  close(): void {
    this.#socket?.destroy();
  }

  get isWaiting(): boolean {
    return this.#timer !== null;
  }

  #open(): Socket {
    if (this.#socket !== null) return this.#socket;
    const socket = connect({ host: "127.0.0.1", port: this.#port, noDelay: true });
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
      const head = this.#text.indexOf("\r\n\r\n");
      if (head === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1] ?? 0);
      if (this.#text.length < head + 4 + length) return;
      const status = this.#text.slice(9, 12);
      const told = /l5d-proxy-error: ([^\r]*)/i.exec(this.#text)?.[1] ?? "the backend's";
      if (/\r\nconnection: close/i.test(this.#text)) this.#drop();
      this.#end(status === "200" ? null : `${status} ${told}`);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#end("cut");
    });
    return socket;
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
  }

  #end(why: string | null): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    if (why === NO_ANSWER) this.#drop();
    this.#done(this, why);
  }
}

/** Asks for `http://host/` at `rate` a second until it is stopped. */
export function steadyLoad(port: number, host: string, rate: number): SteadyLoad {
  const report: SteadyReport = { sent: 0, ok: 0, failures: [], latenciesMs: [] };
  const idle: Lane[] = [];
  const lanes: Lane[] = [];
  const startMs = performance.now();
  let settled = 0;
  let over: (() => void) | null = null;
  const onDone = (lane: Lane, why: string | null): void => {
    settled++;
    idle.push(lane);
    if (why === null) {
      report.ok++;
      report.latenciesMs.push(performance.now() - lane.dueMs);
    } else report.failures.push({ method: lane.method, why });
    if (settled === report.sent) over?.();
  };
  const timer = setInterval(() => {
    for (;;) {
      const dueMs = startMs + (report.sent * 1_000) / rate;
      if (dueMs > performance.now()) return;
      let lane = idle.pop();
      if (lane === undefined) {
        lane = new Lane(port, onDone);
        lanes.push(lane);
      }
      lane.ask(host, METHODS[report.sent++ % METHODS.length] ?? "GET", dueMs);
    }
  }, TURN_MS);
  return {
    report,
    waiting: (leastMs) => {
      const dueMs = performance.now() - leastMs;
      return lanes
        .filter((lane) => lane.isWaiting && lane.dueMs < dueMs)
        .map(({ method }) => method);
    },
    stop: async () => {
      clearInterval(timer);
      if (settled < report.sent) await new Promise<void>((resolve) => (over = resolve));
      for (const lane of lanes) lane.close();
      return report;
    },
  };
}
