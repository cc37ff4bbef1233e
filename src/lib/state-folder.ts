/**
 * What a sidecar remembers across its own restarts: a folder of small files, each one value. All of
 * it can be had again from elsewhere, so nothing here ever stops a sidecar: what cannot be read is
 * not there, what cannot be written is told of once and tried again later.
 *
 * A file is written to a temporary one beside it, flushed, and renamed: a reader, a crash and another
 * process of the same folder find the old value or the new one, and of two writers the last one wins.
 *
 *   8 "orstate1" | 32 SHA-256 of what follows | msgpack
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pack } from "msgpackr/pack";
import { Unpackr } from "msgpackr/unpack";
import { assert } from "./assert.ts";
import type { Logger } from "./log.ts";
import { isSameBytes } from "./same-bytes.ts";

/** A storm of changes costs one file each second; a crash loses no more than that. */
export const WRITE_DELAY_MS = 1_000;
/** A disk that is full or was made read-only is not mended within seconds. */
export const RETRY_MS = 10_000;
/** 10,000 endpoints take 2 MB. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** A temporary file this old was left by a process that died. */
const LEFT_MS = 60_000;

const MAGIC = new TextEncoder().encode("orstate1");
const DIGEST_BYTES = 32;
const MODE_FOLDER = 0o700;
const MODE_FILE = 0o600;
const MODE_OTHERS_WRITE = 0o022;
const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const TEMPORARY = /^\.[a-z0-9-]+\.tmp$/;

/** Bytes are copied, else each would hold all of the file's. */
const unpackr = new Unpackr({ copyBuffers: true, useRecords: false });

type Log = Pick<Logger, "info" | "warn">;

export class StateFolder {
  /** null: nothing is kept. */
  readonly path: string | null;
  readonly #log: Log;
  readonly #pending = new Map<string, unknown>();
  #writing: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isFailing = false;

  private constructor(path: string | null, log: Log) {
    this.path = path;
    this.#log = log;
  }

  /**
   * Makes the folder, with mode 0700, unless it is there. One that is not ours, or that others may
   * write to, is not used, and why is logged: its mode is not mended, since it may be a folder that
   * was there for something else.
   */
  static open(dir: string | null, log: Log): StateFolder {
    if (dir === null) return new StateFolder(null, log);
    const reason = folderProblem(dir);
    if (reason === null) return new StateFolder(dir, log);
    log.warn("nothing is kept across restarts", { folder: dir, reason });
    return new StateFolder(null, log);
  }

  /**
   * Returns the value that was written last under a name, by this process or another one; null when
   * there is none or its file is damaged, which is logged. Whoever asks checks its shape: an older
   * version may have written it. Bytes come back as Uint8Array.
   */
  read(name: string): unknown {
    assert(NAME.test(name), "a name of state");
    if (this.path === null) return null;
    const file = join(this.path, name);
    try {
      const stat = statSync(file, { throwIfNoEntry: false });
      if (stat === undefined) return null;
      if (!stat.isFile()) throw new Error("it is no file");
      if (stat.size > FILE_BYTES_MAX) throw new Error("it is too long");
      return decode(new Uint8Array(readFileSync(file)));
    } catch (error) {
      this.#log.warn("what was kept is not used", { file, reason: reasonOf(error) });
      return null;
    }
  }

  /**
   * Writes a value under a name within WRITE_DELAY_MS, in place of the one before. The value is not
   * to be changed any more. Never throws.
   */
  write(name: string, value: unknown): void {
    assert(NAME.test(name), "a name of state");
    if (this.path === null) return;
    this.#pending.set(name, value);
    this.#schedule();
  }

  /** Writes at once what waits. Resolves when that was tried; never rejects. */
  flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#writing = this.#writing.then(() => this.#writePending());
    return this.#writing;
  }

  #schedule(): void {
    if (this.#timer !== null) return;
    const delayMs = this.#isFailing ? RETRY_MS : WRITE_DELAY_MS;
    this.#timer = setTimeout(() => void this.flush(), delayMs);
    // What waits is flushed by who ends the process; the timer is a number or an object, by runtime.
    if (typeof this.#timer === "object") this.#timer.unref();
  }

  async #writePending(): Promise<void> {
    const { path } = this;
    if (path === null) return;
    const values = [...this.#pending];
    this.#pending.clear();
    let failure: unknown = null;
    for (const [name, value] of values) {
      try {
        await replaceFile(path, name, encode(value));
      } catch (error) {
        failure = error ?? "unknown";
        // A newer value may have come meanwhile.
        if (!this.#pending.has(name)) this.#pending.set(name, value);
      }
    }
    if (values.length > 0) this.#tell(path, failure);
    if (this.#pending.size > 0) this.#schedule();
  }

  /** Once when it begins to fail, and once when it works again. */
  #tell(folder: string, failure: unknown): void {
    const isFailing = failure !== null;
    if (isFailing === this.#isFailing) return;
    this.#isFailing = isFailing;
    if (isFailing) {
      const reason = reasonOf(failure);
      this.#log.warn("what is to be kept across restarts cannot be written", { folder, reason });
    } else this.#log.info("what is kept across restarts is written again", { folder });
  }
}

/** Returns why a folder is not used, or null. Removes what processes that died have left in it. */
function folderProblem(dir: string): string | null {
  try {
    mkdirSync(dir, { recursive: true, mode: MODE_FOLDER });
    const stat = statSync(dir);
    if (!stat.isDirectory()) return "it is no folder";
    const uid = process.getuid?.() ?? stat.uid;
    if (stat.uid !== uid) return "it belongs to another user: name a folder inside of it";
    if ((stat.mode & MODE_OTHERS_WRITE) !== 0) return "others can write to it: chmod 700 it";
    for (const name of readdirSync(dir)) {
      if (!TEMPORARY.test(name)) continue;
      const file = join(dir, name);
      const left = statSync(file, { throwIfNoEntry: false });
      if (left !== undefined && Date.now() - left.mtimeMs > LEFT_MS) rmSync(file, { force: true });
    }
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

function encode(value: unknown): Uint8Array {
  const body = pack(value);
  const bytes = new Uint8Array(MAGIC.length + DIGEST_BYTES + body.length);
  if (bytes.length > FILE_BYTES_MAX) throw new Error("it is too long");
  bytes.set(MAGIC);
  bytes.set(sha256(body), MAGIC.length);
  bytes.set(body, MAGIC.length + DIGEST_BYTES);
  return bytes;
}

function decode(bytes: Uint8Array): unknown {
  const body = bytes.subarray(MAGIC.length + DIGEST_BYTES);
  const digest = bytes.subarray(MAGIC.length, MAGIC.length + DIGEST_BYTES);
  if (!isSameBytes(bytes.subarray(0, MAGIC.length), MAGIC) || !isSameBytes(digest, sha256(body))) {
    throw new Error("it is damaged, or of another version");
  }
  return unpackr.unpack(body);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

async function replaceFile(dir: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dir, `.${name}-${randomBytes(8).toString("hex")}.tmp`);
  try {
    const handle = await open(temporary, "wx", MODE_FILE);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, join(dir, name));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** The system's name of an error where it has one: its text may be long and names paths twice. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
