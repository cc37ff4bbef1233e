/**
 * Datagrams to the service manager that started this process, as sd_notify(3) has it: a text of
 * `NAME=VALUE` lines to the Unix socket that $NOTIFY_SOCKET names. Nothing ever comes back, and a
 * manager that does not read must not stop us, so a datagram is sent at once or not at all.
 */
import { ARGUMENTS, type Arena, OUTPUT } from "./arena.ts";
import {
  AF_UNIX,
  errnoName,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
} from "./constants.ts";
import { errno, libc } from "./libc.ts";

/** A `struct sockaddr_un` of unix(7): the family, then the path. */
const ADDRESS = ARGUMENTS + 512;
const PATH = ADDRESS + 2;
/** Of its 108 bytes one is a NUL: behind a path, before an abstract name. */
const PATH_BYTES_MAX = 107;
/** The longest text: systemd reads no more than a page. */
const TEXT_BYTES_MAX = 4_096;

const encoder = new TextEncoder();

export class NotifySocket {
  readonly #arena: Arena;
  readonly #fd: number;
  readonly #addressBytes: number;

  private constructor(arena: Arena, fd: number, addressBytes: number) {
    this.#arena = arena;
    this.#fd = fd;
    this.#addressBytes = addressBytes;
  }

  /**
   * Makes a socket for `address`: an absolute path, or `@` and an abstract name. Whether somebody
   * listens there shows when something is sent. Nothing else uses `arena`'s bytes for the address.
   */
  static open(arena: Arena, address: string): NotifySocket | { readonly error: string } {
    const name = encoder.encode(address.slice(1));
    const isAbstract = address.startsWith("@");
    if (!(isAbstract || address.startsWith("/")) || name.length === 0) {
      return { error: "neither a path nor @ and a name" };
    }
    const path = isAbstract ? [0, ...name] : [0x2f, ...name, 0];
    if (path.length > PATH_BYTES_MAX + 1) return { error: "longer than a socket's address" };
    const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return { error: `socket: ${errnoName(errno())}` };
    arena.view.setUint16(ADDRESS, AF_UNIX, true);
    arena.bytes.set(path, PATH);
    return new NotifySocket(arena, fd, PATH - ADDRESS + path.length);
  }

  /** Sends `text`, cut to what a manager reads. Returns null, or why it could not be sent. */
  send(text: string): string | null {
    const { bytes, address } = this.#arena;
    const { written } = encoder.encodeInto(text, bytes.subarray(OUTPUT, OUTPUT + TEXT_BYTES_MAX));
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const to = address + ADDRESS;
    const at = address + OUTPUT;
    const sent = libc.sendto(this.#fd, at, written, flags, to, this.#addressBytes);
    return sent < 0 ? errnoName(errno()) : null;
  }

  close(): void {
    libc.close(this.#fd);
  }
}
