/**
 * The load of an experiment: requests are due on a fixed schedule whether or not earlier ones were
 * answered, each to a sidecar at random, and a latency counts from the moment the request was due (no
 * coordinated omission). A connection carries one request at a time; there are as many as are needed.
 *
 * Arguments: a JSON object (LoadSettings). Prints one line when all is over: a LoadReport.
 */
import net from "node:net";
import process from "node:process";
import { xorshift32 } from "../../src/lib/random.ts";
import { GIVE_UP_MS } from "../sim/simulate.ts";
import { percentile } from "../stats.ts";

export interface LoadSettings {
  readonly ports: readonly number[];
  readonly host: string;
  /** When the experiment's clock is 0; requests before it warm up and are not told. */
  readonly beginEpochMs: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly ratePerSecond: number;
  readonly seed: number;
}

export interface LoadReport {
  /** [due, latency, status (0: none came)] of each request, milliseconds. */
  readonly told: readonly (readonly [number, number, number])[];
  /** How late the schedule itself was kept, at its 99th percentile. */
  readonly latenessP99Ms: number;
}

interface Connection {
  readonly socket: net.Socket;
  readonly port: number;
  kept: string;
  dueMs: number;
  isBusy: boolean;
  timer: ReturnType<typeof setTimeout> | null;
}

const settings = JSON.parse(process.argv[2] ?? "") as LoadSettings;
const request = `GET / HTTP/1.1\r\nHost: ${settings.host}\r\n\r\n`;
const random = xorshift32(settings.seed);
const total = Math.round(
  ((settings.warmUpMs + settings.measuredMs) * settings.ratePerSecond) / 1_000,
);
const idle = new Map<number, Connection[]>(settings.ports.map((port) => [port, []]));
const told: [number, number, number][] = [];
const latenesses: number[] = [];
/** performance.now() at which the experiment's clock is 0. */
const zeroMs = settings.beginEpochMs - Date.now() + performance.now();
let sent = 0;
let settled = 0;

function dueMs(index: number): number {
  return (index * 1_000) / settings.ratePerSecond - settings.warmUpMs;
}

function tick(): void {
  const nowMs = performance.now() - zeroMs;
  while (sent < total && dueMs(sent) <= nowMs) {
    latenesses.push(nowMs - dueMs(sent));
    send(dueMs(sent++));
  }
  if (sent < total) setTimeout(tick, Math.max(0, Math.min(1, dueMs(sent) - nowMs)));
}

function send(due: number): void {
  const port = settings.ports[random() % settings.ports.length] ?? 0;
  const connection = idle.get(port)?.pop() ?? connect(port);
  connection.dueMs = due;
  connection.isBusy = true;
  connection.timer = setTimeout(() => {
    settle(connection, 0);
    connection.socket.destroy();
  }, GIVE_UP_MS);
  connection.socket.write(request);
}

function connect(port: number): Connection {
  const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
  const connection: Connection = { socket, port, kept: "", dueMs: 0, isBusy: false, timer: null };
  socket.on("error", () => {}); // `close` follows
  socket.on("data", (chunk: Buffer) => read(connection, chunk.toString("latin1")));
  socket.on("close", () => {
    settle(connection, 0);
    const others = idle.get(port) ?? [];
    const place = others.indexOf(connection);
    if (place !== -1) others.splice(place, 1);
  });
  return connection;
}

function read(connection: Connection, text: string): void {
  connection.kept += text;
  const { kept } = connection;
  const end = kept.indexOf("\r\n\r\n");
  if (end === -1) return;
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(kept)?.[1] ?? Number.NaN);
  if (kept.length < end + 4 + length) return;
  connection.kept = "";
  settle(connection, Number(kept.slice(9, 12)));
  if (/\r\nconnection: *close/i.test(kept.slice(0, end))) connection.socket.destroy();
  else idle.get(connection.port)?.push(connection);
}

function settle(connection: Connection, status: number): void {
  if (!connection.isBusy) return;
  connection.isBusy = false;
  if (connection.timer !== null) clearTimeout(connection.timer);
  const latencyMs = performance.now() - zeroMs - connection.dueMs;
  if (connection.dueMs >= 0) told.push([connection.dueMs, latencyMs, status]);
  settled++;
  if (settled < total) return;
  const report: LoadReport = {
    told,
    latenessP99Ms: percentile(
      latenesses.sort((a, b) => a - b),
      99,
    ),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

setTimeout(tick, Math.max(0, zeroMs - settings.warmUpMs - performance.now()));
