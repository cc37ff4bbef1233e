/**
 * One side of a raw HTTP/2 connection over a socket (RFC 9113): it can keep the rules by itself, and
 * it sends whatever a test wants to send. By itself it acknowledges SETTINGS and PING, gives windows
 * back, and sends bodies within the other side's windows; each of these can be left out.
 */
import type { Socket } from "node:net";
import { HpackReader } from "./hpack-reader.ts";
import { encodeFields, type Field } from "./http2-fields.ts";
import * as f from "./http2-frames.ts";
import { Http2State, type Role } from "./http2-state.ts";
import { Http2Stream } from "./http2-stream.ts";
import {
  type ReceivedFields,
  strictRequestFields,
  strictResponseFields,
  strictTrailerFields,
  valuesOf,
} from "./strict-http2.ts";

export type LinkOptions = {
  /** Sent with the preface. */
  readonly settings?: f.Settings;
  /** Given to the connection at once, beyond the first 65,535 bytes. */
  readonly connectionWindow?: number;
  readonly acksSettings?: boolean;
  readonly acksPings?: boolean;
  /** Gives back the windows of what was received. */
  readonly givesWindow?: boolean;
  /** … in pieces of so many bytes, which must be less than the windows are. */
  readonly giveBackBytes?: number;
};

/** What follows a body. */
export type After = "end" | "open" | readonly Field[];

export type LinkEvents = {
  onBlock(stream: Http2Stream): void;
  onEnded(stream: Http2Stream): void;
  onReset(stream: Http2Stream): void;
};

/** Windows are given back in pieces of this size, as common clients do, and not for each frame. */
const GIVE_BACK_BYTES = 16_384;
/** Of a flood, so much is handed to the socket at once. */
const FLOOD_BYTES = 65_536;

type Outgoing = { rest: Uint8Array; after: After };

export class Http2Link {
  readonly socket: Socket;
  readonly state: Http2State;
  readonly streams: Map<number, Http2Stream> = new Map();
  /** What is wrong with the fields that came; see also `state.violations`. */
  readonly impurities: string[] = [];
  /** How the other side ended the connection, or null while it is open. */
  end: "fin" | "reset" | null = null;
  writtenBytes = 0;
  readonly #role: Role;
  readonly #options: LinkOptions;
  readonly #events: Partial<LinkEvents>;
  readonly #reader = new f.FrameReader();
  readonly #ours = new f.FrameReader();
  readonly hpack = new HpackReader();
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #owed = new Map<number, number>();
  #preface: Buffer = Buffer.alloc(0);
  #block: { first: f.Frame; parts: Buffer[] } | null = null;

  constructor(
    socket: Socket,
    role: Role,
    options: LinkOptions = {},
    events: Partial<LinkEvents> = {},
  ) {
    this.socket = socket;
    this.state = new Http2State(role);
    this.#role = role;
    this.#options = options;
    this.#events = events;
    socket.setNoDelay(true);
    const over = (end: "fin" | "reset"): void => {
      this.end ??= end;
      socket.destroy();
    };
    socket.on("error", () => over("reset"));
    socket.on("end", () => over("fin"));
    socket.on("close", () => over("fin"));
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    if (role === "client") this.#send(f.PREFACE);
    this.write(f.settings(options.settings));
    const more = options.connectionWindow ?? 0;
    if (more > 0) this.write(f.windowUpdate(0, more));
  }

  /** Everything that the other side did wrong. */
  get violations(): string[] {
    return [...this.state.violations, ...this.impurities];
  }

  /** Sends bytes as they are; false when the socket asks to wait for its `drain`. */
  write(bytes: Uint8Array): boolean {
    for (const frame of this.#ours.push(Buffer.from(bytes))) this.state.sent(frame);
    return this.#send(bytes);
  }

  /** Sends many bytes as fast as they are taken; returns when all are, or the connection is over. */
  async flood(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && this.end === null; at += FLOOD_BYTES) {
      if (this.write(bytes.subarray(at, at + FLOOD_BYTES))) continue;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          this.socket.off("drain", go);
          this.socket.off("close", go);
          resolve();
        };
        this.socket.on("drain", go);
        this.socket.on("close", go);
      });
    }
  }

  /** Sends a field block, in CONTINUATION frames too if it is long. */
  headers(id: number, fields: readonly Field[], after: "end" | "open"): void {
    this.block(id, encodeFields(fields), after);
  }

  /** The same with a block that is encoded already. */
  block(id: number, block: Uint8Array, after: "end" | "open"): void {
    const flags = after === "end" ? f.Flag.endStream : f.Flag.none;
    const frames: Buffer[] = [];
    for (let at = 0; at === 0 || at < block.length; at += f.FRAME_BYTES_MAX) {
      const part = block.subarray(at, at + f.FRAME_BYTES_MAX);
      const isLast = at + f.FRAME_BYTES_MAX >= block.length;
      const end = isLast ? f.Flag.endHeaders : f.Flag.none;
      frames.push(at === 0 ? f.headers(id, part, flags | end) : f.continuation(id, part, end));
    }
    this.write(Buffer.concat(frames));
  }

  /** Sends a body as far as the windows reach, the rest when they grow. */
  body(id: number, bytes: Uint8Array | string, after: After): void {
    const rest = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    const before = this.#outgoing.get(id);
    const all = before === undefined ? rest : Buffer.concat([before.rest, rest]);
    this.#outgoing.set(id, { rest: all, after });
    this.#pump();
  }

  /** Bytes of a body that wait for a window. */
  unsentBytes(id: number): number {
    return this.#outgoing.get(id)?.rest.length ?? 0;
  }

  reset(id: number, code: number): void {
    this.#outgoing.delete(id);
    this.write(f.rstStream(id, code));
  }

  stream(id: number): Http2Stream {
    const stream = this.streams.get(id) ?? new Http2Stream(id);
    this.streams.set(id, stream);
    return stream;
  }

  #send(bytes: Uint8Array): boolean {
    if (this.end !== null) return false;
    this.writtenBytes += bytes.length;
    return this.socket.write(bytes);
  }

  #pump(): void {
    for (const [id, outgoing] of this.#outgoing) {
      while (outgoing.rest.length > 0) {
        const length = Math.min(outgoing.rest.length, f.FRAME_BYTES_MAX, this.state.mayData(id));
        if (length <= 0) break;
        const isLast = length === outgoing.rest.length && outgoing.after === "end";
        const flags = isLast ? f.Flag.endStream : f.Flag.none;
        this.write(f.data(id, outgoing.rest.subarray(0, length), flags));
        outgoing.rest = outgoing.rest.subarray(length);
        if (isLast) this.#outgoing.delete(id);
      }
      if (outgoing.rest.length > 0 || !this.#outgoing.delete(id)) continue;
      if (outgoing.after === "end") this.write(f.data(id, "", f.Flag.endStream));
      else if (outgoing.after !== "open") this.headers(id, outgoing.after, "end");
    }
  }

  #onData(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#role === "server" && this.#preface.length < f.PREFACE.length) {
      const all = Buffer.concat([this.#preface, chunk]);
      this.#preface = all.subarray(0, f.PREFACE.length);
      const isRight = f.PREFACE.subarray(0, this.#preface.length).equals(this.#preface);
      if (!isRight) this.state.violations.push(`preface ${this.#preface.toString("latin1")}`);
      bytes = all.subarray(this.#preface.length);
    }
    for (const frame of this.#reader.push(bytes)) {
      this.state.receive(frame);
      this.#onFrame(frame);
    }
    this.#pump();
  }

  #onFrame(frame: f.Frame): void {
    const { type, flags, stream, payload } = frame;
    const isAck = (flags & f.Flag.ack) !== 0;
    if (type === f.FrameType.settings) {
      if (!isAck && this.#options.acksSettings !== false) this.write(f.SETTINGS_ACK);
      if (isAck) this.#limitTable();
    } else if (type === f.FrameType.ping) {
      if (!isAck && this.#options.acksPings !== false)
        this.write(f.frame(f.FrameType.ping, f.Flag.ack, 0, payload));
    } else if (type === f.FrameType.headers) {
      this.#block = { first: frame, parts: [f.contentOf(frame) ?? Buffer.alloc(0)] };
    } else if (type === f.FrameType.continuation) this.#block?.parts.push(payload);
    else if (type === f.FrameType.data) this.#onBody(frame);
    else if (type === f.FrameType.rstStream) {
      const over = this.stream(stream);
      over.resetCode = payload.length === 4 ? payload.readUInt32BE() : -1;
      this.#outgoing.delete(stream);
      this.#events.onReset?.(over);
    }
    const carriesBlock = type === f.FrameType.headers || type === f.FrameType.continuation;
    if (carriesBlock && (flags & f.Flag.endHeaders) !== 0) this.#onBlock();
  }

  #limitTable(): void {
    const own = this.#options.settings?.find(([id]) => id === f.Setting.headerTableSize);
    if (own !== undefined && this.state.settingsAcks === 1) this.hpack.limit(own[1]);
  }

  #onBody(frame: f.Frame): void {
    const stream = this.stream(frame.stream);
    stream.addData(f.contentOf(frame) ?? Buffer.alloc(0));
    if (this.#options.givesWindow !== false) {
      this.#owe(0, frame.payload.length);
      if ((frame.flags & f.Flag.endStream) === 0) this.#owe(frame.stream, frame.payload.length);
    }
    if ((frame.flags & f.Flag.endStream) !== 0) this.#onEnded(stream);
  }

  #owe(id: number, bytes: number): void {
    const owed = (this.#owed.get(id) ?? 0) + bytes;
    const isDue = owed >= (this.#options.giveBackBytes ?? GIVE_BACK_BYTES);
    this.#owed.set(id, isDue ? 0 : owed);
    if (isDue) this.write(f.windowUpdate(id, owed));
  }

  #onBlock(): void {
    const block = this.#block;
    if (block === null) return;
    this.#block = null;
    const stream = this.stream(block.first.stream);
    const isEnd = (block.first.flags & f.Flag.endStream) !== 0;
    const hasHead = stream.head !== null;
    try {
      const fields = this.hpack.decode(Buffer.concat(block.parts));
      stream.blocks.push({ fields, isEnd });
      this.#judge(hasHead, fields);
    } catch (error) {
      this.impurities.push(
        `stream ${stream.id}: ${error instanceof Error ? error.message : error}`,
      );
    }
    this.#events.onBlock?.(stream);
    if (isEnd) this.#onEnded(stream);
  }

  #judge(hasHead: boolean, fields: ReceivedFields): void {
    if (hasHead) strictTrailerFields(fields);
    else if (this.#role === "server") strictRequestFields(fields);
    else strictResponseFields(fields);
  }

  #onEnded(stream: Http2Stream): void {
    stream.isEnded = true;
    const length = valuesOf(stream.head?.fields ?? [], "content-length")[0];
    // A response without either may be one to HEAD.
    const hasBody = stream.trailers !== null || stream.dataFrames > 0 || this.#role === "server";
    if (hasBody && length !== undefined && Number(length) !== stream.bodyBytes) {
      this.impurities.push(`stream ${stream.id}: ${stream.bodyBytes} bytes of ${length}`);
    }
    this.#events.onEnded?.(stream);
  }
}
