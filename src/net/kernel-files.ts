/**
 * What the kernel tells in /proc and /sys, read through the C library on both runtimes: Deno gives
 * those folders only to programs that may do anything at all.
 */
import { Buffer } from "node:buffer";
import { ARGUMENTS, Arena, EVENTS, INPUT, INPUT_BYTES } from "./arena.ts";
import { O_RDONLY_CLOEXEC } from "./constants.ts";
import { libc } from "./libc.ts";

/** What is longer is cut there. A table of 100,000 sockets is 15 MB. */
const FILE_BYTES_MAX = 16_777_216;
/** The dot and the double dot. */
const ENTRIES_OF_ALL = 2;

/** This thread's, made with the first call. */
let arena: Arena | null = null;

/** Returns the text of a file, a character for each byte; null when it cannot be read to its end. */
export function readKernelFile(path: string): string | null {
  const at = withPath(path);
  if (at === null) return null;
  const fd = libc.open(at.address + ARGUMENTS, O_RDONLY_CLOEXEC, 0);
  if (fd < 0) return null;
  let text = "";
  let taken = 0;
  do {
    taken = libc.read(fd, at.address + INPUT, INPUT_BYTES);
    text += textOf(at, taken);
  } while (taken > 0 && text.length < FILE_BYTES_MAX);
  libc.close(fd);
  return taken < 0 ? null : text;
}

/** Returns where a symbolic link leads, at most 64 KiB of it; null when that cannot be told. */
export function readKernelLink(path: string): string | null {
  const at = withPath(path);
  if (at === null) return null;
  const length = libc.readlink(at.address + ARGUMENTS, at.address + INPUT, INPUT_BYTES);
  return length < 0 ? null : textOf(at, length);
}

/** Returns how many entries a folder has; null when it cannot be read. */
export function countKernelEntries(path: string): number | null {
  const at = withPath(path);
  if (at === null) return null;
  const folder = libc.opendir(at.address + ARGUMENTS);
  if (folder === 0) return null;
  let count = -ENTRIES_OF_ALL;
  while (libc.readdir(folder) !== 0) count++;
  libc.closedir(folder);
  return count;
}

/** Puts a path where the C library is told to look for it; null: it is longer than any of the kernel's. */
function withPath(path: string): Arena | null {
  arena ??= new Arena(0);
  const text = Buffer.from(`${path}\0`, "latin1");
  if (text.length > EVENTS - ARGUMENTS) return null;
  arena.bytes.set(text, ARGUMENTS);
  return arena;
}

function textOf({ bytes }: Arena, length: number): string {
  return Buffer.from(bytes.subarray(INPUT, INPUT + Math.max(0, length))).toString("latin1");
}
