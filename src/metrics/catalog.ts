/** Every counter that is not per label set, by name: its index in shared memory is its place here. */
import { COUNTERS_MAX } from "../shared/layout.ts";

const NAMES = [
  "accepted_inbound",
  "accepted_outbound",
  "accepted_forward",
  "accept_paused",
  "detected_http1",
  "detected_http2",
  "detected_tls",
  "detected_opaque",
  "detect_timeout",
  "detect_silent",
  "detect_closed",
  "server_spoke_first",
  "client_spoke_first",
  "handed_off",
  "hand_off_stale",
  "hand_off_waited",
  "refused_no_target",
  "refused_loop",
  "refused_descriptors",
  "refused_memory",
  "refused_in_flight",
  "bad_request",
  "bad_response",
  "request_timeout",
  "client_aborted",
  "backend_aborted",
  "connect_refused",
  "connect_timeout",
  "connect_failed",
  "retried_reused",
  "retried_connect",
  "pool_hit",
  "pool_miss",
  "pool_closed_idle",
  "upgraded",
  "tunnels",
  "worker_faults",
  "worker_restarts",
  "descriptor_violations",
  "no_endpoints",
  "resolve_failed",
  "refused_not_http",
  "retried_refused",
  "http2_requests",
  "http2_connections_accepted",
  "http2_connections_opened",
  "http2_protocol_errors",
  "http2_malformed",
  "http2_floods",
  "http2_goaways_received",
  "http2_carried",
] as const;

export type CounterName = (typeof NAMES)[number];

export const COUNTER_NAMES: readonly CounterName[] = NAMES;

/** Index of each counter. */
export const Counter: Readonly<Record<CounterName, number>> = Object.freeze(
  Object.fromEntries(NAMES.map((name, index) => [name, index])) as Record<CounterName, number>,
);

if (NAMES.length > COUNTERS_MAX) throw new Error("metrics: more names than counters");
