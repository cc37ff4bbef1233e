/**
 * The backends of an experiment, as one process: each is a port of its own and answers when a timer
 * says so, as in the article: no backend has a queue. How long it takes and whether it fails is what
 * the simulation draws from, bench/sim/worlds.ts.
 *
 * Arguments: a JSON object (BackendsSettings). Prints `ready`; reads a line `begin EPOCH_MS`, the time
 * at which the experiment's clock is 0; at the line `end` prints what came to whom: [[ms, backend], …].
 */
import net from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { xorshift32 } from "../../src/lib/random.ts";
import { GIVE_UP_MS } from "../sim/simulate.ts";
import { WORLDS, type WorldName } from "../sim/worlds.ts";

export interface BackendsSettings {
  readonly world: WorldName;
  readonly ports: readonly number[];
  readonly seed: number;
  /** How many times faster the experiment's clock runs than ours: 1 at the published scale. */
  readonly speed: number;
}

const HEAD_END = "\r\n\r\n";
const UINT32 = 0x1_0000_0000;

const settings = JSON.parse(process.argv[2] ?? "") as BackendsSettings;
const world = WORLDS[settings.world];
const random = xorshift32(settings.seed);
const inFlight = settings.ports.map(() => 0);
const hits: [number, number][] = [];
let beginMs = Number.POSITIVE_INFINITY;

function nowMs(): number {
  return beginMs === Number.POSITIVE_INFINITY ? -1e9 : Date.now() - beginMs;
}

function serve(socket: net.Socket, backend: number): void {
  let kept = "";
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    kept += chunk.toString("latin1");
    // Requests have no content.
    for (let end = kept.indexOf(HEAD_END); end !== -1; end = kept.indexOf(HEAD_END)) {
      kept = kept.slice(end + HEAD_END.length);
      answer(socket, backend);
    }
  });
}

function answer(socket: net.Socket, backend: number): void {
  const atMs = nowMs();
  hits.push([atMs, backend]);
  inFlight[backend] = (inFlight[backend] ?? 0) + 1;
  const unit = (): number => random() / UINT32;
  const given = world.answer(backend, atMs * settings.speed, unit, inFlight[backend] ?? 0);
  setTimeout(
    () => {
      inFlight[backend] = (inFlight[backend] ?? 0) - 1;
      if (given.latencyMs === Number.POSITIVE_INFINITY) return;
      const status = given.isFailure ? "503 Service Unavailable" : "200 OK";
      const body = String(backend).padStart(3, "0");
      socket.write(`HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    },
    Math.min(given.latencyMs, GIVE_UP_MS),
  );
}

await Promise.all(
  settings.ports.map(
    (port, backend) =>
      new Promise<void>((resolve) => {
        const server = net.createServer((socket) => serve(socket, backend));
        server.listen({ port, host: "127.0.0.1", backlog: 512 }, resolve);
      }),
  ),
);
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [word, value] = line.split(" ");
  if (word === "begin") beginMs = Number(value);
  if (word !== "end") continue;
  process.stdout.write(`${JSON.stringify(hits)}\n`, () => process.exit(0));
}
