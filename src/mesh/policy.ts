/**
 * Policy as workers apply it: who may reach which port of the application, and how the requests of a
 * service are sent. Plain values, to be sent to threads and kept on disk; where they come from (a
 * control plane's messages) is not known here.
 */

/** An address block (CIDR, RFC 4632): the first `prefixLength` bits of `ip` count. */
export type Network = {
  /** 4 or 16 bytes. */
  readonly ip: Uint8Array;
  /** 0 to 32 or 128. */
  readonly prefixLength: number;
};

/** Whoever this fits may come in. */
export type Authorization = {
  /** Where the client's address must lie, in one of them; none: anywhere. */
  readonly networks: readonly { readonly net: Network; readonly except: readonly Network[] }[];
  readonly clients: /** Anybody, also without TLS. */
    | { readonly kind: "anyone" }
    /** Whoever has proved an identity of the mesh. */
    | { readonly kind: "meshed" }
    /**
     * Whoever has proved one of these: names as `ClientIdentity.name` has them, exactly; or a DNS-like
     * name that ends in one of the suffixes, each beginning with its dot.
     */
    | {
        readonly kind: "named";
        readonly identities: readonly string[];
        readonly suffixes: readonly string[];
      };
};

/** What holds for one port of the application. */
export type PortPolicy = {
  readonly port: number;
  /** Its bytes are not looked at: no detection, no HTTP. */
  readonly isOpaque: boolean;
  /** One that fits is enough; none: nobody comes in. */
  readonly authorizations: readonly Authorization[];
};

export type PathMatch = {
  /** `prefix`: whole segments, `/a` fits `/a`, `/a/b` and `/a?q` but not `/ab`. */
  readonly kind: "exact" | "prefix";
  /** The path of a target, without its query. */
  readonly path: string;
};

export type RouteMatch = {
  /** null: any. */
  readonly path: PathMatch | null;
  /** In capitals; null: any. */
  readonly method: string | null;
};

/** Statuses of gRPC among those of HTTP: 914 is UNAVAILABLE. */
export const GRPC_STATUS = 900;

export type RetryPolicy = {
  /** Tries beyond the first. */
  readonly limit: number;
  /** Statuses that are worth another try, both ends included; gRPC's are GRPC_STATUS and more. */
  readonly statuses: readonly { readonly from: number; readonly to: number }[];
  /** Until a response's head must have come, all but for the last try; 0: no limit. */
  readonly tryTimeoutMs: number;
  /** Waited before the n-th further try: between these, doubled each time, with full jitter. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
};

/** How requests are sent; the first route that matches counts. */
export type Route = {
  /** One that fits is enough; none: all requests. */
  readonly matches: readonly RouteMatch[];
  /** Names of services in the snapshot, by weight; none: the service that the route belongs to. */
  readonly backends: readonly { readonly service: string; readonly weight: number }[];
  /** From the request's head to the response's end; 0: no limit. */
  readonly requestTimeoutMs: number;
  /** From the request's end to the response's end; 0: no limit. */
  readonly responseTimeoutMs: number;
  /** Until something was sent or came, either way; 0 or not said: no limit. */
  readonly idleTimeoutMs?: number;
  /** Requests may say other limits and retries for themselves, in fields `l5d-…`. */
  readonly allowsFields?: boolean;
  readonly retry: RetryPolicy | null;
};
