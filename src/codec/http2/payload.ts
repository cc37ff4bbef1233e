/**
 * What lies around the content of DATA and HEADERS (RFC 9113 §6.1, §6.2): padding, and the priority
 * that RFC 7540 had and that we only skip, but for a stream that depends on itself, which that RFC
 * made an error.
 */
import { Flag, readU31 } from "./frame-head.ts";

const PRIORITY_BYTES = 5;

export class Payload {
  /** Where the content lies. */
  start = 0;
  end = 0;
  /** A stream that depends on itself, RFC 7540 §5.3.1. */
  isSelfDependent = false;

  /** Finds the content of `bytes[start, end)`. False: padding or priority do not fit. */
  read(bytes: Uint8Array, start: number, end: number, flags: number, streamId: number): boolean {
    let from = start;
    let to = end;
    this.isSelfDependent = false;
    if ((flags & Flag.padded) !== 0) {
      if (from === to) return false;
      to -= bytes[from++] ?? 0;
    }
    if ((flags & Flag.priority) !== 0) {
      this.isSelfDependent = to - from >= PRIORITY_BYTES && readU31(bytes, from) === streamId;
      from += PRIORITY_BYTES;
    }
    this.start = from;
    this.end = to;
    return from <= to;
  }
}
