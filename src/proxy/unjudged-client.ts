/**
 * A client whose port's policy has yet to come. Nothing of it is read: whether its bytes may be taken
 * for the HTTP that they look like is for the policy to say. When that is late, it becomes what it looks
 * like all the same, only to be told so in its own terms.
 */

import { unjudgedPort } from "./admit.ts";
import type { ClientOrigin } from "./client.ts";
import { ClientConnection } from "./client-connection.ts";
import type { Context } from "./context.ts";
import type { Waiter } from "./directory.ts";

export class UnjudgedClient extends ClientConnection implements Waiter {
  readonly #make: (origin: ClientOrigin) => ClientConnection;

  /** `make` builds the client that takes the descriptor over. */
  constructor(
    context: Context,
    fd: number,
    origin: ClientOrigin,
    make: (origin: ClientOrigin) => ClientConnection,
  ) {
    super(context, fd, origin);
    this.#make = make;
  }

  override begin(): void {
    const port = unjudgedPort(this.context, this.origin);
    if (port === null) this.#become(this.origin);
    else if (!this.waitFor({ kind: "port", port }, this)) this.#giveUp();
  }

  onDirectoryChange(): void {
    if (this.isOpen) this.io.loop.defer(this);
  }

  override onDeferred(): void {
    if (this.isOpen) this.begin();
  }

  protected override onReady(): void {
    if (this.hasError) this.close();
  }

  override onFault(): void {
    this.close();
  }

  override drain(): void {}

  protected override onTimer(): void {
    this.#giveUp();
  }

  protected override onClosing(): void {
    this.context.directory.stopWaiting(this);
  }

  #giveUp(): void {
    this.#become({ ...this.origin, hasWaited: true });
  }

  #become(origin: ClientOrigin): void {
    this.context.directory.stopWaiting(this);
    this.retire();
    const client = this.#make(origin);
    client.takeOver(this);
    this.context.clients.add(client);
    client.begin();
  }
}
