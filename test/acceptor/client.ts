/** A client made of bare system calls: no event loop, no buffers, one descriptor each. */
import type { Arena } from "../../src/net/arena.ts";
import { OUTPUT } from "../../src/net/arena.ts";
import {
  AF_INET,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SHUT_WR,
  SO_LINGER,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_NODELAY,
} from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";
import { localAddress } from "../../src/net/listener.ts";
import { ADDRESS, OPTION, readPort, writeAddress } from "../../src/net/socket-address.ts";

export const LOOPBACK: Uint8Array = Uint8Array.of(127, 0, 0, 1);

export class Client {
  readonly #arena: Arena;
  #fd: number;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw new Error("no descriptor for a client");
  }

  /** Connects; the kernel shakes hands without the acceptor, so this does not wait for it. */
  connect(port: number): this {
    const length = writeAddress(this.#arena, { ip: LOOPBACK, port });
    const result = libc.connect(this.#fd, this.#arena.address + ADDRESS, length);
    if (result < 0) throw new Error(`connect to ${port} failed`);
    // Each send is a segment of its own: nobody here answers, so Nagle would wait 40 ms.
    this.#arena.view.setInt32(OPTION, 1, true);
    libc.setsockopt(this.#fd, SOL_TCP, TCP_NODELAY, this.#arena.address + OPTION, 4);
    return this;
  }

  get fd(): number {
    return this.#fd;
  }

  get port(): number {
    return localAddress(this.#arena, this.#fd)?.port ?? readPort(this.#arena);
  }

  send(data: string | Uint8Array): this {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    this.#arena.bytes.set(bytes, OUTPUT);
    const at = this.#arena.address + OUTPUT;
    const sent = libc.send(this.#fd, at, bytes.length, MSG_NOSIGNAL);
    if (sent !== bytes.length) throw new Error(`sent ${sent} of ${bytes.length}`);
    return this;
  }

  /** Sends a FIN. */
  end(): this {
    libc.shutdown(this.#fd, SHUT_WR);
    return this;
  }

  /** Returns whether the other side has closed or reset the connection. */
  isClosed(): boolean {
    const at = this.#arena.address + OUTPUT;
    if (libc.recv(this.#fd, at, 1, MSG_DONTWAIT) === 0) return true;
    return libc.send(this.#fd, at, 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
  }

  reset(): void {
    this.#arena.view.setInt32(OPTION, 1, true);
    this.#arena.view.setInt32(OPTION + 4, 0, true);
    libc.setsockopt(this.#fd, SOL_SOCKET, SO_LINGER, this.#arena.address + OPTION, 8);
    this.close();
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}
