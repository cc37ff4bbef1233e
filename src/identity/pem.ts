/**
 * Certificates and keys as text (RFC 7468), as files have them. Text around the blocks is passed
 * over; within them nothing is guessed: half a block, which a file that is being written has, is an
 * error and not one certificate less. No error quotes what it is about, since that may be a key.
 */
import { Buffer } from "node:buffer";
import { type KeyFault, pkcs8OfEcKey, pkcs8OfPkcs8 } from "./private-key.ts";

/** A bundle of a public CA store has 220 KiB. Counted in characters. */
export const PEM_CHARS_MAX = 1_048_576;

/** A bundle of a public CA store has 140 certificates. */
const BLOCKS_MAX = 512;

/** RFC 7468 §2 writes 64 to a line, MIME 76. */
const LINE_CHARS_MAX = 76;
const LINE_CHARS = 64;

const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9 ]+)-----$/;
const BASE64_LINE = /^[A-Za-z0-9+/]+={0,2}$/;

const CERTIFICATE = "CERTIFICATE";
const PRIVATE_KEY = "PRIVATE KEY";
const EC_PRIVATE_KEY = "EC PRIVATE KEY";
/** What `openssl ecparam -genkey` writes before the key, which names the curve once more. */
const EC_PARAMETERS = "EC PARAMETERS";

export type PemLabel = typeof CERTIFICATE | typeof PRIVATE_KEY;

/** A plain reason that quotes nothing. */
export type PemError = { readonly error: string };

type Block = { readonly label: string; readonly der: Uint8Array<ArrayBuffer> };

/** Reads the certificates of a text in their order; there must be one, and no block of another kind. */
export function certificatesOfPem(text: string): readonly Uint8Array<ArrayBuffer>[] | PemError {
  const blocks = blocksOf(text);
  if ("error" in blocks) return blocks;
  const other = blocks.find(({ label }) => label !== CERTIFICATE);
  if (other !== undefined) return { error: `a block ${other.label} among certificates` };
  if (blocks.length === 0) return { error: "no block CERTIFICATE" };
  return blocks.map(({ der }) => der);
}

/**
 * Reads the one private key of a text and returns it as PKCS #8. It must be of ECDSA on P-256, as
 * `PRIVATE KEY` (PKCS #8, RFC 5958) or `EC PRIVATE KEY` (RFC 5915).
 */
export function privateKeyOfPem(text: string): Uint8Array<ArrayBuffer> | PemError {
  const all = blocksOf(text);
  if ("error" in all) return all;
  const [block, ...more] = all.filter(({ label }) => label !== EC_PARAMETERS);
  if (block === undefined) return { error: "no block PRIVATE KEY" };
  if (more.length > 0) return { error: "more than one block" };
  const { label, der } = block;
  if (label === "ENCRYPTED PRIVATE KEY") return { error: "the key is encrypted" };
  if (label !== PRIVATE_KEY && label !== EC_PRIVATE_KEY) {
    return { error: `a block ${label} in place of a private key` };
  }
  const key: Uint8Array<ArrayBuffer> | KeyFault =
    label === PRIVATE_KEY ? pkcs8OfPkcs8(der) : pkcs8OfEcKey(der);
  return typeof key === "string" ? { error: key } : key;
}

/** Returns one block, which ends with a line end. */
export function pemOf(label: PemLabel, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("base64");
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += LINE_CHARS) {
    lines.push(base64.slice(at, at + LINE_CHARS));
  }
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Reads every block. A line that looks like a boundary and is none is an error wherever it is. */
function blocksOf(text: string): Block[] | PemError {
  if (text.length > PEM_CHARS_MAX) return { error: `longer than ${PEM_CHARS_MAX} characters` };
  const blocks: Block[] = [];
  let label: string | null = null;
  let base64: string[] = [];
  // What follows the last line end is no line.
  const lines = text.endsWith("\n") ? text.slice(0, -1) : text;
  for (const raw of lines.split("\n")) {
    const line = raw.trimEnd();
    if (!line.startsWith("-----")) {
      if (label === null) continue;
      if (line.length > LINE_CHARS_MAX || !BASE64_LINE.test(line))
        return { error: notBase64(line) };
      base64.push(line);
      continue;
    }
    const [, kind, name = ""] = BOUNDARY.exec(line) ?? [];
    if (kind === undefined) return { error: "a broken line of BEGIN or END" };
    if (kind === "BEGIN") {
      if (label !== null) return { error: `a block ${label} without its END` };
      label = name;
      base64 = [];
      continue;
    }
    if (label !== name) return { error: `an END of ${name} without its BEGIN` };
    const der = bytesOf(base64);
    if (der === null) return { error: `a block ${name} that is not base64` };
    blocks.push({ label, der });
    if (blocks.length > BLOCKS_MAX) return { error: `more than ${BLOCKS_MAX} blocks` };
    label = null;
  }
  return label === null ? blocks : { error: `a block ${label} without its END` };
}

function notBase64(line: string): string {
  // RFC 1421 §4.6: headers, which encrypted keys of old have.
  return line.includes(":") ? "a block with headers" : "a line that is not base64";
}

/** Null when the lines are empty, or not the only text that their bytes have in base64. */
function bytesOf(lines: readonly string[]): Uint8Array<ArrayBuffer> | null {
  const text = lines.join("");
  const buffer = Buffer.from(text, "base64");
  if (text === "" || buffer.toString("base64") !== text) return null;
  // A copy: small buffers share their memory with others, which a clone to a thread would take along.
  return new Uint8Array(buffer);
}
