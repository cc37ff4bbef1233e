// timeout: 120s
/**
 * 64 MiB each way through two sidecars with mutual TLS, as raw TCP and over HTTP, with readers that
 * pause: every byte arrives in its place, and neither sidecar keeps what it cannot pass on.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { later } from "../support/later.ts";
import { startMtlsPair } from "../support/mtls-pair.ts";
import { makeMesh } from "../support/mtls-rig.ts";
import { suite } from "../support/test.ts";
import { residentMiB } from "../support/tool.ts";

const test = suite("proxy/mtls-bulk");
test.timeout(60_000);
const mesh = await makeMesh();

const TOTAL_BYTES = 64 << 20;
const PIECE_BYTES = 1 << 16;
/** Of two socket buffers, a read and a queue each way there is far less. */
const GROWTH_MIB_MAX = 96;

/** No two places within 16 MiB have the same four bytes before and behind. */
function pieceAt(at: number): Buffer {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let i = 0; i < PIECE_BYTES; i += 4)
    piece.writeUInt32LE(((at + i) * 2_654_435_761) % 2 ** 32, i);
  return piece;
}

/** Sends it up to `end` as fast as it is taken. */
function pour(socket: Socket, end: number, done: () => void): void {
  let at = 0;
  const go = (): void => {
    while (at < end) {
      const isTaken = socket.write(pieceAt(at));
      at += PIECE_BYTES;
      if (!isTaken) {
        socket.once("drain", go);
        return;
      }
    }
    done();
  };
  go();
}

/** Compares what comes with what must, and stops reading now and then. */
class Check {
  bytes = 0;
  wrongAt = -1;
  onWhole: () => void = () => {};
  #rest: Buffer = Buffer.alloc(0);
  #pauses = 0;

  constructor(socket: Socket, skip: (chunk: Buffer) => Buffer = (chunk) => chunk) {
    socket.on("data", (chunk: Buffer) => {
      this.#take(skip(chunk));
      if (this.bytes < (this.#pauses + 1) * (8 << 20)) return;
      this.#pauses++;
      socket.pause();
      later(100, () => socket.resume());
    });
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= PIECE_BYTES || this.bytes + this.#rest.length === TOTAL_BYTES) {
      if (this.#rest.length === 0) return;
      const piece = this.#rest.subarray(0, PIECE_BYTES);
      const isRight = piece.equals(pieceAt(this.bytes).subarray(0, piece.length));
      if (!isRight && this.wrongAt < 0) this.wrongAt = this.bytes;
      this.bytes += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
      if (this.bytes === TOTAL_BYTES) this.onWhole();
    }
  }
}

async function listening(serve: (socket: Socket) => void): Promise<[Server, number]> {
  const server = createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  return [server, typeof at === "object" && at !== null ? at.port : 0];
}

const RESPONSE = `HTTP/1.1 200 OK\r\nContent-Length: ${TOTAL_BYTES}\r\n\r\n`;
const REQUEST = `POST / HTTP/1.1\r\nHost: web\r\nContent-Length: ${TOTAL_BYTES}\r\n\r\n`;

/** Takes a head off the front of a stream. */
function pastHead(): (chunk: Buffer) => Buffer {
  let head: string | null = "";
  return (chunk) => {
    if (head === null) return chunk;
    head += chunk.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return Buffer.alloc(0);
    const rest = Buffer.from(head.slice(end + 4), "latin1");
    head = null;
    return rest;
  };
}

for (const isHttp of [false, true]) {
  test(`64 MiB both ways at once arrive whole, ${isHttp ? "over HTTP" : "as raw TCP"}`, async () => {
    const atServer: Check[] = [];
    const [server, port] = await listening((socket) => {
      socket.on("error", () => {});
      const past = isHttp ? pastHead() : undefined;
      atServer.push(past === undefined ? new Check(socket) : new Check(socket, past));
      if (isHttp) socket.write(RESPONSE);
      const check = atServer.at(-1);
      const last = TOTAL_BYTES - PIECE_BYTES;
      // A response that is whole before its request is ends both: its last piece is held back.
      if (isHttp && check !== undefined) check.onWhole = () => socket.write(pieceAt(last));
      pour(socket, isHttp ? last : TOTAL_BYTES, () => {
        if (!isHttp) socket.end();
      });
    });
    const pair = await startMtlsPair(port, { mesh });
    const before = [pair.near, pair.far].map(residentMiB);
    const client = connect({
      port: isHttp ? pair.port : pair.forward,
      host: "127.0.0.1",
      allowHalfOpen: true,
    });
    client.on("error", () => {});
    const past = isHttp ? pastHead() : undefined;
    const atClient = past === undefined ? new Check(client) : new Check(client, past);
    if (isHttp) client.write(REQUEST);
    pour(client, TOTAL_BYTES, () => {
      if (!isHttp) client.end();
    });
    let peak = [0, 0];
    await eventually(
      () => {
        peak = [pair.near, pair.far].map((program, i) =>
          Math.max(peak[i] ?? 0, residentMiB(program)),
        );
        return atClient.bytes === TOTAL_BYTES && atServer[0]?.bytes === TOTAL_BYTES;
      },
      { withinMs: 50_000, what: "all bytes" },
    );
    assert.is(atClient.wrongAt, -1);
    assert.is(atServer[0]?.wrongAt, -1);
    for (const [i, mib] of peak.entries()) {
      const grownMiB = mib - (before[i] ?? 0);
      assert.ok(grownMiB < GROWTH_MIB_MAX, `${i === 0 ? "near" : "far"} grew by ${grownMiB} MiB`);
    }
    client.destroy();
    await pair.stop();
    server.close();
  });
}

test.run();
