/** What the directory keeps: services, their endpoints, and who holds these. */
import type { ServiceName } from "../../mesh/service-name.ts";
import type { RpcError } from "../../rpc/status.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ServiceLog } from "./service-log.ts";

export type Announced = {
  readonly service: ServiceName;
  readonly endpoint: Endpoint;
  /** Of the process that announces, as hexadecimal digits. */
  readonly instance: string;
};

/** What the directory asks of the policy. */
export type DirectoryPolicy = {
  isOpaque(service: string, applicationPort: number): boolean;
  mayAnnounce(identity: string, service: ServiceName): boolean;
};

/** The stream that holds an endpoint. */
export type LeaseHolder = {
  /** Somebody or something else has ended it, with Status.ok if it was meant to. */
  onLeaseEnd(error: RpcError): void;
};

export type Entry = {
  readonly service: Service;
  readonly key: string;
  readonly address: string;
  endpoint: Endpoint;
  /** null: its stream has ended. */
  lease: LeaseHolder | null;
  /** Of the process that announced it last; empty after our own restart. */
  instance: string;
  /** When it goes, if no lease is taken until then. */
  goneAtMs: number;
};

export type Service = {
  readonly name: ServiceName;
  readonly log: ServiceLog;
  readonly entries: Map<string, Entry>;
  /** When it had an endpoint last, milliseconds since 1970. */
  seenMs: number;
};

export const NO_COUNTS = {
  announced: 0,
  refused: 0,
  resumed: 0,
  taken_over: 0,
  released: 0,
  expired: 0,
  withdrawn: 0,
  revoked: 0,
  restored: 0,
};
