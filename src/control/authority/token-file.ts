/**
 * The join tokens that are valid, as the file `tokens` keeps them: of each secret only the SHA-256,
 * so that who reads the file can join nothing. The secrets are 256 random bits, which need no salt
 * and no slow hash.
 */
import { Fault } from "./fault.ts";
import { readText } from "./folder.ts";

export type TokenRecord = {
  /** 16 hexadecimal digits. */
  readonly id: string;
  /** 64 hexadecimal digits, SHA-256 of the secret. */
  readonly hash: string;
  readonly name: string;
  readonly namespace: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly expiresMs: number;
};

/** More than people make; scripts that make one for each start should give them a short life. */
export const TOKENS_MAX = 4_096;

/** A label of a host name (RFC 1123 §2.1), as the names of identities are made of them. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const ID = /^[0-9a-f]{16}$/;
const HASH = /^[0-9a-f]{64}$/;

/** Returns the records of the folder; none when there is no file. */
export function readTokens(dir: string): TokenRecord[] | Fault {
  const text = readText(dir, "tokens");
  if (text instanceof Fault) return text;
  if (text === null) return [];
  const records = parse(text);
  return records ?? new Fault("the file of tokens is damaged: remove it and create new tokens");
}

/** Returns the file's text: an array in JSON, one record on each line. */
export function formatTokens(records: readonly TokenRecord[]): string {
  return `[\n${records.map((record) => JSON.stringify(record)).join(",\n")}\n]\n`;
}

function parse(text: string): TokenRecord[] | null {
  try {
    const records: unknown = JSON.parse(text);
    if (!Array.isArray(records) || records.length > TOKENS_MAX) return null;
    return records.every(isRecord) ? records : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is TokenRecord {
  if (typeof value !== "object" || value === null) return false;
  const { id, hash, name, namespace, createdMs, expiresMs } = value as Record<string, unknown>;
  return (
    matches(ID, id) &&
    matches(HASH, hash) &&
    matches(NAME, name) &&
    matches(NAME, namespace) &&
    Number.isSafeInteger(createdMs) &&
    Number.isSafeInteger(expiresMs)
  );
}

/** Says whether a text can be the name or the namespace of a workload. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === "string" && pattern.test(value);
}
