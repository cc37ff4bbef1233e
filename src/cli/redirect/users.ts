/** Users and groups by number, and whose sockets listen. */
import { readFileSync } from "node:fs";
import { listeningSockets } from "../../discovery/listening-ports.ts";
import { StartError } from "../start-error.ts";
import { quote } from "../values.ts";

/** By /etc alone, as it is in an image too; what a directory service knows is given by number. */
const FILES = { user: "/etc/passwd", group: "/etc/group" } as const;

/** Returns the numbers of users or groups that are given by number or name. */
export function idsOf(kind: "user" | "group", owners: readonly string[]): readonly number[] {
  return owners.map((owner) => {
    if (/^[0-9]+$/.test(owner)) return Number(owner);
    const id = idIn(textOf(FILES[kind]), owner);
    if (id !== null) return id;
    throw new StartError(`${FILES[kind]} has no ${kind} ${quote(owner)}`);
  });
}

/** Finds the number, the third field, in the text of passwd(5) or group(5). */
export function idIn(text: string, name: string): number | null {
  for (const line of text.split("\n")) {
    const [first, , id = ""] = line.split(":");
    if (first === name && /^[0-9]{1,10}$/.test(id)) return Number(id);
  }
  return null;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/**
 * Throws when a sidecar is there already whose own traffic the rules would send back to it. Of groups
 * the system does not tell: who leaves some out is believed.
 */
export function refuseLoop(
  port: number,
  users: readonly number[],
  groups: readonly number[],
): void {
  if (groups.length > 0) return;
  const sockets = (listeningSockets() ?? []).filter((socket) => socket.port === port);
  const stranger = sockets.find(({ user }) => !users.includes(user));
  if (stranger === undefined) return;
  throw new StartError(
    `port ${port} is user ${stranger.user}'s, whose traffic would come back to it: give --uid ${stranger.user}`,
  );
}
