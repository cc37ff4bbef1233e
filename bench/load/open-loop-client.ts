/** The process of the open-loop load: requests are due on a fixed schedule, whether or not earlier ones
 * were answered, and a latency counts from the moment the request was due. So a stall is charged to
 * every request that should have been sent in it (no coordinated omission), our own stalls too.
 *
 * Arguments: a JSON object (OpenLoopSettings). Prints `begin` when the warm-up is over, and a JSON
 * object (pairs of percentile and ms) at the end. */
import net from "node:net";
import process from "node:process";
import { numberAt, parseObject, textAt } from "../json.ts";
import { distributionOf } from "../percentiles.ts";
import { percentile } from "../stats.ts";
import { type AnswerReader, answerReader } from "./answer-reader.ts";

const DRAIN_MS = 3_000; // for the last answers; what is not there by then is an error
const RECONNECT_MS = 100;
const DOZE_MS = 0.05; // about 0.1 with what the kernel adds: at high rates no latency is finer than that
const SLEEP_MIN_MS = 3; // a shorter time is dozed away: timers have whole milliseconds, and may be one late
const AWAKE_MS = 2; // how long before the next request is due a sleep ends
const SPIN_MS = 0.15; // after a sleep the last of the time is spun away, longer than a doze may take
const dozeCell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

const settings = parseObject(process.argv[2] ?? "") ?? {};
const port = numberAt(settings, "port");
const bodyBytes = numberAt(settings, "bodyBytes");
const rate = numberAt(settings, "ratePerSecond");
const warmUpMs = numberAt(settings, "warmUpMs");
const requestBytes = Buffer.from(`GET / HTTP/1.1\r\nHost: ${textAt(settings, "host")}\r\n\r\n`);

const isSparse = 1_000 / rate >= SLEEP_MIN_MS;
const total = Math.ceil((rate / 1_000) * (warmUpMs + numberAt(settings, "measuredMs")));
const latencies = new Float64Array(total); // in the order of answers
const latenesses = new Float64Array(total); // how late the schedule itself was kept
let answered = 0;
let errors = 0;
let scheduled = 0; // requests that have become due
let sent = 0; // requests that found a connection; the rest of the scheduled ones wait in order
let hasBegun = false;

const idle: Connection[] = [];
const connections = await Promise.all(
  Array.from({ length: numberAt(settings, "connections") }, () => connect()),
);
idle.push(...connections);
const startMs = performance.now();
turn();

function dueMs(index: number): number {
  return startMs + (index * 1_000) / rate;
}

/** One turn: send what is due, wait for what is due next, let the runtime take in answers. At high
 * rates it dozes: a timer would wait for a whole millisecond, in which thirty requests become due, and
 * spinning would take the core from the origin. At low ones it sleeps, so that an answer wakes it at
 * once and is not found only after a doze, and spins for the last moment, which is little of the time. */
function turn(): void {
  const nowMs = performance.now();
  while (scheduled < total && dueMs(scheduled) <= nowMs) {
    latenesses[scheduled] = nowMs - dueMs(scheduled);
    scheduled++;
  }
  if (!hasBegun && nowMs >= startMs + warmUpMs) {
    hasBegun = true;
    console.log("begin");
  }
  sendScheduled();
  if (scheduled === total) {
    setTimeout(finish, DRAIN_MS); // unless the last answer comes earlier
    finishWhenComplete();
    return;
  }
  const aheadMs = dueMs(scheduled) - performance.now();
  if (aheadMs >= SLEEP_MIN_MS) {
    setTimeout(turn, Math.floor(aheadMs - AWAKE_MS));
    return;
  }
  if (!isSparse || aheadMs > SPIN_MS) {
    Atomics.wait(dozeCell, 0, 0, Math.min(DOZE_MS, Math.max(0, aheadMs)));
  }
  setImmediate(turn);
}

function sendScheduled(): void {
  while (sent < scheduled) {
    const connection = idle.shift();
    if (connection === undefined) {
      return;
    }
    connection.dueMs = dueMs(sent);
    connection.isBusy = true;
    sent++;
    connection.socket.write(requestBytes);
  }
}

interface Connection {
  socket: net.Socket;
  reader: AnswerReader;
  dueMs: number;
  isBusy: boolean;
}

async function connect(): Promise<Connection> {
  const connection: Connection = {
    socket: await open(),
    reader: answerReader(bodyBytes),
    dueMs: 0,
    isBusy: false,
  };
  attach(connection);
  return connection;
}

function attach(connection: Connection): void {
  connection.socket.on("data", (chunk: Buffer) => {
    const answer = connection.reader.push(chunk);
    if (answer === "incomplete" || !connection.isBusy) {
      return;
    }
    connection.isBusy = false;
    if (answer === "ok") {
      latencies[answered] = connection.dueMs < startMs + warmUpMs ? -1 : since(connection.dueMs);
    }
    settle(answer === "ok");
    idle.push(connection);
    sendScheduled();
  });
  connection.socket.on("error", () => {}); // `close` follows
  connection.socket.on("close", () => {
    if (connection.isBusy) {
      connection.isBusy = false;
      settle(false);
    }
    const index = idle.indexOf(connection);
    if (index !== -1) {
      idle.splice(index, 1);
    }
    setTimeout(reopen, RECONNECT_MS, connection).unref();
  });
}

async function reopen(connection: Connection): Promise<void> {
  try {
    connection.socket = await open();
  } catch {
    setTimeout(reopen, RECONNECT_MS, connection).unref();
    return;
  }
  connection.reader = answerReader(bodyBytes);
  attach(connection);
  idle.push(connection);
  sendScheduled();
}

function settle(isAnswered: boolean): void {
  if (isAnswered) {
    answered++;
  } else {
    errors++;
  }
  finishWhenComplete();
}

function since(thenMs: number): number {
  return performance.now() - thenMs;
}

function open(): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

function finishWhenComplete(): void {
  if (answered + errors >= total) {
    finish();
  }
}

function finish(): void {
  const measured = latencies
    .subarray(0, answered)
    .filter((latency) => latency >= 0)
    .sort();
  const lateness = latenesses.subarray(Math.floor((warmUpMs / 1_000) * rate)).sort();
  console.log(
    JSON.stringify({
      requests: measured.length,
      latenciesMs: distributionOf(measured),
      latenessP99Ms: percentile(lateness, 99),
      errors: errors + (total - answered - errors),
    }),
  );
  process.exit(0);
}
