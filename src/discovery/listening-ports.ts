/** The ports of this machine, or of its network namespace, that somebody listens on. */
import { readKernelFile } from "../net/kernel-files.ts";

/** One line for each socket: the second field is its address, then state and user (proc(5)). */
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
const LISTEN = "0A";

export type ListeningSocket = {
  readonly port: number;
  /** The number of the user who made it, as this process's user namespace has it. */
  readonly user: number;
};

/** Returns the ports, or null where that cannot be told. */
export function listeningPorts(): ReadonlySet<number> | null {
  const sockets = listeningSockets();
  return sockets === null ? null : new Set(sockets.map(({ port }) => port));
}

/** Returns whose they are, or null where that cannot be told. Reads a line for each socket there is. */
export function listeningSockets(): readonly ListeningSocket[] | null {
  // A system without IPv6 has but one of them.
  const tables = TABLES.flatMap((path) => readKernelFile(path) ?? []);
  if (tables.length === 0) return null;
  const sockets: ListeningSocket[] = [];
  for (const line of tables.join("\n").split("\n")) {
    const [, address = "", , state, , , , user] = line.trim().split(/ +/);
    if (state !== LISTEN) continue;
    const port = Number.parseInt(address.slice(address.lastIndexOf(":") + 1), 16);
    sockets.push({ port, user: Number(user) });
  }
  return sockets;
}
