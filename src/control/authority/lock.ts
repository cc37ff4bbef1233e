/**
 * The lock under which the authority's folder is changed, by whichever process. Claims are files
 * `lock-1`, `lock-2`, …: the highest one holds, and says who. Whoever finds its holder gone makes the
 * next one, which only one process can, and removes those below. A holder never removes its own
 * claim but marks it released, so the highest number is never given out twice, and a process that
 * comes late with a low one sees that there is a higher.
 */
import { randomBytes } from "node:crypto";
import {
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { readKernelFile, readKernelLink } from "../../net/kernel-files.ts";
import { Fault } from "./fault.ts";
import { codeOf } from "./folder.ts";

/**
 * A change takes milliseconds, on a slow disk a second or two. A claim this old was left by a process
 * that stands still or that ours cannot see (another PID namespace).
 */
const CLAIM_AGE_MAX_MS = 15_000;
/** Longer than the age, so that a claim that was left is outlived. */
const WAIT_MAX_MS = 20_000;
const RETRY_MS = 5;
const CLAIM = /^lock-([0-9]{1,15})$/;
/** A claim before it has its number. */
const UNNAMED = ".claim-";
const RELEASED = "released";

/** Thrown by `assertHeld` when another process took a lock that was held for too long. */
export class LockLost extends Error {
  override readonly name = "LockLost";
}

export type Held = {
  /** To be called right before the folder is changed. */
  assertHeld(): void;
};

/** Runs `change` while this process alone changes the folder. What it throws is thrown on. */
export async function withLock<T>(
  dir: string,
  change: (held: Held) => T | Promise<T>,
): Promise<T | Fault> {
  const startMs = performance.now();
  let number = claim(dir);
  while (number === null) {
    if (performance.now() - startMs > WAIT_MAX_MS) return new Fault(`${dir} is locked`);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    number = claim(dir);
  }
  const own = number;
  const assertHeld = (): void => {
    if (highest(dir) !== own) throw new LockLost(`the lock of ${dir} was taken over`);
  };
  try {
    return await change({ assertHeld });
  } finally {
    release(dir, own);
  }
}

/** Returns the number of our claim, or null when another one holds. */
function claim(dir: string): number | null {
  const top = highest(dir);
  if (top !== 0 && !isLeft(join(dir, `lock-${top}`))) return null;
  const number = top + 1;
  const temporary = write(dir, owner());
  try {
    // Unlike a rename, this fails when the name is taken.
    linkSync(temporary, join(dir, `lock-${number}`));
  } catch (error) {
    if (codeOf(error) === "EEXIST") return null;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  if (highest(dir) !== number) {
    rmSync(join(dir, `lock-${number}`), { force: true });
    return null;
  }
  for (const below of numbers(dir)) {
    if (below < number) rmSync(join(dir, `lock-${below}`), { force: true });
  }
  removeOldClaims(dir);
  return number;
}

/** Of processes that died between writing a claim and naming it. */
function removeOldClaims(dir: string): void {
  for (const name of readdirSync(dir)) {
    if (!name.startsWith(UNNAMED)) continue;
    const stat = statSync(join(dir, name), { throwIfNoEntry: false });
    const isOld = stat !== undefined && Date.now() - stat.mtimeMs > CLAIM_AGE_MAX_MS;
    if (isOld) rmSync(join(dir, name), { force: true });
  }
}

function release(dir: string, number: number): void {
  // Another one's by now, which must not be made to look free.
  if (highest(dir) !== number) return;
  renameSync(write(dir, RELEASED), join(dir, `lock-${number}`));
}

/** Not named like the temporary files of the folder, which the holder of the lock clears away. */
function write(dir: string, text: string): string {
  const path = join(dir, `${UNNAMED}${randomBytes(8).toString("hex")}`);
  writeFileSync(path, text, { mode: 0o600, flag: "wx" });
  return path;
}

function numbers(dir: string): number[] {
  return readdirSync(dir).flatMap((name) => {
    const digits = CLAIM.exec(name)?.[1];
    return digits === undefined ? [] : [Number(digits)];
  });
}

function highest(dir: string): number {
  return Math.max(0, ...numbers(dir));
}

/** Says whether a claim was released or its process is gone. One that vanished was taken over. */
function isLeft(path: string): boolean {
  try {
    const text = readFileSync(path, "utf8");
    if (text === RELEASED) return true;
    const ageMs = Date.now() - statSync(path).mtimeMs;
    if (ageMs > CLAIM_AGE_MAX_MS) return true;
    const [namespace, pid = "", birth] = text.split(" ");
    return namespace === pidNamespace() && birthOf(pid) !== birth;
  } catch {
    return false;
  }
}

/** A number of a process is given out again; with its time of birth it is not. */
function owner(): string {
  const pid = String(process.pid);
  return `${pidNamespace()} ${pid} ${birthOf(pid)}`;
}

function pidNamespace(): string {
  return readKernelLink("/proc/self/ns/pid") ?? "unknown";
}

/** Start time in ticks since boot, proc(5) `stat` field 22; `gone` for none, or one that is dead. */
function birthOf(pid: string): string {
  const stat = readKernelFile(`/proc/${pid}/stat`);
  if (stat === null) return "gone";
  // The second field is a name in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? "gone" : (fields[19] ?? "gone");
}
