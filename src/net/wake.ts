/**
 * Waking a thread that blocks in epoll_wait: an eventfd in its set, edge-triggered. It is never read:
 * each write is an edge of its own, whatever is in it already, and at one each it is never full.
 */
import { ARGUMENTS, type Arena } from "./arena.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK } from "./constants.ts";
import { libc } from "./libc.ts";

const COUNT = ARGUMENTS + 320;

/** Makes the descriptor; it belongs to whoever calls, and lives as long as the process. */
export function createWake(): number {
  const fd = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw new Error("eventfd failed");
  return fd;
}

/** Wakes whoever waits for `fd`. Many before it looks are one event. */
export function wake(arena: Arena, fd: number): void {
  arena.view.setUint32(COUNT, 1, true);
  arena.view.setUint32(COUNT + 4, 0, true);
  libc.write(fd, arena.address + COUNT, 8);
}
