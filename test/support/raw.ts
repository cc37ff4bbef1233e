/** Raw TCP peers for tests: an origin that says exactly what it is told, a client that keeps all. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type RawOrigin = {
  readonly port: number;
  /** All bytes of each connection, in the order in which they were accepted. */
  readonly received: string[];
  connections(): number;
  close(): Promise<void>;
};

/** Calls `serve` with each connection's socket and all that it sent so far, on each new data. */
export function rawOrigin(
  serve: (socket: Socket, text: string, connection: number) => void,
): Promise<RawOrigin> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const index = received.push("") - 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => {
      received[index] += chunk.toString("latin1");
      serve(socket, received[index] ?? "", index);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        received,
        connections: () => received.length,
        close: () =>
          new Promise((done) => {
            for (const socket of sockets) socket.destroy();
            server.close(() => done());
          }),
      });
    });
  });
}

/** An origin that answers every complete head with the same bytes. */
export function fixedOrigin(response: string, closes = false): Promise<RawOrigin> {
  const answered = new Map<number, number>();
  return rawOrigin((socket, text, connection) => {
    const heads = text.split("\r\n\r\n").length - 1;
    for (let n = answered.get(connection) ?? 0; n < heads; n++) {
      socket.write(Buffer.from(response, "latin1"));
      if (closes) socket.end();
    }
    answered.set(connection, heads);
  });
}

export type RawReply = {
  readonly text: string;
  /** How the connection ended; `open` when `until` was seen first. */
  readonly end: "open" | "fin" | "reset" | "timeout";
};

export type SendOptions = {
  /** Returns true when enough has come. */
  readonly until?: (text: string) => boolean;
  readonly withinMs?: number;
  /** Bytes per write; all at once without. */
  readonly pieces?: number;
  readonly halfClose?: boolean;
};

/** Connects, sends, collects until the end, `until` or the deadline. */
export function send(port: number, bytes: string, options: SendOptions = {}): Promise<RawReply> {
  return new Promise((resolve) => {
    let text = "";
    let isOver = false;
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const over = (end: RawReply["end"]): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, end });
    };
    const timer = setTimeout(() => over("timeout"), options.withinMs ?? 5_000);
    socket.setNoDelay(true);
    socket.on("error", () => over("reset"));
    socket.on("end", () => over("fin"));
    socket.on("close", () => over("fin"));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (options.until?.(text) === true) over("open");
    });
    socket.on("connect", () => {
      const data = Buffer.from(bytes, "latin1");
      if (options.pieces === undefined) {
        socket.write(data);
        if (options.halfClose === true) socket.end();
        return;
      }
      const step = options.pieces;
      const next = (at: number): void => {
        if (isOver || at >= data.length) return;
        socket.write(data.subarray(at, at + step), () => setImmediate(() => next(at + step)));
      };
      next(0);
    });
  });
}
