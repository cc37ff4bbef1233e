/** Every limit and wait of the data path, with its reason. */

/** From a head's first byte to its last; slow senders hold a connection no longer. */
export const HEAD_TIMEOUT_MS = 10_000;
/** An idle client. Long: closing first would race the next request. */
export const CLIENT_IDLE_MS = 3_600_000;
/** No byte moves although it is the client's turn: slow bodies and slow readers. */
export const CLIENT_STALL_MS = 60_000;
/** A closing connection reads on for so long, so that our last response is not reset away. */
export const LINGER_MS = 1_000;
/** … and so much. */
export const LINGER_BYTES_MAX = 1_048_576;
/** Connecting to an endpoint; the application beside us answers sooner. */
export const CONNECT_TIMEOUT_MS = 1_000;
export const APP_CONNECT_TIMEOUT_MS = 300;
/** From a request's dispatch until it must have an endpoint, over all tries. */
export const FAILFAST_MS = 3_000;
/** Endpoints tried for one request or connection. */
export const TRIES_MAX = 5;
/** Idle upstream connections: below every server's own idle time in the field. */
export const POOL_IDLE_MS = 3_000;
/** … to what age one is used although nobody knows yet how long its server keeps it. */
export const SURE_IDLE_MS = 100;
/** A shorter `Keep-Alive: timeout`, or time that was observed, is undercut by this much at most. */
export const POOL_IDLE_MARGIN_MS = 500;
/** A round trip, and a retransmission of what was lost on it; see unanswered.ts. */
export const VERDICT_MS = 1_000;
/** Idle connections per endpoint and worker. */
export const POOL_SIZE_MAX = 1_024;
/** Requests and connections in flight, over all workers, to each an equal share (Linkerd's). */
export const IN_FLIGHT_MAX = 100_000;
/** Requests waiting for a name to be looked up, and those waiting for an endpoint, per worker. */
export const QUEUE_MAX = 10_000;
/** How often it is looked whether an endpoint is back while requests wait for one, or did lately. */
export const LINE_SWEEP_MS = 32;
/** Of those who wait so many go on at each look: 8,000 a second, and no herd. */
export const LINE_WOKEN_MAX = 256;
/** Connections of HTTP/2 per endpoint and worker: with 100 streams each, plenty for one endpoint. */
export const HTTP2_CONNECTIONS_MAX = 16;
/** One that carried nothing for so long is closed; a new one costs a round trip. */
export const HTTP2_IDLE_MS = 60_000;
/** With so many streams a connection has some that another turn would bring something for. */
export const SHARED_STREAMS_MIN = 4;
/** How often a connection of HTTP/2 looks for streams that do not move. */
export const HTTP2_SWEEP_MS = 1_000;
/** Silence while streams are open after which the peer is asked whether it lives (Linkerd's). */
export const HTTP2_PING_MS = 10_000;
/** … and how long it has to answer. */
export const HTTP2_PING_TIMEOUT_MS = 3_000;
/** Limits of time that requests ask for themselves: a day, as for a policy's. */
export const ASKED_MS_MAX = 86_400_000;
/**
 * … of which one that passes sooner does not count against the endpoint: a client could have all of them
 * ejected, half at a time, by limits that none can keep to.
 */
export const ASKED_TELLS_MS = 1_000;
/** Tries beyond the first, whatever a policy says: more of them no client waits for. */
export const RETRIES_MAX = 16;
/**
 * Of a service's requests this share may be retried (Linkerd's and Finagle's budget): a service that
 * fails altogether gets 1.2 times its load, not three times.
 */
export const RETRY_RATIO = 0.2;
/** … or so many a second, over all workers: with few requests a share of them is none. */
export const RETRIES_PER_SECOND_MIN = 10;
/**
 * An endpoint that answers 503 and asks for more (Retry-After, gRPC's pushback) is left alone for so
 * long, as the circuit breaker does at the most: a wrong or hostile value takes it away for no longer.
 */
export const HELD_MAX_MS = 60_000;
/** … and with 429: that is mostly about one client, and the others are not to wait for it. */
export const THROTTLED_MAX_MS = 5_000;
/** A retry waits for its endpoint, where there is no other, so long; else there is none. */
export const RETRY_WAIT_MAX_MS = 3_000;
/** Waited before endpoints that have all refused a request are asked again; doubled each time. */
export const REPEAT_BACKOFF_MIN_MS = 25;
export const REPEAT_BACKOFF_MAX_MS = 250;
/**
 * A request that has waited so long at an endpoint that hangs goes to another one. Stops of a process by
 * its garbage collector, or for want of CPU, are over by then.
 */
export const UNANSWERED_MS = 3_000;
/** … and so many times what is usual in the pool, where that is more: one that is slow altogether. */
export const UNANSWERED_TIMES = 10;
/** How often it is looked which endpoints hang. */
export const HANG_LOOK_MS = 250;
/** A worker that did not look for so long begins anew: what it has not read yet is no silence. */
export const HANG_STALLED_MS = 1_000;
/** Retries that a worker can save up for a bad moment: ten seconds of the least rate. */
export const RETRIES_SAVED_MAX = 100;
/** Interim (1xx) responses to one request. */
export const INTERIM_MAX = 32;
/** Reads per connection and turn, so that one fast stream does not starve the others. */
export const READS_PER_TURN = 8;

/** A client has this long to finish a handshake; linkerd2-proxy's detection timeout covers it too. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Steps of handshakes in one turn: about 2 ms, which is what a request in flight waits at most. */
export const HANDSHAKE_STEPS_PER_TURN = 4;
/** Handshakes under way in one worker: at two steps each, the last waits about a second. */
export const HANDSHAKES_MAX = 1_024;
/** A client that has said nothing for so long after its handshake waits for the server to speak. */
export const TLS_SILENCE_MS = 100;
/**
 * At a sidecar with an identity a client that has said nothing may be one of ours whose hello is late,
 * on a loaded machine or a slow network; so long it is not taken for one that waits for the server.
 * Whoever connects gives up after 1 s (CONNECT_TIMEOUT_MS).
 */
export const LATE_HELLO_MS = 500;
/** How often it is looked whose proof of identity is over. */
export const PROOF_SWEEP_MS = 1_000;
/**
 * From the end of a peer's certificate on its connections take nothing new; what is still under way
 * after so long is cut. Long enough for a renewal that was late, short against a lifetime of 24 h.
 */
export const PROOF_GRACE_MS = 300_000;
/** What HTTP/2 streams keep, as a part of what the worker's arena holds: all of 32 MiB in a whole one. */
export const KEPT_PART = 1 / 4;
