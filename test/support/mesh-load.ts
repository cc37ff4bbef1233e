/**
 * Load for a mesh at a fixed rate: HTTP/1 and HTTP/2 by h2load, and opaque streams that each live for
 * a while, say something ten times a second and must hear it again. Failures are counted, none is
 * retried here.
 */
import { connect, type Socket } from "node:net";
import { findTool, runTool } from "./tool.ts";

export type LoadReport = {
  readonly http1: HttpReport;
  readonly http2: HttpReport;
  readonly streams: StreamReport;
};

export type HttpReport = {
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
  /** h2load's line. */
  readonly codes: string;
};

export type StreamReport = {
  opened: number;
  closedWell: number;
  messages: number;
  /** Reset, cut, or an echo that was wrong or did not come. */
  failures: string[];
};

const STREAMS = 20;
const WORD_EVERY_MS = 100;
const ECHO_WITHIN_MS = 5_000;
/** How long streams live: from a few renewals of 10 s certificates to several. */
const LIFE_MS = [2_000, 5_000, 15_000, 40_000] as const;

/** Runs `rate` requests a second, half of each version, and the streams, for `seconds`. */
export async function runMeshLoad(
  httpPort: number,
  tcpPort: number,
  rate: number,
  seconds: number,
): Promise<LoadReport> {
  const until = performance.now() + seconds * 1_000;
  const streams: StreamReport = { opened: 0, closedWell: 0, messages: 0, failures: [] };
  const [http1, http2] = await Promise.all([
    h2load(httpPort, rate / 2, seconds, ["--h1"]),
    h2load(httpPort, rate / 2, seconds, []),
    ...Array.from({ length: STREAMS }, (_, i) => keepStreams(tcpPort, until, i, streams)),
  ]);
  return { http1, http2, streams };
}

/** Asks for `http://web/` at a rate, over 10 connections, each at a tenth of it. */
export async function h2load(
  port: number,
  rate: number,
  seconds: number,
  flags: readonly string[],
): Promise<HttpReport> {
  const path = findTool("h2load");
  if (path === null) throw new Error("h2load is missing: install nghttp2-client");
  const clients = 10;
  const { output } = await runTool(path, [
    ...flags,
    `--rps=${rate / clients}`,
    `-c${clients}`,
    "-m10",
    `-n${rate * seconds}`,
    "--connect-to",
    `127.0.0.1:${port}`,
    "http://web/",
  ]);
  const [, total = "0", failed = "0"] = /requests: (\d+) total,.* (\d+) failed,/.exec(output) ?? [];
  const [, ok = "0"] = /status codes: (\d+) 2xx/.exec(output) ?? [];
  if (total === "0") throw new Error(`h2load told nothing: ${output}`);
  const codes = /status codes: .*/.exec(output)?.[0] ?? "";
  return { sent: Number(total), ok: Number(ok), failed: Number(failed), codes };
}

async function keepStreams(
  port: number,
  until: number,
  lane: number,
  report: StreamReport,
): Promise<void> {
  for (let turn = lane; performance.now() < until; turn++) {
    const lifeMs = Math.min(LIFE_MS[turn % LIFE_MS.length] ?? 0, until - performance.now());
    report.opened++;
    const failure = await oneStream(port, lifeMs, () => report.messages++);
    if (failure === null) report.closedWell++;
    else report.failures.push(failure);
  }
}

/** One stream's life. Resolves with what went wrong, or null. */
function oneStream(port: number, lifeMs: number, said: () => void): Promise<string | null> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: "127.0.0.1", port });
    const endMs = performance.now() + lifeMs;
    let sent = "";
    let heard = "";
    let lastHeardMs = performance.now();
    const settle = (failure: string | null): void => {
      clearInterval(timer);
      socket.destroy();
      resolve(failure);
    };
    const timer = setInterval(() => {
      if (heard !== sent.slice(0, heard.length)) return settle("a wrong echo");
      if (heard.length < sent.length && performance.now() - lastHeardMs > ECHO_WITHIN_MS) {
        return settle("no echo");
      }
      if (performance.now() >= endMs) return void socket.end();
      const word = `word ${sent.length} `;
      sent += word;
      socket.write(word);
      said();
    }, WORD_EVERY_MS);
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
      lastHeardMs = performance.now();
    });
    socket.on("end", () => settle(heard === sent ? null : "ended early"));
    socket.on("error", (error) => settle(error.message));
  });
}
