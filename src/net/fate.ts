/**
 * What became of bytes whose receiver closed the connection. Its kernel acknowledges what arrives before
 * it says that the connection is closed, and answers what arrives after that by a reset. So if the end
 * came first, then a reset, and nothing was acknowledged, all of it came after the close: no program has
 * seen any of it. (A program that closes one direction, reads on, and closes with bytes unread looks the
 * same; RFC 9112 §9.6 has servers do that, and forbids them to process what they read then.)
 */
import { ARGUMENTS, type Arena } from "./arena.ts";
import { Errno, SO_ERROR, SOL_SOCKET, SOL_TCP, TCP_INFO } from "./constants.ts";
import { libc } from "./libc.ts";
import { ADDRESS_LENGTH } from "./socket-address.ts";

/** `struct tcp_info` of linux/tcp.h, as far as Linux 4.1 has it: `tcpi_state`, `tcpi_bytes_acked`. */
const INFO = ARGUMENTS + 768;
const INFO_BYTES = 128;
const STATE = 0;
const BYTES_ACKED = 120;
/** The end was received, RFC 9293 §3.3.2. */
const CLOSE_WAIT = 8;

/** `unread`: no program got any of it. `open`: none has arrived yet that we know of. */
export type Fate = "unread" | "open" | "unknown";

/**
 * The fate of all that was sent after the first `before` bytes. Only for a connection that we opened,
 * without TLS, and whose end was read before any error was seen. Uses up the socket's error.
 */
export function fateOfSent(arena: Arena, fd: number, before: number): Fate {
  const { view } = arena;
  if (option(arena, fd, SOL_TCP, TCP_INFO) < INFO_BYTES) return "unknown";
  // Who connects has its SYN acknowledged like a byte. A kernel that does not count says 0.
  if (Number(view.getBigUint64(INFO + BYTES_ACKED, true)) !== before + 1) return "unknown";
  if (view.getUint8(INFO + STATE) === CLOSE_WAIT) return "open";
  // A reset behind the end is told as EPIPE, one without an end as ECONNRESET (`tcp_reset`).
  if (option(arena, fd, SOL_SOCKET, SO_ERROR) < 4) return "unknown";
  return view.getInt32(INFO, true) === Errno.EPIPE ? "unread" : "unknown";
}

/** Reads a socket option to INFO; returns its length, -1 if it cannot be had. */
function option({ view, address }: Arena, fd: number, level: number, name: number): number {
  view.setUint32(ADDRESS_LENGTH, INFO_BYTES, true);
  const at = address + ADDRESS_LENGTH;
  return libc.getsockopt(fd, level, name, address + INFO, at) < 0
    ? -1
    : view.getInt32(ADDRESS_LENGTH, true);
}
