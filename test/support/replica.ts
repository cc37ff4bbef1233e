/**
 * A replica that comes and goes: an address of its own in front of a sidecar that stays. To whoever
 * calls it, it is another endpoint of the same service, with the same identity; when it has gone,
 * nobody answers there.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export class Replica {
  readonly host: string;
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: Set<Socket>;

  private constructor(server: ReturnType<typeof createServer>, sockets: Set<Socket>) {
    const { address, port } = server.address() as AddressInfo;
    this.host = address;
    this.port = port;
    this.#server = server;
    this.#sockets = sockets;
  }

  /** Listens on a free port of `host`, of 127.0.0.0/8, and carries what comes to `inboundPort`. */
  static async open(host: string, inboundPort: number): Promise<Replica> {
    const sockets = new Set<Socket>();
    const keep = (socket: Socket): void => {
      sockets.add(socket);
      socket.setNoDelay();
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    };
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const sidecar = connect({ host: "127.0.0.1", port: inboundPort, allowHalfOpen: true });
      keep(client);
      keep(sidecar);
      client.pipe(sidecar).pipe(client);
      // A reset ends no stream: it would leave the other side open.
      client.on("close", () => sidecar.destroy());
      sidecar.on("close", () => client.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, host, () => resolve()));
    return new Replica(server, sockets);
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Takes no more connections; those that are open may end what they do, and are cut then. */
  async close(graceMs: number): Promise<{ readonly cut: number }> {
    this.#server.close();
    const untilMs = performance.now() + graceMs;
    while (this.#sockets.size > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const cut = this.#sockets.size;
    for (const socket of this.#sockets) socket.destroy();
    return { cut };
  }
}
