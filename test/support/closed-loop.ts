/**
 * HTTP/1 in a closed loop: an origin that answers each request at once, in one piece, and clients that
 * ask again when they have their answer. Bare, so that it costs little beside what is measured.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type Origin = { readonly port: number; close(): Promise<void> };

/** Answers every request with `answer`, once it is whole; content has a Content-Length. */
export function http1Origin(answer: string): Promise<Origin> {
  const bytes = Buffer.from(answer, "latin1");
  return listening((socket) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      for (;;) {
        const head = text.indexOf("\r\n\r\n");
        if (head === -1) return;
        const end =
          head + 4 + Number(/^content-length: (\d+)/im.exec(text.slice(0, head))?.[1] ?? 0);
        if (text.length < end) return;
        text = text.slice(end);
        socket.write(bytes);
      }
    });
  });
}

/** Starts a server on a free port of loopback. */
export function listening(onSocket: (socket: Socket) => void): Promise<Origin> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", 512, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((done) => {
            for (const socket of sockets) socket.destroy();
            server.close(() => done());
          }),
      });
    });
  });
}

/** Connects, for as long as the test lasts. */
export function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

/** Kept connections that ask for the same, each again when it was answered. */
export class ClosedLoop {
  /** Requests answered so far. */
  answered = 0;
  readonly #sockets: Socket[] = [];
  readonly #request: Buffer;
  readonly #answerBytes: number;
  #left = 0;
  #waiting = 0;
  #done: (error: Error | null) => void = () => {};

  /** `answerBytes`: how long each answer is, head and content. */
  private constructor(request: string, answerBytes: number) {
    this.#request = Buffer.from(request, "latin1");
    this.#answerBytes = answerBytes;
  }

  /** Opens `count` connections and asks once on the first to learn how long an answer is. */
  static async open(port: number, count: number, request: string): Promise<ClosedLoop> {
    const first = await connected(port);
    const length = await lengthOf(first, request);
    const loop = new ClosedLoop(request, length);
    loop.#add(first);
    while (loop.#sockets.length < count) loop.#add(await connected(port));
    return loop;
  }

  /** Sends `requests` over all connections and waits until they were answered. */
  run(requests: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#left = requests;
      this.#done = (error) => (error === null ? resolve() : reject(error));
      for (const socket of this.#sockets) this.#ask(socket);
    });
  }

  close(): void {
    this.#done = () => {};
    for (const socket of this.#sockets) socket.destroy();
  }

  #ask(socket: Socket): void {
    if (this.#left === 0) return;
    this.#left--;
    this.#waiting++;
    socket.write(this.#request);
  }

  #add(socket: Socket): void {
    let came = 0;
    this.#sockets.push(socket);
    socket.on("close", () => this.#done(new Error("a connection was closed")));
    socket.on("data", (chunk: Buffer) => {
      came += chunk.length;
      if (came < this.#answerBytes) return;
      came -= this.#answerBytes;
      this.answered++;
      this.#waiting--;
      if (this.#left > 0) this.#ask(socket);
      else if (this.#waiting === 0) this.#done(null);
    });
  }
}

/** Asks once and returns how long the answer is, head and content. */
function lengthOf(socket: Socket, request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const head = text.indexOf("\r\n\r\n");
      if (head === -1) return;
      const length = head + 4 + Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
      if (text.length < length) return;
      socket.removeAllListeners("data");
      if (/^HTTP\/1\.1 200 /.test(text)) resolve(length);
      else reject(new Error(text));
    });
    socket.write(request, "latin1");
  });
}

/** Makes `count` connections, `atOnce` of them at the same time, and asks once on each. */
export async function askOnNewConnections(
  port: number,
  count: number,
  atOnce: number,
  request: string,
): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await askOnce(port, request);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

function askOnce(port: number, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => {
      if (/^HTTP\/1\.1 200 /.test(text)) resolve();
      else reject(new Error(`answered: ${text}`));
    });
    socket.write(request, "latin1");
  });
}
