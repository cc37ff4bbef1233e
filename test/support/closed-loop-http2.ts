/**
 * HTTP/2 in a closed loop, without TLS: an origin that answers each request at once, and a client with
 * a number of streams that are asked for again when they are over. Bare, as closed-loop.ts is: blocks
 * are made once and what comes is cut into frames and not looked into.
 */
import type { Socket } from "node:net";
import { connected, listening, type Origin } from "./closed-loop.ts";
import { encodeFields, indexed, requestFields } from "./http2-fields.ts";
import * as frames from "./http2-frames.ts";

/** `:status: 200` of the static table (RFC 7541 Appendix A). */
const STATUS_200 = 8;
const ROOM = frames.windowUpdate(0, frames.WINDOW_BYTES_MAX - frames.WINDOW_DEFAULT_BYTES);

/** Answers every request that has no content with 200 and `content`. */
export function http2Origin(content: string): Promise<Origin> {
  const block = Buffer.concat([
    indexed(STATUS_200),
    encodeFields([["content-length", String(content.length)]]),
  ]);
  return listening((socket) => {
    const ends = new Ends(socket, frames.PREFACE.length, (stream) =>
      Buffer.concat([
        frames.headers(stream, block),
        frames.data(stream, content, frames.Flag.endStream),
      ]),
    );
    socket.write(Buffer.concat([frames.settings(), ROOM]));
    ends.begin();
  });
}

/** Calls `onEnd` for each stream that the other side ended, and writes what that returns. */
class Ends {
  readonly #socket: Socket;
  readonly #reader = new frames.FrameReader();
  readonly #onEnd: (stream: number) => Buffer | null;
  /** Bytes of the preface that are still to come. */
  #skip: number;

  constructor(socket: Socket, skip: number, onEnd: (stream: number) => Buffer | null) {
    this.#socket = socket;
    this.#skip = skip;
    this.#onEnd = onEnd;
  }

  begin(): void {
    this.#socket.on("data", (chunk: Buffer) => {
      const skipped = Math.min(this.#skip, chunk.length);
      this.#skip -= skipped;
      const out: Buffer[] = [];
      for (const { type, flags, stream } of this.#reader.push(chunk.subarray(skipped))) {
        const isAck = (flags & frames.Flag.ack) !== 0;
        if (type === frames.FrameType.settings && !isAck) out.push(frames.SETTINGS_ACK);
        const mayEnd = type === frames.FrameType.data || type === frames.FrameType.headers;
        if (!mayEnd || (flags & frames.Flag.endStream) === 0) continue;
        const answer = this.#onEnd(stream);
        if (answer !== null) out.push(answer);
      }
      // All that one read asked for goes out in one piece.
      if (out.length > 0) this.#socket.write(Buffer.concat(out));
    });
  }
}

/** One connection with `streams` requests at a time, all for the same. */
export class ClosedLoopHttp2 {
  /** Requests answered so far. */
  answered = 0;
  readonly #socket: Socket;
  readonly #streams: number;
  readonly #block: Buffer;
  #nextId = 1;
  #left = 0;
  #waiting = 0;
  #done: (error: Error | null) => void = () => {};

  private constructor(socket: Socket, streams: number, service: string) {
    this.#socket = socket;
    this.#streams = streams;
    this.#block = encodeFields(
      requestFields("/").map(([name, value]) => [name, name === ":authority" ? service : value]),
    );
    socket.on("close", () => this.#done(new Error("the connection was closed")));
    socket.write(Buffer.concat([frames.PREFACE, frames.settings(), ROOM]));
    new Ends(socket, 0, () => this.#ended()).begin();
  }

  static async open(port: number, streams: number, service: string): Promise<ClosedLoopHttp2> {
    return new ClosedLoopHttp2(await connected(port), streams, service);
  }

  /** Sends `requests` and waits until they were answered. */
  run(requests: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#left = requests;
      this.#done = (error) => (error === null ? resolve() : reject(error));
      const first = Array.from({ length: this.#streams }, () => this.#request());
      this.#socket.write(Buffer.concat(first.filter((each) => each !== null)));
    });
  }

  close(): void {
    this.#done = () => {};
    this.#socket.destroy();
  }

  #request(): Buffer | null {
    if (this.#left === 0) return null;
    this.#left--;
    this.#waiting++;
    const id = this.#nextId;
    this.#nextId += 2;
    const { endHeaders, endStream } = frames.Flag;
    return frames.headers(id, this.#block, endHeaders | endStream);
  }

  #ended(): Buffer | null {
    this.answered++;
    this.#waiting--;
    const next = this.#request();
    if (next === null && this.#waiting === 0) this.#done(null);
    return next;
  }
}
