/**
 * The text that an operator hands to a new sidecar, so that joining is one flag and nothing is
 * trusted on first use. It is one word, `or1_` and base64url of a fixed layout: where the control
 * plane is, pins of its trust anchors, and a secret that proves a name. Reading is strict: there is
 * one text for each token, and a text that was mistyped or cut is none.
 *
 *   1 number of pins | 32 each | 8 id | 32 secret | 2 port | 1 length | host | 1 length | trust
 *   domain | 4 of SHA-256 over all before
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { isSameBytes } from "../lib/same-bytes.ts";
import { isHostName, parseIp } from "../mesh/address.ts";
import { parseDnsName } from "../mesh/identity.ts";

export type JoinToken = {
  /** A name or an IP address without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Lower case. */
  readonly trustDomain: string;
  /**
   * SHA-256 of the DER of trust anchors, 32 bytes each. The control plane is the one meant if its
   * chain leads to any of them.
   */
  readonly pins: readonly Uint8Array[];
  /** 8 bytes, not secret: names the token in logs and lists. */
  readonly id: Uint8Array;
  /** 32 bytes. Never logged. */
  readonly secret: Uint8Array;
};

/** What a sidecar sends as the token of a request: the part that the control plane does not know. */
export type JoinProof = {
  readonly id: Uint8Array;
  readonly secret: Uint8Array;
};

const PREFIX = "or1_";
export const PIN_BYTES = 32;
export const ID_BYTES = 8;
export const SECRET_BYTES = 32;
const CHECK_BYTES = 4;
const PROOF_BYTES = ID_BYTES + SECRET_BYTES;
/** The active anchor and the one that is to follow it. */
export const PINS_MAX = 2;
/** Names have 253 characters (RFC 1035 §2.3.4). */
const NAME_BYTES_MAX = 253;
const BYTES_MAX =
  1 + PINS_MAX * PIN_BYTES + PROOF_BYTES + 2 + 2 * (1 + NAME_BYTES_MAX) + CHECK_BYTES;
const TEXT_CHARS_MAX = PREFIX.length + Math.ceil((BYTES_MAX * 4) / 3);
/** A file ends in a line end; more than a few is not one that we wrote. */
const WHITE_CHARS_MAX = 16;

const encoder = new TextEncoder();

/** Returns the text of a token. Throws a RangeError if a field has not the length that it must. */
export function formatJoinToken(token: JoinToken): string {
  const { pins, id, secret, port } = token;
  const host = encoder.encode(token.host);
  const trustDomain = encoder.encode(token.trustDomain);
  const body = Uint8Array.of(
    pins.length,
    ...pins.flatMap((pin) => [...pin]),
    ...id,
    ...secret,
    port >> 8,
    port & 0xff,
    host.length,
    ...host,
    trustDomain.length,
    ...trustDomain,
  );
  const bytes = Uint8Array.of(...body, ...check(body));
  const text = PREFIX + Buffer.from(bytes).toString("base64url");
  if (parseJoinToken(text) === null) throw new RangeError("a join token with a wrong field");
  return text;
}

/** Returns the token of a text, white space around it aside; null if it is none. */
export function parseJoinToken(text: string): JoinToken | null {
  if (text.length > TEXT_CHARS_MAX + WHITE_CHARS_MAX) return null;
  const word = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  if (!word.startsWith(PREFIX)) return null;
  const encoded = word.slice(PREFIX.length);
  const bytes = new Uint8Array(Buffer.from(encoded, "base64url"));
  // The decoder skips what it does not know; a text that is not what it would write has such.
  if (Buffer.from(bytes).toString("base64url") !== encoded) return null;
  const body = bytes.subarray(0, -CHECK_BYTES);
  const given = bytes.subarray(body.length);
  if (given.length !== CHECK_BYTES || !isSameBytes(given, check(body))) return null;
  return readBody(body);
}

/** Returns what a sidecar sends of its token, 40 bytes. Only over a connection that was verified. */
export function encodeJoinProof({ id, secret }: JoinProof): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(...id, ...secret);
}

/**
 * Returns the proof in the token field of a request: the 40 bytes, or the whole text of a token, as a
 * stock linkerd2-proxy sends the file that it was given. Null if it is neither.
 */
export function parseJoinProof(bytes: Uint8Array): JoinProof | null {
  if (bytes.length === PROOF_BYTES) {
    return { id: bytes.slice(0, ID_BYTES), secret: bytes.slice(ID_BYTES) };
  }
  if (bytes.length > TEXT_CHARS_MAX + WHITE_CHARS_MAX) return null;
  return parseJoinToken(Buffer.from(bytes).toString("latin1"));
}

function check(body: Uint8Array): Uint8Array {
  return sha256(body).subarray(0, CHECK_BYTES);
}

function readBody(body: Uint8Array): JoinToken | null {
  const pinCount = body[0] ?? 0;
  if (pinCount < 1 || pinCount > PINS_MAX) return null;
  let at = 1;
  const take = (length: number): Uint8Array => {
    at += length;
    return body.slice(at - length, at);
  };
  const takeText = (): string => Buffer.from(take(take(1)[0] ?? 0)).toString("latin1");
  const pins = Array.from({ length: pinCount }, () => take(PIN_BYTES));
  const id = take(ID_BYTES);
  const secret = take(SECRET_BYTES);
  const [high = 0, low = 0] = take(2);
  const port = high * 256 + low;
  const host = takeText();
  const trustDomain = takeText();
  // Reads beyond the end were short, but have moved on all the same.
  if (at !== body.length || port === 0) return null;
  if (parseIp(host) === null && !isHostName(host)) return null;
  if (parseDnsName(trustDomain) !== trustDomain) return null;
  return { host, port, trustDomain, pins, id, secret };
}
