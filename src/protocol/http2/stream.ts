/**
 * One stream as both ends of it are kept, RFC 9113 §5.1. A stream object lives from its first
 * HEADERS frame until both sides have ended it or one has reset it:
 *
 *            peerEnded = false            peerEnded = true
 *   weEnded  ┌──────────────┐  END_STREAM ┌──────────────────────┐
 *   = false  │ open         │ ──received─▶│ half-closed (remote) │
 *            └──────┬───────┘             └──────────┬───────────┘
 *         END_STREAM sent                    END_STREAM sent
 *            ┌──────▼──────────────┐             ┌───▼────┐   RST_STREAM, sent or received,
 *   = true   │ half-closed (local) │ ──received─▶│ closed │ ◀─ leads here from anywhere
 *            └─────────────────────┘             └────────┘
 *
 * Handlers are called by the connection; whoever is called may end this or any other stream.
 */
import type { FieldSection } from "../../codec/http1/field-section.ts";
import type { KeptData } from "./kept-data.ts";
import { STREAM_WINDOW_BYTES } from "./limits.ts";

/** Who ended a stream early: the peer, we, or the connection that broke or goes away without it. */
export type ResetBy = "peer" | "us" | "connection";

export abstract class Http2Stream {
  id = 0;
  /** It is in its connection's table. */
  isOpen = false;
  peerEnded = false;
  weEnded = false;
  /** The head came: the request's, or the final response's. */
  hasHead = false;
  /** Content still to come by Content-Length, bytes; -1: it was not said. */
  contentLeft = -1;
  /** What the peer may still send. */
  receiveWindow = STREAM_WINDOW_BYTES;
  /** Passed on, but not yet given back to the peer. */
  returnable = 0;
  /** What we may still send; below 0 after the peer has shrunk its windows (§6.9.2). */
  sendWindow = 0;
  /** Content that waits for a window or for the socket, and what comes after it. */
  kept: KeptData | null = null;
  endsAfterKept = false;
  /** Lines `name: value` CRLF. */
  trailersAfterKept: Uint8Array | null = null;
  carriesTrailers = false;
  /** Monotonic milliseconds at which something last moved. */
  progressMs = 0;
  /** When to reset it if the peer has not ended it by then although all was said; 0: never. */
  resetAtMs = 0;
  /** In the queue of those that can send. */
  isQueued = false;
  next: Http2Stream | null = null;

  /** Content in the connection's `bytes[start, end)`; `isEnd`: the peer has ended the stream. */
  abstract onData(start: number, end: number, isEnd: boolean): void;
  /** Trailer fields, offsets relative to `base`; the peer has ended the stream. */
  abstract onTrailers(fields: FieldSection, base: number): void;
  /** The stream is over before its time; `code` is an ErrorCode or what the peer sent. */
  abstract onReset(code: number, by: ResetBy): void;
  /** All content that waited is on its way. */
  abstract onDrained(): void;
  /** Both sides have ended it as they should. */
  abstract onClosed(): void;

  /** Becomes as new, to serve as another stream; nobody may still know it as the old one. */
  protected renew(): void {
    this.id = 0;
    this.peerEnded = false;
    this.weEnded = false;
    this.hasHead = false;
    this.contentLeft = -1;
    this.receiveWindow = STREAM_WINDOW_BYTES;
    this.returnable = 0;
    this.kept = null;
    this.endsAfterKept = false;
    this.trailersAfterKept = null;
    this.resetAtMs = 0;
  }

  /** Content that waits, bytes. */
  get keptBytes(): number {
    return this.kept === null ? 0 : this.kept.length;
  }
}
