/**
 * The one array that connections of a test share, laid out like a worker's arena, and the Output that
 * they write to. Every hand-out of room is checked: one at a time, nothing written beyond it, and
 * nothing anywhere between the ranges.
 */
import * as assert from "uvu/assert";
import type { Http2Memory } from "../../../src/protocol/http2/connection.ts";
import { KeptBudget } from "../../../src/protocol/http2/kept-data.ts";
import type { Output } from "../../../src/protocol/http2/sender.ts";

const GUARD_BYTES = 64;
const POISON = 0xa5;
const KIB_128 = 131_072;

/** Where a test puts the bytes that a connection receives. */
export const INPUT: number = GUARD_BYTES;
export const INPUT_BYTES: number = KIB_128;
/** Where a test puts content and heads that a connection is to send. */
export const CONTENT: number = INPUT + INPUT_BYTES + GUARD_BYTES;
export const CONTENT_BYTES: number = KIB_128;
const SCRATCH = CONTENT + CONTENT_BYTES + GUARD_BYTES;
const DECODED = SCRATCH + KIB_128 + GUARD_BYTES;
const OUT = DECODED + 2 * KIB_128 + GUARD_BYTES;
/** The longest frame is 16,384 bytes and its head. */
const OUT_BYTES = 16_384 + 9;
const GUARDS: readonly number[] = [
  0,
  CONTENT - GUARD_BYTES,
  SCRATCH - GUARD_BYTES,
  DECODED - GUARD_BYTES,
  OUT - GUARD_BYTES,
  OUT + OUT_BYTES,
];

export const memory: Uint8Array<ArrayBuffer> = new Uint8Array(OUT + OUT_BYTES + GUARD_BYTES);
for (const at of GUARDS) memory.fill(POISON, at, at + GUARD_BYTES);

/** Fails when anything was written between the ranges. */
export function assertGuards(): void {
  for (const at of GUARDS) {
    const guard = memory.subarray(at, at + GUARD_BYTES);
    assert.ok(
      guard.every((byte) => byte === POISON),
      `bytes around ${at} were overwritten`,
    );
  }
}

/** What connections share, with a budget of its own. */
export function memoryOf(budget: KeptBudget = new KeptBudget()): Http2Memory {
  return { budget, decodedAt: DECODED, scratch: { start: SCRATCH, end: SCRATCH + KIB_128 } };
}

export class ArrayOutput implements Output {
  readonly bytes: Uint8Array = memory;
  queuedBytes = 0;
  /** Whether a flush sends all; if not, everything stays queued. */
  isTaken = true;
  /** Everything that was committed, in order. */
  readonly written: Buffer[] = [];
  #reservedBytes = -1;

  reserve(count: number): number {
    assert.is(this.#reservedBytes, -1, "one reservation at a time");
    assert.ok(count <= OUT_BYTES, `a reservation of ${count} bytes`);
    this.#reservedBytes = count;
    memory.fill(POISON, OUT + count, OUT + OUT_BYTES);
    return OUT;
  }

  commit(end: number): void {
    const count = this.#reservedBytes;
    assert.ok(end > OUT && end - OUT <= count, `${end - OUT} of ${count} bytes reserved`);
    for (let at = OUT + count; at < Math.min(OUT + OUT_BYTES, OUT + count + GUARD_BYTES); at++) {
      assert.is(memory[at], POISON, "nothing is written behind the room");
    }
    this.#reservedBytes = -1;
    this.written.push(Buffer.from(memory.slice(OUT, end)));
    this.queuedBytes += end - OUT;
  }

  flush(): void {
    if (this.isTaken) this.queuedBytes = 0;
  }
}
