/**
 * Every limit of an HTTP/2 connection, with its reason. What the peer can make us keep, or do for
 * nothing, is bounded here; the attacks are those of CVE-2023-44487, CVE-2025-8671, CVE-2024-27316,
 * CVE-2016-6581, CVE-2026-49975 and CVE-2019-9511 to 9518.
 */

/** Streams that a client may have open at once: RFC 9113 §6.5.2 advises no less. */
export const STREAMS_MAX = 100;
/** What one stream may send before we have passed on what it sent. */
export const STREAM_WINDOW_BYTES = 65_535;
/** What a connection may send at once. Given back on receipt: streams bound what is kept. */
export const CONNECTION_WINDOW_BYTES = 1_048_576;
/** Output that waits for the socket; streams send no more meanwhile, and keep theirs. */
export const OUTPUT_BYTES_MAX = 65_536;
/** A header block before it is decoded. */
export const BLOCK_BYTES_MAX = 65_536;
/** From a block's first frame to its last, as for a head of HTTP/1: nothing else can come meanwhile. */
export const BLOCK_TIMEOUT_MS = 10_000;
/** CONTINUATION frames in a block: at 16 KiB each these hold more than a block may have. */
export const CONTINUATIONS_MAX = 8;
/** Entries in one SETTINGS frame; six have a meaning. */
export const SETTINGS_ENTRIES_MAX = 32;
/** Frames without content that wait because the peer does not read them. */
export const CONTROL_FRAMES_QUEUED_MAX = 1_000;
/** What streams of one worker keep, all connections together, because the other side is slow. */
export const KEPT_BYTES_MAX = 33_554_432;
/** Interim (1xx) responses on one stream. */
export const INTERIM_MAX = 32;
/** A peer that has not acknowledged our SETTINGS by then does not speak HTTP/2 (RFC 9113 §6.5.3). */
export const SETTINGS_TIMEOUT_MS = 10_000;
/** A stream on which nothing moves although it is the peer's turn. */
export const STREAM_STALL_MS = 60_000;
/** The same while the worker keeps more than half of KEPT_BYTES_MAX: others need the room. */
export const STREAM_STALL_PRESSED_MS = 5_000;

/** Misbehaviour that a connection may show at once, and again for each second (nghttp2's figures). */
export const GLITCHES_MAX = 1_000;
export const GLITCHES_PER_SECOND = 33;
/** What each costs. A stream that ends as it should gives one back. */
export const Glitch = {
  /** A stream ended by the peer's RST_STREAM, or by ours for what the peer did. */
  reset: 1,
  /** SETTINGS, and PING and WINDOW_UPDATE beyond what our DATA explains. */
  control: 1,
  /** PRIORITY: deprecated, ignored, and sent by some clients for every request. */
  priority: 0.2,
  /** A frame for a stream that is over. */
  late: 0.2,
  /** … that we had ended: it was on its way. A window's worth for each such stream is normal. */
  crossed: 0.02,
  /** DATA, HEADERS or CONTINUATION that carries nothing and ends nothing. */
  empty: 1,
  /** DATA of less than a gRPC message's head has. */
  tiny: 0.1,
} as const;
export const TINY_DATA_BYTES = 5;
/** PING and WINDOW_UPDATE that one DATA frame of ours explains: a window each, a probe. */
export const ANSWERS_PER_DATA = 3;
/** … saved up to so many. */
export const ANSWERS_MAX = 1_000;
