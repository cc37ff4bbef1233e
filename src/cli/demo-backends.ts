/** What the demo puts behind the sidecar: HTTP servers of different speed, and a TCP echo. */
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";

export type Backend = { readonly label: string; readonly port: number; close(): void };

/** Milliseconds that each HTTP backend takes to answer. */
export const SPEEDS_MS: readonly number[] = [1, 5, 40];

export async function startHttpBackend(delayMs: number): Promise<Backend> {
  const server = createHttpServer((_request, response) => {
    setTimeout(() => response.end(`answered after ${delayMs} ms\n`), delayMs);
  });
  server.keepAliveTimeout = 60_000;
  const port = await listenLocally(server);
  return {
    label: `${delayMs} ms`,
    port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export async function startEcho(): Promise<Backend> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  const port = await listenLocally(server);
  return { label: "echo", port, close: () => server.close() };
}

function listenLocally(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
