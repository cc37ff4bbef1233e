/** A service manager as a program that it started sees one: a socket that takes notices. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ARGUMENTS, Arena, INPUT } from "../../src/net/arena.ts";
import { AF_UNIX, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";

const NOTICE_BYTES_MAX = 4_096;

export class ServiceManager {
  /** As $NOTIFY_SOCKET has it. */
  readonly address: string;
  /** Everything that was said, a notice each. */
  readonly notices: string[] = [];
  readonly #arena = new Arena(0);
  #folder: string | null = null;
  #fd = -1;

  /** Without a name one is made up. It hears nothing before `listen`. */
  constructor(address?: string) {
    if (address === undefined) this.#folder = mkdtempSync(join(tmpdir(), "outrigger-notify-"));
    this.address = address ?? `${this.#folder}/socket`;
  }

  listen(): this {
    const { arena, path } = { arena: this.#arena, path: this.address.replace(/^@/, "\0") };
    const bytes = new TextEncoder().encode(path);
    this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    arena.view.setUint16(ARGUMENTS, AF_UNIX, true);
    arena.bytes.set([...bytes, 0], ARGUMENTS + 2);
    const length = 2 + bytes.length + (path.startsWith("/") ? 1 : 0);
    if (libc.bind(this.#fd, arena.address + ARGUMENTS, length) < 0) throw new Error("bind failed");
    return this;
  }

  /** Takes what has come; returns all that was said so far, a line each. */
  lines(): readonly string[] {
    const { bytes, address } = this.#arena;
    for (;;) {
      const count = libc.recv(this.#fd, address + INPUT, NOTICE_BYTES_MAX, MSG_DONTWAIT);
      if (count < 0) return this.notices.flatMap((notice) => notice.split("\n"));
      this.notices.push(new TextDecoder().decode(bytes.slice(INPUT, INPUT + count)));
    }
  }

  /** How often a line was said. */
  count(line: string): number {
    return this.lines().filter((each) => each === line).length;
  }

  close(): void {
    libc.close(this.#fd);
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true });
  }
}
