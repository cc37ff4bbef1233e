/** The process of the mutual TLS load, closed loop, HTTP/1 over TLS 1.3 with a client certificate. Each
 * of its connections sends its next request when the last is answered; or, with `isClosing`, it is
 * opened anew for each request, always by a whole handshake: no session is ever offered again. The
 * proxy's certificate is not checked here, which makes a handshake a third cheaper for us; it was
 * when the proxy was awaited.
 *
 * Arguments: a JSON object (TlsSettings). Prints `begin` when the warm-up is over, and a JSON object
 * (percentiles in ms) at the end. */
import { readFileSync } from "node:fs";
import process from "node:process";
import tls from "node:tls";
import { numberAt, parseObject, textAt } from "../json.ts";
import { percentile, sorted } from "../stats.ts";
import { answerReader } from "./answer-reader.ts";

const CONNECTION_TIMEOUT_MS = 5_000; // silent for so long, it is stuck: an error, not a slow answer
const REOPEN_MS = 100; // after a connection that failed: a proxy that refuses must not be flooded

const settings = parseObject(process.argv[2] ?? "") ?? {};
const bodyBytes = numberAt(settings, "bodyBytes");
const isClosing = settings["isClosing"] === true;
const request = Buffer.from(
  `GET / HTTP/1.1\r\nHost: ${textAt(settings, "host")}\r\n${isClosing ? "Connection: close\r\n" : ""}\r\n`,
);
const options: tls.ConnectionOptions = {
  host: "127.0.0.1",
  port: numberAt(settings, "port"),
  servername: textAt(settings, "serverName"),
  rejectUnauthorized: false,
  // One for all connections: the files are parsed once.
  secureContext: tls.createSecureContext({
    cert: readFileSync(textAt(settings, "certificate")),
    key: readFileSync(textAt(settings, "key")),
    minVersion: "TLSv1.3",
    ecdhCurve: "X25519", // the same for all, and no key of ML-KEM made that nobody uses
  }),
};

let latencies: number[] = [];
let errors = 0;
for (let i = 0; i < numberAt(settings, "connections"); i++) {
  open();
}
setTimeout(begin, numberAt(settings, "warmUpMs"));

function open(): void {
  let sinceMs = performance.now(); // a new connection's latency has its handshake in it
  let isAnswered = false;
  const reader = answerReader(bodyBytes);
  const socket = tls.connect(options);
  const send = (): void => {
    isAnswered = false;
    socket.write(request);
  };
  socket.setNoDelay(true);
  socket.setTimeout(CONNECTION_TIMEOUT_MS, () => socket.destroy());
  socket.once("secureConnect", () => {
    if (!isClosing) {
      sinceMs = performance.now();
    }
    send();
  });
  socket.on("data", (chunk: Buffer) => {
    const answer = isAnswered ? "not-ok" : reader.push(chunk);
    if (answer === "incomplete") {
      return;
    }
    if (answer === "not-ok") {
      socket.destroy();
      return;
    }
    const nowMs = performance.now();
    latencies.push(nowMs - sinceMs);
    isAnswered = true;
    if (!isClosing) {
      sinceMs = nowMs;
      send();
    }
  });
  socket.on("error", () => {}); // `close` follows
  socket.once("close", () => {
    if (isClosing && isAnswered) {
      open();
      return;
    }
    errors++;
    setTimeout(open, REOPEN_MS);
  });
}

function begin(): void {
  console.log("begin");
  latencies = [];
  const begunMs = performance.now();
  setTimeout(finish, numberAt(settings, "measuredMs"), begunMs);
}

function finish(begunMs: number): void {
  const elapsedMs = performance.now() - begunMs;
  const measured = sorted(latencies);
  console.log(
    JSON.stringify({
      requests: measured.length,
      requestsPerSecond: measured.length / (elapsedMs / 1_000),
      p50Ms: percentile(measured, 50),
      p99Ms: percentile(measured, 99),
      p999Ms: percentile(measured, 99.9),
      maxMs: percentile(measured, 100),
      errors,
    }),
  );
  process.exit(0);
}
