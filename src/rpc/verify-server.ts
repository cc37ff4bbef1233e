/**
 * Whether a server is who it should be. All of it is decided before a byte of a request is written:
 * the first request of a client carries the secret by which it joins.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { PeerVerifier } from "../identity/verify-peer.ts";
import { isSameBytes } from "../lib/same-bytes.ts";
import type { ClientTls } from "./client-messages.ts";

/** `notAfterMs`: until when that holds, milliseconds since 1970. */
export type ServerVerdict = { readonly notAfterMs: number } | { readonly refusal: string };

/** Says whether `chain` (DER, leaf first, as sent) is that of the server that `tls` expects. */
export function verifyServer(
  chain: readonly Uint8Array[],
  tls: ClientTls,
  nowMs: number,
): ServerVerdict {
  const trusted = trustedPart(chain, tls);
  if (trusted === null)
    return {
      refusal:
        "the server has none of the trust anchors that the token names: it is another mesh's",
    };
  const verdict = new PeerVerifier(trusted.roots).verify(trusted.chain, "server", nowMs);
  if ("refused" in verdict) {
    return { refusal: `the server's certificate is refused: ${verdict.refused}` };
  }
  const { dns, uri } = verdict.identity;
  if (tls.expected !== dns && tls.expected !== uri) {
    return { refusal: `the server is ${uri ?? dns}, and not ${tls.expected}` };
  }
  return { notAfterMs: verdict.notAfterMs };
}

type Trusted = {
  readonly chain: readonly Uint8Array[];
  readonly roots: readonly Uint8Array[];
};

/** A pinned anchor comes from the chain itself, if it is there. */
function trustedPart(
  chain: readonly Uint8Array[],
  { trust: { roots, pins } }: ClientTls,
): Trusted | null {
  const isPinned = (der: Uint8Array): boolean => pins.some((pin) => isSameBytes(sha256(der), pin));
  // Never the leaf: a server is no anchor of its own.
  const at = pins.length === 0 ? -1 : chain.findIndex((der, index) => index > 0 && isPinned(der));
  const pinned = chain[at];
  if (pinned === undefined) return roots.length === 0 ? null : { chain, roots };
  return { chain: chain.filter((_, index) => index !== at), roots: [...roots, pinned] };
}
