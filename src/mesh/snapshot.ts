/** What the threads tell each other: plain values, encoded once with msgpackr or cloned. */
import type { Credentials } from "./credentials.ts";
import type { IdentityPattern } from "./identity.ts";
import type { PortPolicy, Route } from "./policy.ts";
import type { TapOrder } from "./tap.ts";

export type Endpoint = {
  /** Its row in shared memory. */
  readonly row: number;
  /** Its labels' number, see metrics/series.ts. */
  readonly series: number;
  /** 4 or 16 bytes. */
  readonly ip: Uint8Array;
  readonly port: number;
  readonly speaks: Speaks;
  readonly peer: EndpointPeer | null;
  /** Its share of requests relative to others', as the control plane tells it; absent: as usual. */
  readonly weight?: number;
};

/** Who answers at an endpoint: then it is spoken to by mutual TLS and nothing else. */
export type EndpointPeer = {
  /** The name that its certificate must have: a DNS name in lower case, or a SPIFFE URI. */
  readonly identity: string;
  /** The name that TLS asks for (SNI). */
  readonly serverName: string;
  /** The application's port behind the sidecar, told in a transport header; null: none is sent. */
  readonly port: number | null;
};

/**
 * What an endpoint speaks: HTTP/1.1, HTTP/2 by prior knowledge, or it is a sidecar, which takes
 * HTTP/1 carried as HTTP/2. `any`: whatever the client speaks.
 */
export type Speaks = "any" | "http1" | "http2" | "sidecar";

export type Service = {
  /** `web` for a static upstream; `host:port` for one found by DNS. */
  readonly name: string;
  /** Labels for what fails before an endpoint is chosen. */
  readonly series: number;
  /** Empty while or because nothing is known. */
  readonly endpoints: readonly Endpoint[];
  /** Why there are no endpoints, if so. */
  readonly failure: "dns-failed" | "dns-timeout" | "too-many-names" | "control-away" | null;
  /**
   * How its requests are sent, the first that matches; a request that none matches has no route, and
   * is refused. Empty: to its own endpoints, without limits of time and without retries.
   */
  readonly routes: readonly Route[];
};

/** All that workers route by. Immutable; a newer version replaces it. */
export type Snapshot = {
  readonly version: number;
  readonly services: readonly Service[];
  /** Further names of services: `web`, `web:80` and `web.default` may be one. */
  readonly aliases: readonly { readonly name: string; readonly service: string }[];
  /** Policy of inbound ports; null: there is no control plane, and only the flags count. */
  readonly inbound: readonly PortPolicy[] | null;
  /** Labels of clients that have proved who they are. */
  readonly clients: readonly { readonly name: string; readonly series: number }[];
};

export type ListenerKind = "inbound" | "outbound" | "forward";

export type ListenerSpec = {
  readonly kind: ListenerKind;
  /** A listening socket, made by the main thread. */
  readonly fd: number;
  readonly ip: Uint8Array;
  readonly port: number;
  /** For `forward`: the service's name as workers look it up. */
  readonly service: string | null;
};

/** What every thread is started with. */
export type ThreadStart = {
  readonly memory: SharedArrayBuffer;
  readonly listeners: readonly ListenerSpec[];
  /** Where inbound traffic without another target goes. */
  readonly app: { readonly ip: Uint8Array; readonly port: number; readonly speaks: Speaks } | null;
  readonly opaquePorts: readonly number[];
  readonly detectTimeoutMs: number;
  /** Ports of ours (listeners and admin), to refuse loops. */
  readonly ownPorts: readonly number[];
  readonly policy: InboundPolicy;
};

/** Who may come in at the inbound listener. */
export type InboundPolicy = {
  /** Only clients that have proved who they are. */
  readonly requiresIdentity: boolean;
  /** Those of them that may; null: all. It implies `requiresIdentity`. */
  readonly allowFrom: readonly IdentityPattern[] | null;
};

export type ToWorker =
  /** As an ArrayBuffer: of a Uint8Array Deno looks at each byte, 100 ns for each. */
  | { readonly kind: "snapshot"; readonly bytes: ArrayBuffer }
  | { readonly kind: "credentials"; readonly credentials: Credentials }
  /** All that is to be tapped from now on, in place of what was. */
  | { readonly kind: "tap"; readonly orders: readonly TapOrder[] }
  /** One batch of a tap was read. */
  | { readonly kind: "tap-read"; readonly id: number };

export type FromWorker =
  | { readonly kind: "ready" }
  /** No inbound connection is waiting for a verdict any more (acceptor), or served (worker). */
  | { readonly kind: "inbound-drained" }
  /** A name (`web`, `web:8080`) that the worker's snapshot does not have. */
  | { readonly kind: "resolve"; readonly authority: string }
  /** A port of the application whose policy the worker's snapshot lacks. */
  | { readonly kind: "port"; readonly port: number }
  /** A client whose labels the worker's snapshot does not have. */
  | { readonly kind: "client"; readonly name: string }
  | {
      readonly kind: "log";
      readonly level: "error" | "warn" | "info" | "debug";
      readonly text: string;
    }
  | { readonly kind: "access"; readonly line: string }
  /** `events` is a TapEvent[]; before them `dropped` more did not fit. Answered by `tap-read`. */
  | {
      readonly kind: "tap";
      readonly id: number;
      readonly dropped: number;
      readonly events: ArrayBuffer;
    };
