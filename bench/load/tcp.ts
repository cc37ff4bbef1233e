/** The opaque TCP load: a child process that is both ends of the stream, on the load's core. */
import { fileURLToPath } from "node:url";
import { LOAD_GRACE_MS } from "./load.ts";
import { startTalk } from "./talk.ts";

const PEER = fileURLToPath(new URL("tcp-peer.ts", import.meta.url));

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
  const { child, nextLine } = startTalk("the TCP load", PEER, []);
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
