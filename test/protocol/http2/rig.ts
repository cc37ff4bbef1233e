/**
 * A connection without a socket, and the peer's side of it in frames. What both sides send goes
 * through the followers of test/support, so that every test also proves that no frame of ours breaks
 * a rule of RFC 9113.
 */
import * as assert from "uvu/assert";
import type { Http2Connection } from "../../../src/protocol/http2/connection.ts";
import { type Frame, FrameReader, FrameType, PREFACE } from "../../support/http2-frames.ts";
import { Http2State } from "../../support/http2-state.ts";
import { frameText } from "./frame-text.ts";
import { ArrayOutput, assertGuards, INPUT, INPUT_BYTES, memory } from "./memory.ts";

type Fed = Pick<Http2Connection, "receive" | "isOver">;

export class Rig {
  readonly output = new ArrayOutput();
  /** The peer's view of both sides. */
  readonly state: Http2State;
  /** Streams that the peer has reset. */
  readonly resetByPeer = new Set<number>();
  readonly #isServer: boolean;
  readonly #sent = new FrameReader();
  readonly #received = new FrameReader();
  #prefaceLeft: number;
  #rest: Buffer = Buffer.alloc(0);
  readonly #frames: Frame[] = [];
  #followed = 0;
  #told = 0;

  /** `isServer`: our side is the server's. */
  constructor(isServer: boolean) {
    this.#isServer = isServer;
    this.#prefaceLeft = PREFACE.length;
    this.state = new Http2State(isServer ? "client" : "server");
  }

  /** Hands bytes in as a socket's owner does, with those that were not used the last time. */
  feed(connection: Fed, ...parts: readonly Uint8Array[]): void {
    this.#follow();
    const bytes = Buffer.concat([this.#rest, ...parts]);
    for (const part of parts) this.#followSent(Buffer.from(part));
    let at = 0;
    do {
      const count = Math.min(bytes.length - at, INPUT_BYTES);
      memory.set(bytes.subarray(at, at + count), INPUT);
      memory.fill(0xee, INPUT + count, INPUT + Math.min(INPUT_BYTES, count + 64));
      const used = connection.receive(INPUT, INPUT + count) - INPUT;
      assert.ok(used >= 0 && used <= count, `it used ${used} of ${count} bytes`);
      assert.ok(!connection.isOver || used === count, "nothing is left for who is over");
      at += used;
      if (used === 0) break;
    } while (at < bytes.length);
    this.#rest = bytes.subarray(at);
    this.#follow();
    assertGuards();
  }

  /** Everything that our side wrote, its preface aside. */
  get frames(): readonly Frame[] {
    this.#follow();
    return this.#frames;
  }

  /** The frames that our side wrote since the last call, as text. */
  told(): string[] {
    const frames = this.frames.slice(this.#told);
    this.#told += frames.length;
    return frames.map(frameText);
  }

  /** Fails when our side broke a rule, or wrote a part of a frame. */
  assertLawful(): void {
    this.#follow();
    assert.equal(this.state.violations, []);
  }

  /** Our side's bytes, whole. */
  get bytes(): Buffer {
    return Buffer.concat(this.output.written);
  }

  #followSent(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#isServer && this.#prefaceLeft > 0) {
      const count = Math.min(this.#prefaceLeft, bytes.length);
      this.#prefaceLeft -= count;
      return this.#followSent(bytes.subarray(count));
    }
    for (const frame of this.#sent.push(bytes)) {
      if (frame.type === FrameType.rstStream) this.resetByPeer.add(frame.stream % 2 ** 31);
      this.state.sent(frame);
    }
  }

  #follow(): void {
    const { written } = this.output;
    for (; this.#followed < written.length; this.#followed++) {
      const bytes = written[this.#followed] ?? Buffer.alloc(0);
      if (!this.#isServer && this.#followed === 0) {
        assert.equal(bytes, PREFACE);
        continue;
      }
      const frames = this.#received.push(bytes);
      assert.is(frames.length, 1, "one frame is committed at a time");
      for (const frame of frames) {
        this.#frames.push(frame);
        this.state.receive(frame);
      }
    }
  }
}
