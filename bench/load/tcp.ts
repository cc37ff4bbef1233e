/** The opaque TCP load: a child process that is both ends of the stream, on the load's core. */
import { fileURLToPath } from "node:url";
import { type Child, LOAD_CORE, startScript } from "../child.ts";
import { LOAD_GRACE_MS } from "./load.ts";

const PEER = fileURLToPath(new URL("tcp-peer.ts", import.meta.url));
const PEER_LIFE_MS = 24 * 3_600_000;

export type Direction = "upload" | "download";

export interface TcpCommand {
  readonly port: number;
  readonly direction: Direction;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

export interface TcpPeer {
  /** Where proxies find the origin. */
  readonly port: number;
  /** Streams through the proxy at `command.port`; `onBegin` is called when the warm-up is over. */
  run(command: TcpCommand, onBegin: () => void): Promise<{ bytes: number; elapsedMs: number }>;
  stop(): Promise<void>;
}

export async function startTcpPeer(): Promise<TcpPeer> {
  let onLine: (line: string) => void = () => {};
  const child = startScript(PEER, [], {
    core: LOAD_CORE,
    killAfterMs: PEER_LIFE_MS,
    onLine: (line) => onLine(line),
  });
  const nextLine = (timeoutMs: number): Promise<string> =>
    Promise.race([
      new Promise<string>((resolve) => {
        onLine = resolve;
      }),
      failure(child, timeoutMs),
    ]);
  const listening = await nextLine(LOAD_GRACE_MS);
  return {
    port: Number(listening.split(" ")[1]),
    stop: () => child.stop(),
    async run(command, onBegin) {
      child.send(JSON.stringify(command));
      await nextLine(command.warmUpMs + LOAD_GRACE_MS);
      onBegin();
      const end = await nextLine(command.measuredMs + LOAD_GRACE_MS);
      const [, bytes, elapsedMs] = end.split(" ");
      return { bytes: Number(bytes), elapsedMs: Number(elapsedMs) };
    },
  };
}

/** Rejects when the child has gone or said nothing for too long. */
function failure(child: Child, timeoutMs: number): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new Error(`the TCP load stopped: ${child.complaint()}`));
    setTimeout(fail, timeoutMs).unref();
    child.exited.then(fail, fail);
  });
}
