/** Opening and closing the data plane's descriptors, each through the table of owners. */
import type { DescriptorTable } from "../shared/descriptor-table.ts";
import { ARGUMENTS, type Arena } from "./arena.ts";
import { SO_LINGER, SOL_SOCKET } from "./constants.ts";
import { libc } from "./libc.ts";

const LINGER = ARGUMENTS + 256;

export class Descriptors {
  readonly owner: number;
  /** Descriptors that were not ours when we were about to close them. Stays 0, or there is a bug. */
  violations = 0;
  readonly #arena: Arena;
  readonly #table: DescriptorTable;

  constructor(arena: Arena, table: DescriptorTable, owner: number) {
    this.#arena = arena;
    this.#table = table;
    this.owner = owner;
  }

  /** Takes a descriptor that the kernel just gave this thread; refuses and closes it otherwise. */
  claim(fd: number): boolean {
    if (this.#table.claim(fd, this.owner)) return true;
    libc.close(fd);
    return false;
  }

  /** Takes over what another thread handed to this one. */
  adopt(fd: number, ticket: number): boolean {
    return this.#table.adopt(fd, ticket, this.owner);
  }

  /** Passes `fd` to worker `to`; returns the ticket or -1. */
  hand(fd: number, to: number): number {
    return this.#table.hand(fd, this.owner, to);
  }

  /** Takes back what could not be queued. */
  unhand(fd: number, ticket: number): boolean {
    return this.#table.unhand(fd, ticket, this.owner);
  }

  close(fd: number): void {
    if (this.#table.release(fd, this.owner)) libc.close(fd);
    else this.violations++;
  }

  /** Closes with a reset, so that the peer sees that the stream was cut. */
  reset(fd: number): void {
    const { view, address } = this.#arena;
    view.setInt32(LINGER, 1, true);
    view.setInt32(LINGER + 4, 0, true);
    libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, address + LINGER, 8);
    this.close(fd);
  }
}
