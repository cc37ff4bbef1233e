/** `struct sockaddr_in` and `sockaddr_in6` in a thread's memory. */
import type { SocketAddress } from "../mesh/address.ts";
import { ARGUMENTS, type Arena } from "./arena.ts";
import { AF_INET, AF_INET6 } from "./constants.ts";

/** Where `writeAddress` writes and calls that return an address have it written. */
export const ADDRESS = ARGUMENTS + 64;
export const ADDRESS_BYTES = 28;
/** The `socklen_t` that such calls want beside it. */
export const ADDRESS_LENGTH = ARGUMENTS + 128;
/** An `int` for socket options. */
export const OPTION = ARGUMENTS + 192;

/** Writes `address` to ADDRESS and returns its length. The IP is 4 or 16 bytes. */
export function writeAddress(arena: Arena, address: SocketAddress): number {
  const { bytes, view } = arena;
  bytes.fill(0, ADDRESS, ADDRESS + ADDRESS_BYTES);
  const isV4 = address.ip.length === 4;
  view.setUint16(ADDRESS, isV4 ? AF_INET : AF_INET6, true);
  view.setUint16(ADDRESS + 2, address.port, false);
  bytes.set(address.ip, ADDRESS + (isV4 ? 4 : 8));
  return isV4 ? 16 : ADDRESS_BYTES;
}

/** Makes room at ADDRESS for a call that returns an address. */
export function expectAddress(arena: Arena): void {
  arena.view.setUint16(ADDRESS, 0, true);
  arena.view.setUint32(ADDRESS_LENGTH, ADDRESS_BYTES, true);
}

/**
 * Copies the IP that such a call wrote to `ip` (16 bytes; IPv4 in the first four, v4-mapped IPv6
 * unwrapped) and returns its family, 0 if it is neither IPv4 nor IPv6. The port is `readPort`.
 */
export function readIp(arena: Arena, ip: Uint8Array): 0 | 4 | 6 {
  const { bytes, view } = arena;
  const family = view.getUint16(ADDRESS, true);
  ip.fill(0);
  if (family === AF_INET) {
    for (let i = 0; i < 4; i++) ip[i] = bytes[ADDRESS + 4 + i] ?? 0;
    return 4;
  }
  if (family !== AF_INET6) return 0;
  const at = ADDRESS + 8;
  let isMapped = bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
  for (let i = 0; i < 10; i++) isMapped &&= bytes[at + i] === 0;
  const from = isMapped ? at + 12 : at;
  for (let i = 0; i < (isMapped ? 4 : 16); i++) ip[i] = bytes[from + i] ?? 0;
  return isMapped ? 4 : 6;
}

export function readPort(arena: Arena): number {
  return arena.view.getUint16(ADDRESS + 2, false);
}
