/** A TCP relay that stands between two programs and keeps what passes on each connection. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What is kept of each connection and direction; the rest passes unseen. */
const KEPT_BYTES_MAX = 1 << 16;

export type Relay = {
  readonly port: number;
  /** The first bytes that came from the client, of each connection in order; one character each. */
  readonly fromClients: readonly string[];
  close(): Promise<void>;
};

/** Starts a relay to a port of this machine. Half-close and resets are passed on. */
export function startRelay(targetPort: number): Promise<Relay> {
  const fromClients: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const index = fromClients.push("") - 1;
    const target = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    client.on("data", (chunk: Buffer) => {
      const kept = fromClients[index] ?? "";
      if (kept.length >= KEPT_BYTES_MAX) return;
      fromClients[index] = kept + chunk.toString("latin1");
    });
    join(client, target);
    join(target, client);
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => sockets.delete(socket));
    }
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        fromClients,
        close: () =>
          new Promise((done) => {
            for (const socket of sockets) socket.destroy();
            server.close(() => done());
          }),
      });
    });
  });
}

function join(from: Socket, to: Socket): void {
  from.pipe(to);
  from.on("error", () => to.resetAndDestroy());
}
