/**
 * Which application protocol a server takes (RFC 7301 §3.2): OpenSSL asks by a C function, which is
 * one of ours.
 */
import { type Arena, OUTPUT } from "./arena.ts";
import { libc } from "./libc.ts";
import { runtime } from "./runtime.ts";

/** SSL_select_next_proto's answers: a protocol was chosen; go on without one. */
const SSL_TLSEXT_ERR_OK = 0;
const SSL_TLSEXT_ERR_NOACK = 3;
/** What is looked at of a client's list; a name of ours is in the first bytes of any honest one. */
const ALPN_BYTES_MAX = 1_024;
const POINTER_BYTES = 8;

/** What servers of this thread take, by the number that their callback is given. */
const lists: Uint8Array[] = [];
/** The same by its bytes: certificates are renewed for ever, the lists stay. */
const numbers = new Map<string, number>();
let callback = 0;

/** What SSL_CTX_set_alpn_select_cb is given for a server that takes `alpn`, best first. */
export function alpnSelection(
  arena: Arena,
  alpn: readonly string[],
): { readonly callback: number; readonly list: number } {
  const key = alpn.join();
  const list = numbers.get(key) ?? lists.push(wireForm(alpn)) - 1;
  numbers.set(key, list);
  return { callback: selectCallback(arena), list };
}

/** One C function for all server contexts of a thread. */
function selectCallback(arena: Arena): number {
  const { view, address } = arena;
  const signature = {
    args: ["address", "address", "address", "address", "u32", "address"],
    result: "i32",
  } as const;
  const select = (...values: number[]): number => {
    const [, out = 0, outLength = 0, offered = 0, offeredBytes = 0, list = 0] = values.map(Number);
    const count = Math.min(offeredBytes, ALPN_BYTES_MAX);
    libc.memcpy(address + OUTPUT, offered, count);
    const found = firstCommon(lists[list], arena.bytes, OUTPUT, OUTPUT + count);
    if (found < 0) return SSL_TLSEXT_ERR_NOACK;
    // The name where OpenSSL itself holds the client's list: ours may move.
    view.setBigUint64(OUTPUT + ALPN_BYTES_MAX, BigInt(offered + found + 1 - OUTPUT), true);
    libc.memcpy(out, address + OUTPUT + ALPN_BYTES_MAX, POINTER_BYTES);
    libc.memcpy(outLength, address + found, 1);
    return SSL_TLSEXT_ERR_OK;
  };
  callback ||= runtime.callback(signature, select);
  return callback;
}

/** Where in `bytes[start, end)`, a list of names behind their lengths, one of `taken` begins, or -1. */
function firstCommon(
  taken: Uint8Array | undefined,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (taken === undefined) return -1;
  for (let own = 0; own < taken.length; own += 1 + (taken[own] ?? 0)) {
    const length = 1 + (taken[own] ?? 0);
    for (let at = start; at + length <= end; at += 1 + (bytes[at] ?? 0)) {
      let same = 0;
      while (same < length && bytes[at + same] === taken[own + same]) same++;
      if (same === length) return at;
    }
  }
  return -1;
}

/** RFC 7301 §3.1: each name behind its length. */
export function wireForm(names: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  return Uint8Array.from(
    names.flatMap((name) => {
      const bytes = encoder.encode(name);
      return [bytes.length, ...bytes];
    }),
  );
}
