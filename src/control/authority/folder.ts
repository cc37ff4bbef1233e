/**
 * The files of the authority's folder. Each is written to a temporary file beside it, flushed, and
 * renamed over the old one, so that a reader and a crash find the old text or the new one. What
 * spans several files is written to a journal first: it is the moment at which the change has
 * happened, and whoever finds the journal carries it out. Writers hold the folder's lock.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Fault } from "./fault.ts";

/** All that the folder holds, but for locks and temporary files. */
export const FILES = [
  "anchor.crt",
  "anchor.key",
  "anchor-next.crt",
  "anchor-next.key",
  "issuer.crt",
  "issuer.key",
  "ca.crt",
  "lifetime",
  "tokens",
  "settings",
] as const;
export type FileName = (typeof FILES)[number];

const JOURNAL = "journal";
const TEMPORARY = /^\..+\.tmp$/;

/** The longest file is that of the tokens, with 4,096 entries of about 200 bytes. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

const MODE_FOLDER = 0o700;
const MODE_FILE = 0o600;
/** Reading a key, or changing anything, is for the owner alone. */
const MODE_OTHERS = 0o077;
const MODE_OTHERS_WRITE = 0o022;

/** Thrown for a journal that is not one of ours: it can only be removed by hand. */
export class JournalDamaged extends Error {
  override readonly name = "JournalDamaged";
}

/** New texts of files; null removes one. */
export type Changes = ReadonlyMap<FileName, string | null>;

/** Makes the folder, with mode 0700, unless it is there. Returns why it cannot be used, or null. */
export function prepareFolder(dir: string): Fault | null {
  try {
    mkdirSync(dir, { recursive: true, mode: MODE_FOLDER });
    const stat = statSync(dir);
    if (!stat.isDirectory()) return new Fault(`${dir} is no folder`);
    if ((stat.mode & MODE_OTHERS_WRITE) === 0) return null;
    return new Fault(`${dir} can be written by others: chmod 700 it`);
  } catch (error) {
    return new Fault(`${dir} cannot be made: ${codeOf(error)}`);
  }
}

/** Returns the text of a file, or null when there is none. */
export function readText(dir: string, name: FileName): string | null | Fault {
  const path = join(dir, name);
  try {
    const stat = statSync(path);
    if (stat.size > FILE_BYTES_MAX) return new Fault(`${path} is too long`);
    if (name.endsWith(".key") && (stat.mode & MODE_OTHERS) !== 0) {
      return new Fault(`${path} can be read by others: chmod 600 it and consider it stolen`);
    }
    return readFileSync(path, "utf8");
  } catch (error) {
    return codeOf(error) === "ENOENT" ? null : new Fault(`${path}: ${codeOf(error)}`);
  }
}

/**
 * Returns a text that differs whenever one of the files was renamed or written since: the inode
 * changes with each rename, so two changes within one tick of the file system's clock show too.
 */
export function versionOf(dir: string, names: readonly FileName[]): string {
  return [...names, JOURNAL].map((name) => versionOfFile(join(dir, name))).join(" ");
}

function versionOfFile(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "-" : `${stat.ino}:${stat.mtimeMs}:${stat.size}:${stat.mode}`;
}

/** Carries out all changes or, after a crash, none or all. Throws what the file system throws. */
export function commit(dir: string, changes: Changes): void {
  if (changes.size > 1) writeDurably(dir, JOURNAL, JSON.stringify([...changes]));
  apply(dir, changes);
  if (changes.size > 1) removeDurably(dir, JOURNAL);
}

/** Says whether a change was begun and not ended. */
export function isInterrupted(dir: string): boolean {
  return existsSync(join(dir, JOURNAL));
}

/** Ends the change that a crash interrupted, and removes what it left. */
export function recover(dir: string): void {
  for (const name of readdirSync(dir)) {
    if (TEMPORARY.test(name)) rmSync(join(dir, name), { force: true });
  }
  if (!isInterrupted(dir)) return;
  const changes = parseJournal(readFileSync(join(dir, JOURNAL), "utf8"));
  if (changes === null) throw new JournalDamaged(`${dir}/${JOURNAL}`);
  apply(dir, changes);
  removeDurably(dir, JOURNAL);
}

function parseJournal(text: string): Changes | null {
  try {
    const entries: unknown = JSON.parse(text);
    if (!Array.isArray(entries) || !entries.every(isEntry)) return null;
    return new Map(entries);
  } catch {
    return null;
  }
}

function isEntry(entry: unknown): entry is [FileName, string | null] {
  if (!Array.isArray(entry) || entry.length !== 2) return false;
  const [name, text] = entry;
  return FILES.includes(name) && (text === null || typeof text === "string");
}

function apply(dir: string, changes: Changes): void {
  for (const [name, text] of changes) {
    if (text === null) removeDurably(dir, name);
    else writeDurably(dir, name, text);
  }
}

function writeDurably(dir: string, name: string, text: string): void {
  const temporary = join(dir, `.${name}.${randomBytes(8).toString("hex")}.tmp`);
  const descriptor = openSync(temporary, "wx", MODE_FILE);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, join(dir, name));
  flushFolder(dir);
}

function removeDurably(dir: string, name: string): void {
  rmSync(join(dir, name), { force: true });
  flushFolder(dir);
}

/** A rename is in the folder, so it is the folder that has to reach the disk. */
function flushFolder(dir: string): void {
  const descriptor = openSync(dir, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The system's name of an error, such as EACCES, or its class; its text might quote a file. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
