/**
 * What a server's thread and the main thread say to each other. Calls have numbers, given by the
 * thread and never used again. A call is over with `end` from the one side or `cancelled` from the
 * other; what is said of it afterwards is ignored. Messages go as an ArrayBuffer: in a Uint8Array
 * Deno looks at each byte when it receives one, 100 ns for each (measured with Deno 2.9.6).
 */
import type { Credentials, Identity } from "../mesh/credentials.ts";
import type { Metadata, Status } from "./status.ts";
import type { FromThread, RpcThreadStart } from "./thread.ts";

export type MethodKind = "unary" | "server-streaming";

export type Method = {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly kind: MethodKind;
};

/** Limits that a server may be started with other values of; see limits.ts. */
export type ServerLimits = {
  readonly connectionsMax: number;
  readonly queuedPressedBytes: number;
  readonly callsMax: number;
  readonly handshakeTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly handlerTimeoutMs: number;
  readonly idleMs: number;
  readonly silenceMs: number;
};

export type RpcServerStart = RpcThreadStart & {
  /** Listening sockets. They belong to the thread from here on: it closes them. */
  readonly listenFds: readonly number[];
  readonly methods: readonly Method[];
  /** Its own; null: no TLS, and so nobody but this host is served. */
  readonly credentials: Credentials | null;
  readonly limits: ServerLimits;
};

/** Who calls. */
export type Peer = {
  /** `ip:port`. */
  readonly address: string;
  readonly isTls: boolean;
  /** Proved by the certificate of the connection; null: it showed none. */
  readonly identity: Identity | null;
};

export type ToServer =
  /** Somebody works on the call; only for streams, whose answer may take for ever. */
  | { readonly kind: "taken"; readonly call: number }
  | {
      readonly kind: "message";
      readonly call: number;
      readonly message: ArrayBuffer;
    }
  | {
      readonly kind: "end";
      readonly call: number;
      readonly status: Status;
      readonly text: string;
      readonly metadata: Metadata;
    }
  /** For connections from now on. */
  | { readonly kind: "credentials"; readonly credentials: Credentials }
  /** Nothing new is taken; the thread ends when the last connection has. */
  | { readonly kind: "drain" }
  | { readonly kind: "exit" };

export type FromServer =
  | FromThread
  | {
      readonly kind: "call";
      readonly call: number;
      readonly method: string;
      readonly message: ArrayBuffer;
      readonly metadata: Metadata;
      readonly peer: Peer;
      /** Milliseconds that the client still waits; null: it said nothing of that. */
      readonly timeoutMs: number | null;
    }
  /** The client called it off or has gone, or its time is over. */
  | { readonly kind: "cancelled"; readonly call: number }
  /** All that was given was taken, so many bytes in all, prefixes of five bytes each included. */
  | { readonly kind: "drained"; readonly call: number; readonly takenBytes: number }
  | { readonly kind: "counts"; readonly counts: ServerCounts };

/** Since the start, but for `connections` and `calls`, which are now. */
export type ServerCounts = Record<ServerCount, number>;

export type ServerCount = keyof typeof NO_SERVER_COUNTS;

export const NO_SERVER_COUNTS = {
  connections: 0,
  calls: 0,
  accepted: 0,
  accept_paused: 0,
  refused_connections: 0,
  refused_plaintext: 0,
  refused_tls: 0,
  failed_handshakes: 0,
  refused_certificates: 0,
  idle_closed: 0,
  silent_closed: 0,
  floods: 0,
  protocol_errors: 0,
  malformed: 0,
  bad_requests: 0,
  unknown_methods: 0,
  calls_begun: 0,
  calls_refused: 0,
  calls_cancelled: 0,
  calls_late: 0,
  calls_overflowed: 0,
};
