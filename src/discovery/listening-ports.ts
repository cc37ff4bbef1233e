/** The ports of this machine, or of its network namespace, that somebody listens on. */
import { readFileSync } from "node:fs";

/** One line for each socket: its second field is its address, its fourth its state (proc(5)). */
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
const LISTEN = "0A";

/** Returns them, or null where that cannot be told. Reads a line for each socket that there is. */
export function listeningPorts(): ReadonlySet<number> | null {
  const tables = TABLES.flatMap((path) => textOf(path) ?? []);
  if (tables.length === 0) return null;
  const ports = new Set<number>();
  for (const line of tables.join("\n").split("\n")) {
    const [, address = "", , state] = line.trim().split(/ +/);
    if (state !== LISTEN) continue;
    ports.add(Number.parseInt(address.slice(address.lastIndexOf(":") + 1), 16));
  }
  return ports;
}

/** A system without IPv6 has but one of them. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
