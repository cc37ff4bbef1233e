/** Why the proxy answers by itself: status (Linkerd's), RFC 9209 error type, text, and counter. */
import type { CounterName } from "../metrics/catalog.ts";

type Entry = {
  readonly status: number;
  /** RFC 9209 §2.3 */
  readonly type: string;
  readonly text: string;
  readonly counter: CounterName;
};

export const PROXY_ERRORS = {
  "connect-refused": entry(502, "connection_refused", "connection refused", "connect_refused"),
  "connect-timeout": entry(504, "connection_timeout", "connect timed out", "connect_timeout"),
  "connect-unreachable": entry(
    502,
    "destination_ip_unroutable",
    "endpoint unreachable",
    "connect_failed",
  ),
  "no-descriptors": entry(503, "proxy_internal_error", "out of descriptors", "refused_descriptors"),
  "no-memory": entry(503, "proxy_internal_error", "out of buffers", "refused_memory"),
  overloaded: entry(
    503,
    "connection_limit_reached",
    "too many requests in flight",
    "refused_in_flight",
  ),
  shed: entry(503, "connection_limit_reached", "this sidecar is overloaded", "shed_delay"),
  "no-endpoints": entry(503, "destination_unavailable", "no endpoints available", "no_endpoints"),
  failfast: entry(504, "destination_unavailable", "service in fail-fast", "no_endpoints"),
  unavailable: entry(503, "destination_unavailable", "service unavailable", "failfast_refused"),
  "queue-full": entry(
    503,
    "destination_unavailable",
    "too many requests wait for an endpoint",
    "queue_full",
  ),
  "dns-failed": entry(502, "dns_error", "name could not be resolved", "resolve_failed"),
  "dns-timeout": entry(504, "dns_timeout", "name resolution timed out", "resolve_failed"),
  "too-many-names": entry(503, "destination_unavailable", "too many names", "resolve_failed"),
  "control-away": entry(
    503,
    "destination_unavailable",
    "the control plane could not be asked",
    "resolve_failed",
  ),
  "no-route": entry(404, "destination_not_found", "no route matches", "refused_no_route"),
  "policy-unknown": entry(
    503,
    "proxy_configuration_error",
    "the policy of this port is not known yet",
    "denied_policy_unknown",
  ),
  "policy-denied": entry(403, "http_request_denied", "not allowed by policy", "denied_policy"),
  "route-timeout": entry(504, "http_response_timeout", "request timed out", "route_timeout"),
  "idle-timeout": entry(504, "http_response_timeout", "idle for too long", "route_timeout"),
  "no-target": entry(
    400,
    "destination_not_found",
    "no target for this request",
    "refused_no_target",
  ),
  "not-http": entry(400, "http_protocol_error", "the target speaks HTTP only", "refused_not_http"),
  loop: entry(508, "proxy_loop_detected", "the target is this proxy", "refused_loop"),
  forbidden: entry(403, "destination_ip_prohibited", "target not allowed", "refused_loop"),
  "identity-required": entry(
    403,
    "http_request_denied",
    "only clients with an identity are let in",
    "denied_no_identity",
  ),
  "identity-denied": entry(
    403,
    "http_request_denied",
    "this identity is not let in",
    "denied_identity",
  ),
  "no-identity": entry(
    503,
    "proxy_configuration_error",
    "this sidecar has no valid certificate",
    "tls_client_no_identity",
  ),
  "tls-failed": entry(502, "tls_protocol_error", "TLS handshake failed", "tls_client_failed"),
  "peer-untrusted": entry(
    502,
    "tls_certificate_error",
    "the endpoint has not proved who it should be",
    "tls_client_untrusted",
  ),
  "backend-closed": entry(
    502,
    "connection_terminated",
    "closed before a response",
    "backend_aborted",
  ),
  "backend-closed-again": entry(
    502,
    "connection_terminated",
    "closed before a response, twice",
    "backend_aborted",
  ),
  "backend-reset": entry(
    502,
    "connection_terminated",
    "stream reset before a response",
    "backend_aborted",
  ),
  refused: entry(
    502,
    "destination_unavailable",
    "request refused by the endpoint",
    "backend_aborted",
  ),
  "bad-response": entry(502, "http_protocol_error", "invalid response", "bad_response"),
  "bad-upgrade": entry(
    502,
    "http_upgrade_failed",
    "unexpected switch of protocols",
    "bad_response",
  ),
  "request-timeout": entry(408, "http_request_error", "request timed out", "request_timeout"),
  internal: entry(500, "proxy_internal_error", "unexpected error", "worker_faults"),
} as const satisfies Record<string, Entry>;

export type ProxyErrorCode = keyof typeof PROXY_ERRORS;

/**
 * The status that stands for a try which ended so, to be retried like a response of that status; 0
 * when it failed by us and not by the endpoint: another try would do no better.
 */
export function statusOfTry(code: ProxyErrorCode): number {
  const { status, type } = PROXY_ERRORS[code];
  return type.startsWith("proxy_") ? 0 : status;
}

/** Whether a response of `status` says that the endpoint, and not the request, is unwell. */
export function isFailure(status: number): boolean {
  return status >= 500 || status === 429;
}

/**
 * Whether it speaks for ejecting the endpoint: all of 5xx, as in Linkerd and Envoy. A 500 often comes of
 * what was asked, but one that every request gets does not, and an endpoint is ejected only if others fare
 * better. 429 is not counted: it is mostly about the client, and ejecting would have the others refuse
 * as well; who asks to be left alone is (EndpointRows.hold).
 */
export function isBad(status: number): boolean {
  return status >= 500;
}

/** Counted for each attempt to connect, and so not once more for the answer that comes of it. */
const COUNTED_AT_DIAL: ReadonlySet<ProxyErrorCode> = new Set([
  "connect-refused",
  "connect-timeout",
  "connect-unreachable",
  "tls-failed",
  "peer-untrusted",
]);

/** RFC 9209: who answers in place of the endpoint, and why. `text`: ASCII without quotes. */
export function proxyStatus(type: string, text: string): string {
  return `outrigger; error=${type}; details="${text}"`;
}

/** The endpoint could not be connected to, and so was sent nothing. */
export function isConnectFailure(code: ProxyErrorCode): boolean {
  return code === "connect-refused" || code === "connect-timeout" || code === "connect-unreachable";
}

/** The counter of what is answered with `code`; null when attempts were counted already. */
export function counterOfAnswer(code: ProxyErrorCode): CounterName | null {
  return COUNTED_AT_DIAL.has(code) ? null : PROXY_ERRORS[code].counter;
}

/** The counter of an attempt to connect that failed so; null when its answer is counted. */
export function counterOfDial(code: ProxyErrorCode): CounterName | null {
  return COUNTED_AT_DIAL.has(code) ? PROXY_ERRORS[code].counter : null;
}

function entry(status: number, type: string, text: string, counter: CounterName): Entry {
  return { status, type, text, counter };
}
