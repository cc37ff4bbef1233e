/**
 * Who may be connected to a server. When there are too many, whoever has not said yet who it is makes
 * room, the oldest first: a flood of strangers keeps nobody out for whom a handshake's time is enough.
 * And one name has no more than half of all connections.
 */
import type { Identity } from "../mesh/credentials.ts";
import { identityText } from "../mesh/identity.ts";

export class Admission<Connection extends { close(): void }> {
  readonly #perNameMax: number;
  readonly #strangers = new Set<Connection>();
  readonly #names = new Map<Connection, string>();
  readonly #perName = new Map<string, number>();

  constructor(connectionsMax: number) {
    this.#perNameMax = Math.ceil(connectionsMax / 2);
  }

  /** One was accepted, and has said nothing. */
  enter(connection: Connection): void {
    this.#strangers.add(connection);
  }

  /** Closes the oldest of those that are not known. False: there is none. */
  makeRoom(): boolean {
    const [oldest] = this.#strangers;
    if (oldest === undefined) return false;
    oldest.close();
    return true;
  }

  /** It is of this host: null, or has proved a name. False: there are too many of that name. */
  know(connection: Connection, identity: Identity | null): boolean {
    const name = identity === null ? null : identityText(identity);
    const count = name === null ? 0 : (this.#perName.get(name) ?? 0);
    if (count >= this.#perNameMax) return false;
    this.#strangers.delete(connection);
    if (name === null) return true;
    this.#names.set(connection, name);
    this.#perName.set(name, count + 1);
    return true;
  }

  leave(connection: Connection): void {
    this.#strangers.delete(connection);
    const name = this.#names.get(connection);
    if (name === undefined) return;
    this.#names.delete(connection);
    const count = (this.#perName.get(name) ?? 0) - 1;
    if (count > 0) this.#perName.set(name, count);
    else this.#perName.delete(name);
  }
}
