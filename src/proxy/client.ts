/** Where a client's connection came from, and what the worker may ask of it. */

import type { SocketAddress } from "../mesh/address.ts";
import type { ListenerKind, Speaks } from "../mesh/snapshot.ts";

export type ClientOrigin = {
  readonly kind: ListenerKind;
  /** Labels of the client's side of the connection. */
  readonly series: number;
  /** What the target is looked up by, when it does not come from the request. */
  readonly authority: string | null;
  /** The same as an address, where it is one. */
  readonly target: SocketAddress | null;
  /** What the target speaks, where that is known by the way the client came. */
  readonly speaks: Speaks | null;
  /** The client's address as text. */
  readonly peer: string;
};

export interface Client {
  /** The process drains: close now if idle, otherwise when what is under way is over. */
  drain(): void;
  /** Close now. */
  close(): void;
}
