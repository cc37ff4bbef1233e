/**
 * Whether a token that a sidecar sent is one of ours, and whose. Follows the file: a token that was
 * made or revoked by another process counts from the next request on. The secret is compared in
 * constant time, by its hash, whether or not there is a token of that id.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { parseJoinProof } from "../../identity/join-token.ts";
import { Fault } from "./fault.ts";
import { codeOf, versionOf } from "./folder.ts";
import { Refusal } from "./refusal.ts";
import { readTokens, type TokenRecord } from "./token-file.ts";

export type TokenHolder = {
  readonly name: string;
  readonly namespace: string;
  /** 16 hexadecimal digits, for the audit line. */
  readonly tokenId: string;
};

/** In place of the hash of a token that is not there. */
const NO_HASH = "0".repeat(64);

export class TokenCheck {
  readonly #dir: string;
  readonly #onFault: (fault: Fault) => void;
  #version = "";
  #records: ReadonlyMap<string, TokenRecord> = new Map();

  /** `onFault` is told of a file that cannot be read; the tokens known before stay valid. */
  constructor(dir: string, onFault: (fault: Fault) => void) {
    this.#dir = dir;
    this.#onFault = onFault;
  }

  /** Returns whom the token is for, or why it proves nothing. `proof` is what the sidecar sent. */
  check(proof: Uint8Array, nowMs: number): TokenHolder | Refusal {
    const parsed = parseJoinProof(proof);
    if (parsed === null) return new Refusal("malformed-token", "not a join token");
    this.#follow();
    const id = Buffer.from(parsed.id).toString("hex");
    const record = this.#records.get(id);
    const isRight = isEqual(sha256(parsed.secret), Buffer.from(record?.hash ?? NO_HASH, "hex"));
    if (record === undefined || !isRight) {
      return new Refusal("unknown-token", "the token is not known here");
    }
    if (nowMs >= record.expiresMs) return new Refusal("expired-token", "the token has expired");
    return { name: record.name, namespace: record.namespace, tokenId: id };
  }

  #follow(): void {
    const version = this.#filesVersion();
    if (version === this.#version) return;
    this.#version = version;
    const records = readTokens(this.#dir);
    if (records instanceof Fault) this.#onFault(records);
    else this.#records = new Map(records.map((record) => [record.id, record]));
  }

  #filesVersion(): string {
    try {
      return versionOf(this.#dir, ["tokens"]);
    } catch (error) {
      // Reading the file will tell what is wrong, once.
      return codeOf(error);
    }
  }
}

/** Takes the same time wherever the first difference is. */
function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length;
  for (const [index, byte] of left.entries()) difference |= byte ^ (right[index] ?? 0);
  return difference === 0;
}
