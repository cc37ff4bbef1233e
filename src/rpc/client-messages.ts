/**
 * What a client's thread and the main thread say to each other. The main thread numbers channels
 * (connections) and calls. A channel is over with `closed`, a call with `ended`; both come once, and
 * nothing of it comes afterwards. Messages go as an ArrayBuffer, see server-messages.ts.
 */
import type { SocketAddress } from "../mesh/address.ts";
import type { Credentials } from "../mesh/credentials.ts";
import type { Metadata, Status } from "./status.ts";
import type { FromThread } from "./thread.ts";

/** What a server's certificate must lead to: any of these. */
export type Trust = {
  /** Anchors, DER. */
  readonly roots: readonly Uint8Array[];
  /** SHA-256 of anchors that the server sends in its chain: for who knows nothing else yet. */
  readonly pins: readonly Uint8Array[];
};

export type ClientTls = {
  /** Ours, if the server is to know who we are. */
  readonly credentials: Credentials | null;
  /** What is asked for by SNI (RFC 6066 §3). */
  readonly serverName: string | null;
  /** The server's identity as text, by either of its names. */
  readonly expected: string;
  readonly trust: Trust;
};

export type ToClient =
  | {
      readonly kind: "open";
      readonly channel: number;
      readonly address: SocketAddress;
      /** null: plaintext. */
      readonly tls: ClientTls | null;
      /** For TCP, TLS and the server's SETTINGS together, milliseconds. */
      readonly timeoutMs: number;
    }
  | {
      readonly kind: "call";
      readonly call: number;
      readonly channel: number;
      readonly method: string;
      readonly message: ArrayBuffer;
      readonly metadata: Metadata;
      readonly timeoutMs: number | null;
      readonly isStreaming: boolean;
    }
  | { readonly kind: "cancel"; readonly call: number }
  /** So many bytes of a stream's messages were used. */
  | { readonly kind: "read"; readonly call: number; readonly bytes: number }
  | { readonly kind: "close"; readonly channel: number }
  | { readonly kind: "exit" };

export type FromClient =
  | FromThread
  | { readonly kind: "opened"; readonly channel: number }
  /** It could not be opened, or takes no more calls; those that it has may go on. */
  | { readonly kind: "closed"; readonly channel: number; readonly reason: string }
  | {
      readonly kind: "message";
      readonly call: number;
      readonly message: ArrayBuffer;
    }
  | {
      readonly kind: "ended";
      readonly call: number;
      readonly status: Status;
      readonly text: string;
      readonly metadata: Metadata;
    };
