/** Where a client's connection came from, and what the worker may ask of it. */

import type { ClientIdField } from "../codec/http1/client-id.ts";
import type { Member } from "../lib/members.ts";
import type { SocketAddress } from "../mesh/address.ts";
import type { Identity } from "../mesh/credentials.ts";
import type { ListenerKind, Speaks } from "../mesh/snapshot.ts";

export type ClientOrigin = {
  readonly kind: ListenerKind;
  /** Labels of the client's side of the connection. */
  readonly series: number;
  /** What the target is looked up by, when it does not come from the request. */
  readonly authority: string | null;
  /** The same as an address, where it is one. */
  readonly target: SocketAddress | null;
  /** The target is where the client wanted to go, before it was redirected to us. */
  readonly isRedirected: boolean;
  /** What the target speaks, where that is known by the way the client came. */
  readonly speaks: Speaks | null;
  /** The client's address as text. */
  readonly peer: string;
  /** … and as 4 or 16 bytes; null when it is not known. */
  readonly peerIp: Uint8Array | null;
  /** Who the client has proved to be. */
  readonly client: ClientIdentity | null;
  /** The policy of its port did not come in time: it is not waited for once more. */
  readonly hasWaited: boolean;
};

/** A client that showed a certificate which holds. */
export type ClientIdentity = {
  /** The DNS name, or the SPIFFE URI of one that has none. */
  readonly name: string;
  readonly identity: Identity;
  /** What the application is told. */
  readonly field: ClientIdField;
};

export interface Client extends Member {
  /** As `Connection` has it. */
  readonly provenUntilMs: number;
  readonly origin: ClientOrigin;
  /** The process drains: close now if idle, otherwise when what is under way is over. */
  drain(): void;
  /** Cuts it now, and calls off what it waits for. */
  onFault(): void;
  /** A new snapshot came, with policies of ports: whoever holds something open looks if it still may. */
  onPolicyChange(): void;
}
