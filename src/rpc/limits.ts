/** Every limit and wait of gRPC, both ends, with its reason. */

/** One message: gRPC's own default for what is received, so that every peer knows it. */
export const MESSAGE_BYTES_MAX = 4_194_304;
/** Messages that one thread is putting together at the same time, all calls together. */
export const ASSEMBLED_BYTES_MAX = 67_108_864;
/** Messages that wait on one stream because its client is slow: two of the largest. */
export const QUEUED_BYTES_MAX = 2 * (MESSAGE_BYTES_MAX + 5);
/** Of one connection; above it producers wait. A window of HTTP/2: more would not go out sooner. */
export const QUEUED_BYTES_HIGH = 65_536;
/** The same of one stream: its client may leave it unread, and the others are to go on. */
export const STREAM_QUEUED_BYTES_HIGH = 16_384;
/**
 * When so much waits on all streams of a server, those are cut whose client takes nothing: more than a
 * thousand sidecars come to that are all told long lists at once …
 */
export const QUEUED_PRESSED_BYTES = 100_663_296;
/** … for so long, and not only after the minute that HTTP/2 gives it. */
export const STALL_PRESSED_MS = 2_000;
/** Messages that were given to the main thread and not yet taken: beyond it, no window is given. */
export const UNREAD_BYTES_MAX = 262_144;
/** A custom field's name and value, all fields of a call together. */
export const METADATA_BYTES_MAX = 8_192;

/** Connections of a server: one or two for each of thousands of sidecars. */
export const CONNECTIONS_MAX = 10_000;
/** Calls of a server, all connections together: each sidecar watches a handful of things. */
export const CALLS_MAX = 65_536;
/**
 * Calls of one connection: a sidecar watches endpoints and routes of up to 1,024 names and the policy
 * of 64 ports, and announces. Mostly it is a handful.
 */
export const STREAMS_MAX = 2_560;
/** Connections that a client's thread keeps at once. */
export const CHANNELS_MAX = 64;
/** Calls of one channel that wait for room at the server: all that a sidecar watches, begun at once. */
export const CALLS_WAITING_MAX = STREAMS_MAX;

/** From accept to the end of the TLS handshake, or to the first byte of plaintext. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** From a call's head to the end of its one message: 4 MiB at a megabit take longer than a head. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** How long a handler may take when the client named no deadline; of a stream, to take it on. */
export const HANDLER_TIMEOUT_MS = 30_000;
/** A connection without calls. Above the clients' own idle time, so that they close first. */
export const IDLE_MS = 600_000;
/** The same for who has not said who it is: it asks for a certificate, and is gone. */
export const ANONYMOUS_IDLE_MS = 30_000;
/** Half a frame holds a chunk of memory, and no longer than half a head of HTTP/1 would. */
export const PART_TIMEOUT_MS = 10_000;
/** How often a connection looks for what has come to its end. */
export const SWEEP_MS = 1_000;
/** How often a server's counts go to the main thread, if they have changed. */
export const COUNTS_MS = 250;
/** What is to be said at the end may wait for a slow peer. */
export const FLUSH_TIMEOUT_MS = 5_000;
/** A closing connection reads on for so long, so that our last frames are not reset away. */
export const LINGER_MS = 1_000;
/** … and so much; of a call that was refused, the same. */
export const LINGER_BYTES_MAX = 1_048_576;
/** How long calls may go on after the certificate has expired by which the peer was known. */
export const EXPIRED_GRACE_MS = 60_000;
/** Silence while calls are open after which the peer is asked whether it lives. */
export const PING_MS = 10_000;
/** Opening a connection: TCP alone, then TLS and the server's SETTINGS. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** Reads per connection and turn, so that one fast peer does not starve the others. */
export const READS_PER_TURN = 8;
/** Accepts in one go, for the same reason. */
export const ACCEPTS_PER_TURN = 64;
/** After a failed accept (EMFILE, ENFILE, ENOMEM) the queue is looked at again so much later. */
export const ACCEPT_PAUSE_MS = 100;
