/**
 * Join tokens made, listed and revoked, by any process that may write to the authority's folder; a
 * control plane that runs sees the change at the next request. A token is for one name and can be
 * used until it expires, since all replicas of a workload join with the same one.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { formatJoinToken, ID_BYTES, SECRET_BYTES } from "../../identity/join-token.ts";
import { isHostName, parseIp } from "../../mesh/address.ts";
import { identityFor } from "../../mesh/identity.ts";
import { CONTROL_NAME, CONTROL_NAMESPACE } from "../names.ts";
import { Fault } from "./fault.ts";
import { commit } from "./folder.ts";
import { locked, pinsOf } from "./rotation.ts";
import { readState } from "./state.ts";
import { formatTokens, isName, readTokens, TOKENS_MAX, type TokenRecord } from "./token-file.ts";

/** Shorter ones would expire on their way to where they are used. */
export const TTL_MIN_MS = 1_000;
export const TTL_MAX_MS = 3_653 * 86_400_000;

export type TokenRequest = {
  /** Labels of a host name, in lower case. */
  readonly name: string;
  readonly namespace: string;
  readonly trustDomain: string;
  /** Where sidecars reach the control plane: a name or an address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly ttlMs: number;
  readonly nowMs: number;
};

/**
 * Makes a token and returns its text, which is not kept anywhere. It pins the active anchor and the
 * one that is to follow, so it serves through the promotion of the latter, and ends with the removal
 * of the former if it was made before the latter was added.
 */
export async function createToken(dir: string, request: TokenRequest): Promise<string | Fault> {
  const fault = faultOf(request);
  if (fault !== null) return fault;
  const { name, namespace, trustDomain, host, port, ttlMs, nowMs } = request;
  return locked(dir, async (assertHeld) => {
    const state = await readState(dir);
    if (state === null) return new Fault(`${dir} has no authority yet: start the control plane`);
    if (state instanceof Fault) return state;
    const records = readTokens(dir);
    if (records instanceof Fault) return records;
    const valid = records.filter((record) => record.expiresMs > nowMs);
    if (valid.length >= TOKENS_MAX) return new Fault(`there are ${TOKENS_MAX} tokens: revoke some`);
    const id = crypto.getRandomValues(new Uint8Array(ID_BYTES));
    const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
    const text = formatJoinToken({ host, port, trustDomain, pins: pinsOf(state), id, secret });
    const record = {
      id: Buffer.from(id).toString("hex"),
      hash: Buffer.from(sha256(secret)).toString("hex"),
      name,
      namespace,
      createdMs: nowMs,
      expiresMs: nowMs + ttlMs,
    };
    assertHeld();
    commit(dir, new Map([["tokens", formatTokens([...valid, record])]]));
    return text;
  });
}

/** Returns the tokens that have not expired, the oldest first. */
export function listTokens(dir: string, nowMs: number): TokenRecord[] | Fault {
  const records = readTokens(dir);
  if (records instanceof Fault) return records;
  return records.filter((record) => record.expiresMs > nowMs);
}

/**
 * Ends a token, by the 16 digits of its id. Certificates that it led to live on until they expire,
 * and can be renewed by themselves.
 */
export async function revokeToken(dir: string, id: string): Promise<null | Fault> {
  return locked(dir, async (assertHeld) => {
    const records = readTokens(dir);
    if (records instanceof Fault) return records;
    const kept = records.filter((record) => record.id !== id);
    if (kept.length === records.length) return new Fault("no such token");
    assertHeld();
    commit(dir, new Map([["tokens", formatTokens(kept)]]));
    return null;
  });
}

function faultOf(request: TokenRequest): Fault | null {
  const { name, namespace, trustDomain, host, port, ttlMs, nowMs } = request;
  if (!isName(name) || !isName(namespace)) {
    return new Fault("a name is letters, digits and hyphens in lower case, at most 63");
  }
  const isLower = trustDomain === trustDomain.toLowerCase();
  if (!isLower || identityFor(name, namespace, trustDomain) === null) {
    return new Fault("a trust domain is a host name in lower case, such as cluster.local");
  }
  if (name === CONTROL_NAME && namespace === CONTROL_NAMESPACE) {
    return new Fault("this name is the control plane's own");
  }
  if (parseIp(host) === null && !isHostName(host)) return new Fault("not a host");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return new Fault("not a port");
  const isTtl = Number.isSafeInteger(ttlMs) && ttlMs >= TTL_MIN_MS && ttlMs <= TTL_MAX_MS;
  if (!isTtl || !Number.isSafeInteger(nowMs)) return new Fault("a token lives 1 s to 10 years");
  return null;
}
