/** The process of a crowd: many HTTP/1 connections, each with one request answered at its opening and
 * then kept, so that the proxy has all it keeps for a client.
 *
 * Arguments: a JSON object (CrowdSettings). Each line on stdin is a command, answered by one line:
 * `open` opens all, `openingAtOnce` at a time, and answers when each has its answer or has failed;
 * `ask N` sends a request on N of them, evenly chosen, one after the other; `close` closes all. Every
 * answer is a JSON object. Ends with stdin. */
import net from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { numberAt, parseObject, textAt } from "../json.ts";
import { percentile, sorted } from "../stats.ts";
import { type AnswerReader, answerReader } from "./answer-reader.ts";

const ANSWER_TIMEOUT_MS = 20_000; // a crowd that comes at once may wait for its turn, but not for ever
const REQUEST_HEAD = "HTTP/1.1\r\nHost: ";

const settings = parseObject(process.argv[2] ?? "") ?? {};
const postBytes = numberAt(settings, "postBytes");
const request = Buffer.from(
  postBytes === 0
    ? `GET / ${REQUEST_HEAD}${textAt(settings, "host")}\r\n\r\n`
    : `POST / ${REQUEST_HEAD}${textAt(settings, "host")}\r\nContent-Length: ${postBytes}\r\n\r\n` +
        "x".repeat(postBytes),
);

interface Member {
  readonly socket: net.Socket;
  readonly reader: AnswerReader;
  isOpen: boolean;
  /** Called once, with whether the request under way was answered well. */
  settle: ((isOk: boolean) => void) | null;
}

const crowd: Member[] = [];

const commands = createInterface({ input: process.stdin });
commands.on("close", () => process.exit(0));
for await (const line of commands) {
  const [command, count] = line.split(" ");
  const answer = command === "ask" ? await ask(Number(count)) : await openOrClose(command);
  console.log(JSON.stringify(answer));
}

async function openOrClose(command: string | undefined): Promise<object> {
  return command === "open" ? { failed: await openAll() } : await closeAll();
}

/** Returns how many could not be opened, or got no good answer. */
async function openAll(): Promise<number> {
  let left = numberAt(settings, "connections");
  let failed = 0;
  const openNext = async (): Promise<void> => {
    while (left > 0) {
      left--;
      // Not `failed += await …`: that adds to what it was before the wait, and the others count too.
      const isOk = await openOne();
      failed += isOk ? 0 : 1;
    }
  };
  await Promise.all(Array.from({ length: numberAt(settings, "openingAtOnce") }, openNext));
  return failed;
}

function openOne(): Promise<boolean> {
  const socket = net.connect({ host: "127.0.0.1", port: numberAt(settings, "port") });
  const reader = answerReader(numberAt(settings, "bodyBytes"));
  const member: Member = { socket, reader, isOpen: true, settle: null };
  crowd.push(member);
  socket.on("data", (chunk: Buffer) => {
    const answer = member.reader.push(chunk);
    if (answer !== "incomplete") {
      member.settle?.(answer === "ok");
    }
  });
  socket.on("error", () => {}); // `close` follows
  socket.on("close", () => {
    member.isOpen = false;
    member.settle?.(false);
  });
  return exchange(member);
}

/** Sends the request; what is written before the connection stands is sent then. */
function exchange(member: Member): Promise<boolean> {
  if (!member.isOpen) {
    return Promise.resolve(false);
  }
  return new Promise((resolve) => {
    const bound = setTimeout(() => member.settle?.(false), ANSWER_TIMEOUT_MS);
    member.settle = (isOk) => {
      clearTimeout(bound);
      member.settle = null;
      resolve(isOk);
    };
    member.socket.write(request);
  });
}

async function ask(count: number): Promise<object> {
  const latencies: number[] = [];
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const member = crowd[Math.floor((i * crowd.length) / count)];
    const sinceMs = performance.now();
    const isOk = member !== undefined && (await exchange(member));
    failed += isOk ? 0 : 1;
    latencies.push(performance.now() - sinceMs);
  }
  const ascending = sorted(latencies);
  return { failed, p50Ms: percentile(ascending, 50), maxMs: percentile(ascending, 100) };
}

/** Tells how many were closed before by the other side. */
async function closeAll(): Promise<object> {
  const open = crowd.filter((member) => member.isOpen);
  const lost = crowd.length - open.length;
  await Promise.all(
    open.map(
      (member) =>
        new Promise<void>((resolve) => {
          member.socket.once("close", () => resolve());
          member.socket.destroy();
        }),
    ),
  );
  crowd.length = 0;
  return { lost };
}
