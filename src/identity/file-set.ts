/**
 * One consistent reading of the three files that hold a sidecar's identity. Whoever writes them does
 * so file by file, or swaps a symbolic link under our hands (Kubernetes' `..data`), so what was read
 * counts only if the files behind the names are the same before and after, unchanged, and every one
 * is whole. That they belong together is for checkCredentials to say.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { CredentialParts, Refused } from "./load.ts";
import { certificatesOfPem, PEM_CHARS_MAX, privateKeyOfPem } from "./pem.ts";

/** Leaf and intermediates, key, trust anchors. */
type Names = readonly [certificates: string, key: string, roots: string];

/** As cert-manager and Kubernetes' secrets of type `kubernetes.io/tls` have them. */
const NAMES: Names = ["tls.crt", "tls.key", "ca.crt"];
/** As spiffe-helper has them; read where there is no `tls.crt`. */
const SPIFFE_HELPER_NAMES: Names = ["svid.pem", "svid_key.pem", "bundle.pem"];

/** Of one file. PEM is ASCII: as many bytes as characters. */
export const FILE_BYTES_MAX = PEM_CHARS_MAX;

/** `r--` for everybody. */
const MODE_OTHERS_READ = 0o004;

export type FileSet = CredentialParts & {
  /** The path of the key if everybody on the machine may read it, else null. */
  readonly exposedKey: string | null;
};

/** Returns the text of a file, or why not. */
type ReadText = (path: string) => { readonly text: string } | Refused;

/**
 * Reads the set in `directory`, or says in one line what is wrong with it. Never throws. `read` is for
 * tests, which write while it reads.
 */
export function readFileSet(directory: string, read: ReadText = readText): FileSet | Refused {
  const names = namesIn(directory);
  const before = names.map((name) => stampOf(join(directory, name)));
  const texts: string[] = [];
  for (const name of names) {
    const text = read(join(directory, name));
    if ("refused" in text) return { refused: `${name}: ${text.refused}` };
    texts.push(text.text);
  }
  const after = names.map((name) => stampOf(join(directory, name)));
  const changed = names.find((_, index) => before[index] !== after[index]);
  if (changed !== undefined) return { refused: `${changed}: changed while it was read` };
  const parts = parse(names, texts);
  if ("refused" in parts) return parts;
  const keyPath = join(directory, names[1]);
  return { ...parts, exposedKey: isReadByOthers(keyPath) ? keyPath : null };
}

function namesIn(directory: string): Names {
  const isThere = ([first]: Names): boolean => statOf(join(directory, first)) !== null;
  return !isThere(NAMES) && isThere(SPIFFE_HELPER_NAMES) ? SPIFFE_HELPER_NAMES : NAMES;
}

function parse(names: Names, texts: readonly string[]): CredentialParts | Refused {
  const [certificatesText = "", keyText = "", rootsText = ""] = texts;
  const certificates = certificatesOfPem(certificatesText);
  if ("error" in certificates) return { refused: `${names[0]}: ${certificates.error}` };
  const key = privateKeyOfPem(keyText);
  if ("error" in key) return { refused: `${names[1]}: ${key.error}` };
  const roots = certificatesOfPem(rootsText);
  if ("error" in roots) return { refused: `${names[2]}: ${roots.error}` };
  return { certificates, key, roots };
}

/** Tells whether a path leads to the same file, unchanged: links are followed. */
function stampOf(path: string): string {
  const stats = statOf(path);
  return stats === null ? "" : `${stats.dev} ${stats.ino} ${stats.mtimeMs} ${stats.size}`;
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

function isReadByOthers(path: string): boolean {
  return ((statOf(path)?.mode ?? 0) & MODE_OTHERS_READ) !== 0;
}

/** Reads a file of up to FILE_BYTES_MAX, or says why not. */
export function readText(path: string): { readonly text: string } | Refused {
  let file: number;
  try {
    // A pipe of that name must not hold up the thread until somebody writes to it.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { refused: reasonOf(error) };
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) return { refused: "not a file" };
    if (stats.size > FILE_BYTES_MAX) return { refused: `larger than ${FILE_BYTES_MAX} bytes` };
    if (stats.size === 0) return { refused: "empty" };
    return { text: readWhole(file, stats.size) };
  } catch (error) {
    return { refused: reasonOf(error) };
  } finally {
    closeSync(file);
  }
}

/** Up to the size that was told; that it has grown meanwhile is seen by the second stamp. */
function readWhole(file: number, size: number): string {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const count = readSync(file, bytes, length, size - length, length);
    if (count === 0) break;
    length += count;
  }
  return bytes.toString("latin1", 0, length);
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "ENOENT") return "not found";
  return code === "EACCES" || code === "EPERM" ? "may not be read" : `cannot be read (${code})`;
}
