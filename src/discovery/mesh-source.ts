/**
 * What discovery needs of a control plane: calls that go on for as long as they are wanted, begun
 * anew on each connection, and how the way there is. Decoded, but not yet understood.
 */
import type { Update } from "../proto/destination_pb.ts";
import type { Server } from "../proto/inbound_pb.ts";
import type { OutboundPolicy } from "../proto/outbound_pb.ts";

/** `connecting`: no attempt has failed since the start, or since a connection was lost. */
export type LinkState = "connecting" | "connected" | "away";

/** Why the control plane ended a call, as far as it matters to who asked. */
export type Refusal =
  /** There is no such thing, now. */
  | "unknown"
  /** It will never be answered. */
  | "invalid"
  | "denied"
  | "failed";

export interface Watcher<T> {
  /**
   * `isFirst`: of a call that was begun anew, so what comes from now on is all there is. Throws when
   * it makes no sense; the call is then begun again later.
   */
  onMessage(message: T, isFirst: boolean): void;
  /** The control plane is there, and has ended the call. Returns whether it is to be begun again. */
  onRefused(refusal: Refusal, text: string): boolean;
}

/** Ends a call; nothing comes of it any more. */
export type StopWatching = () => void;

export interface MeshSource {
  readonly state: LinkState;
  /** Of a service, by its whole name. */
  watchEndpoints(service: string, watcher: Watcher<Update>): StopWatching;
  /** How requests to a service are sent. */
  watchRoutes(service: string, watcher: Watcher<OutboundPolicy>): StopWatching;
  /** Who may reach a port of the application. */
  watchPort(port: number, watcher: Watcher<Server>): StopWatching;
}
