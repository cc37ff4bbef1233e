/**
 * Some 200 requests a second over HTTP/1 and HTTP/2 and messages on one opaque stream, for as long as
 * a test does something else, with the proof that not one of them failed.
 */
import { connect, type Socket } from "node:net";
import { eventually } from "./eventually.ts";
import { Http2Peer } from "./http2-peer.ts";
import { later } from "./later.ts";

/** Of each kind: together some 200 a second. */
const EVERY_MS = 15;
const WITHIN_MS = 5_000;

export type Load = {
  readonly http1: number;
  readonly http2: number;
  readonly opaque: number;
  readonly failures: readonly string[];
};

export type RunningLoad = Load & {
  /** Lets what is under way come to its end. */
  stop(): Promise<Load>;
};

/** `port` takes HTTP for the service `web`; `forward` leads to something that echoes. */
export async function startLoad(port: number, forward: number): Promise<RunningLoad> {
  const load = { http1: 0, http2: 0, opaque: 0, failures: [] as string[] };
  let isStopping = false;
  const lane = async (what: string, once: () => Promise<void>): Promise<void> => {
    while (!isStopping) {
      const started = once().catch((error: unknown) => {
        load.failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      });
      await Promise.all([started, new Promise<void>((resolve) => later(EVERY_MS, resolve))]);
    }
  };
  const http1 = await Stream.open(port);
  const http2 = await Http2Peer.connect(port);
  const opaque = await Stream.open(forward);
  const lanes = [
    lane("HTTP/1", async () => {
      await http1.ask(`GET /${load.http1} HTTP/1.1\r\nHost: web\r\n\r\n`, (text) =>
        /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nok$/.test(text),
      );
      load.http1++;
    }),
    lane("HTTP/2", async () => {
      const stream = await http2.over(http2.get(`/${load.http2}`), WITHIN_MS);
      if (stream.status !== 200 || stream.resetCode !== null) {
        throw new Error(`${stream.outcome}, ${http2.describe()}`);
      }
      load.http2++;
    }),
    lane("opaque", async () => {
      const message = `\x01message ${load.opaque}\n`;
      await opaque.ask(message, (text) => text === message);
      load.opaque++;
    }),
  ];
  return Object.assign(load, {
    stop: async (): Promise<Load> => {
      isStopping = true;
      await Promise.all(lanes);
      for (const stream of [http1, opaque]) stream.socket.destroy();
      http2.close();
      return load;
    },
  });
}

/** One connection for all: were it ever cut, every later question fails. */
class Stream {
  readonly socket: Socket;
  #text = "";
  #end: string | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
    });
    for (const event of ["error", "end", "close"]) {
      socket.on(event, () => {
        this.#end ??= event;
      });
    }
  }

  static open(port: number): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new Stream(socket)));
    });
  }

  async ask(question: string, isAnswer: (text: string) => boolean): Promise<void> {
    this.#text = "";
    this.socket.write(Buffer.from(question, "latin1"));
    await eventually(
      () => {
        if (this.#end !== null) throw new Error(`the connection was ended: ${this.#end}`);
        return isAnswer(this.#text);
      },
      { withinMs: WITHIN_MS, what: `the answer to ${question.trim()}` },
    );
  }
}
