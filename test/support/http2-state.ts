/**
 * Both sides of one HTTP/2 connection as their frames tell, and what the other side did that RFC 9113
 * does not allow: windows overdrawn, frames on streams that are idle or over, a second RST_STREAM,
 * frames in the middle of a field block. What our own side sends is only followed, never judged, so
 * that a hostile test sees the proxy's faults and not its own.
 */
import {
  ErrorCode,
  Flag,
  FRAME_BYTES_MAX,
  type Frame,
  FrameType,
  Setting,
  WINDOW_BYTES_MAX,
  WINDOW_DEFAULT_BYTES,
} from "./http2-frames.ts";

export type Role = "client" | "server";

type Half = { isOpen: boolean; isEnded: boolean; isReset: boolean };
type StreamState = {
  readonly ours: Half;
  readonly theirs: Half;
  /** Bytes that we may send, and that they may. */
  sendWindow: number;
  receiveWindow: number;
  isCounted: boolean;
};
type OwnSettings = { window: number | null; streams: number | null };

export class Http2State {
  readonly violations: string[] = [];
  /** What the other side last said of each setting. */
  readonly theirSettings: Map<number, number> = new Map();
  readonly goAways: { readonly lastStream: number; readonly code: number }[] = [];
  /** Frames received, by type. */
  readonly received: Map<number, number> = new Map();
  /** Connection windows, in bytes. */
  sendWindow: number = WINDOW_DEFAULT_BYTES;
  receiveWindow: number = WINDOW_DEFAULT_BYTES;
  settingsAcks = 0;
  pingAcks = 0;
  /** Streams that are neither over nor reset. */
  openStreams = 0;
  readonly #role: Role;
  readonly #streams = new Map<number, StreamState>();
  readonly #unacked: OwnSettings[] = [];
  #ourWindow: number = WINDOW_DEFAULT_BYTES;
  #theirWindow: number = WINDOW_DEFAULT_BYTES;
  #streamsMax = Number.POSITIVE_INFINITY;
  #lastTheirs = 0;
  #pingsSent = 0;
  #blockStream = 0;
  #hasSettings = false;

  constructor(role: Role) {
    this.#role = role;
  }

  /** Bytes that a stream may send now; the connection's window counted too. */
  mayData(id: number): number {
    return Math.min(this.sendWindow, this.#streams.get(id)?.sendWindow ?? 0);
  }

  /** Follows a frame of our own. */
  sent({ type, flags, stream, payload }: Frame): void {
    const id = stream % 2 ** 31;
    if (type === FrameType.settings && (flags & Flag.ack) === 0) {
      const own: OwnSettings = { window: null, streams: null };
      for (const [setting, value] of settingsIn(payload)) {
        if (setting === Setting.initialWindowSize) own.window = value;
        if (setting === Setting.maxConcurrentStreams) own.streams = value;
      }
      this.#unacked.push(own);
    }
    if (type === FrameType.ping && (flags & Flag.ack) === 0) this.#pingsSent++;
    if (type === FrameType.windowUpdate && payload.length === 4) {
      if (id === 0) this.receiveWindow += payload.readUInt32BE();
      const state = this.#streams.get(id);
      if (state !== undefined) state.receiveWindow += payload.readUInt32BE();
    }
    if (id === 0) return;
    if (type === FrameType.headers) this.#stream(id).ours.isOpen = true;
    if (type === FrameType.data) {
      this.sendWindow -= payload.length;
      this.#stream(id).sendWindow -= payload.length;
    }
    const state = this.#streams.get(id);
    if (state === undefined) return;
    if (type === FrameType.rstStream) state.ours.isReset = true;
    const canEnd = type === FrameType.data || type === FrameType.headers;
    if (canEnd && (flags & Flag.endStream) !== 0) state.ours.isEnded = true;
    this.#count(state);
  }

  /** Follows a frame of the other side and notes what is wrong about it. */
  receive(frame: Frame): void {
    const { type, flags, stream, payload } = frame;
    this.received.set(type, (this.received.get(type) ?? 0) + 1);
    this.#check(stream < 2 ** 31, "the reserved bit is set");
    this.#check(payload.length <= FRAME_BYTES_MAX, `a frame of ${payload.length} bytes`);
    const isSettings = type === FrameType.settings && (flags & Flag.ack) === 0;
    this.#check(this.#hasSettings || isSettings, `frame ${type} before SETTINGS`);
    if (isSettings) this.#hasSettings = true;
    if (this.#blockStream !== 0 || type === FrameType.continuation) {
      const continues = type === FrameType.continuation && stream === this.#blockStream;
      this.#check(continues && stream !== 0, `frame ${type} in the middle of a block`);
    }
    const begins = type === FrameType.headers || type === FrameType.continuation;
    if (begins) this.#blockStream = (flags & Flag.endHeaders) === 0 ? stream : 0;
    if (type === FrameType.data || type === FrameType.headers) this.#receiveContent(frame);
    else if (type === FrameType.rstStream) this.#receiveReset(frame);
    else if (type === FrameType.settings) this.#receiveSettings(frame);
    else if (type === FrameType.windowUpdate) this.#receiveWindow(frame);
    else if (type === FrameType.goAway) this.#receiveGoAway(frame);
    else if (type === FrameType.ping) this.#receivePing(frame);
    else this.#check(type === FrameType.continuation, `a frame of type ${type}`);
  }

  #receiveContent({ type, flags, stream, payload }: Frame): void {
    const name = type === FrameType.data ? "DATA" : "HEADERS";
    const isNew = !this.#streams.has(stream);
    if (isNew && type === FrameType.headers && this.#role === "server") this.#accept(stream);
    else this.#check(!isNew, `${name} on the idle stream ${stream}`);
    const state = this.#stream(stream);
    const isOver = state.theirs.isEnded || state.theirs.isReset;
    this.#check(!isOver, `${name} on stream ${stream} after its end`);
    if (type === FrameType.headers) state.theirs.isOpen = true;
    else {
      this.#check(state.theirs.isOpen, `DATA before HEADERS on stream ${stream}`);
      this.receiveWindow -= payload.length;
      state.receiveWindow -= payload.length;
      this.#check(this.receiveWindow >= 0, "the connection's window is overdrawn");
      const isEmpty = payload.length === 0;
      this.#check(isEmpty || state.receiveWindow >= 0, `window of stream ${stream} is overdrawn`);
    }
    if ((flags & Flag.endStream) !== 0) state.theirs.isEnded = true;
    this.#count(state);
  }

  #accept(stream: number): void {
    const isRight = stream % 2 === 1 && stream > this.#lastTheirs;
    this.#check(isRight, `stream ${stream} after ${this.#lastTheirs}`);
    this.#check(this.openStreams < this.#streamsMax, `${this.openStreams} streams and one more`);
    this.#lastTheirs = stream;
  }

  #receiveReset({ stream, payload }: Frame): void {
    this.#check(payload.length === 4, "RST_STREAM of a wrong length");
    this.#check(this.#streams.has(stream), `RST_STREAM on the idle stream ${stream}`);
    const state = this.#stream(stream);
    this.#check(!state.theirs.isReset, `RST_STREAM twice on stream ${stream}`);
    state.theirs.isReset = true;
    this.#count(state);
  }

  #receiveSettings({ flags, stream, payload }: Frame): void {
    this.#check(stream === 0, "SETTINGS on a stream");
    if ((flags & Flag.ack) !== 0) {
      this.#check(payload.length === 0, "SETTINGS ACK with a payload");
      const own = this.#unacked.shift();
      this.#check(own !== undefined, "ACK of SETTINGS that were not sent");
      this.settingsAcks++;
      if (own?.window != null) this.#setOurWindow(own.window);
      if (own?.streams != null) this.#streamsMax = own.streams;
      return;
    }
    for (const [setting, value] of settingsIn(payload)) {
      this.theirSettings.set(setting, value);
      if (setting === Setting.enablePush) {
        this.#check(value === 0 || (value === 1 && this.#role === "server"), "ENABLE_PUSH");
      }
      if (setting === Setting.maxFrameSize) {
        this.#check(value >= FRAME_BYTES_MAX && value < 2 ** 24, `MAX_FRAME_SIZE ${value}`);
      }
      if (setting !== Setting.initialWindowSize) continue;
      this.#check(value <= WINDOW_BYTES_MAX, `INITIAL_WINDOW_SIZE ${value}`);
      for (const state of this.#streams.values()) state.sendWindow += value - this.#theirWindow;
      this.#theirWindow = value;
    }
  }

  #setOurWindow(window: number): void {
    for (const state of this.#streams.values()) state.receiveWindow += window - this.#ourWindow;
    this.#ourWindow = window;
  }

  #receiveWindow({ stream, payload }: Frame): void {
    const increment = payload.length === 4 ? payload.readUInt32BE() : 0;
    this.#check(increment > 0, "WINDOW_UPDATE of 0");
    if (stream === 0) {
      this.sendWindow += increment;
      this.#check(this.sendWindow <= WINDOW_BYTES_MAX, "the connection's window overflows");
      return;
    }
    this.#check(this.#streams.has(stream), `WINDOW_UPDATE on the idle stream ${stream}`);
    const state = this.#stream(stream);
    state.sendWindow += increment;
    this.#check(state.sendWindow <= WINDOW_BYTES_MAX, `window of stream ${stream} overflows`);
    this.#check(!state.theirs.isReset, `WINDOW_UPDATE on stream ${stream} after RST_STREAM`);
  }

  #receiveGoAway({ stream, payload }: Frame): void {
    this.#check(stream === 0 && payload.length >= 8, "GOAWAY is malformed");
    if (payload.length < 8) return;
    const lastStream = payload.readUInt32BE(0);
    const code = payload.readUInt32BE(4);
    const before = this.goAways.at(-1)?.lastStream ?? WINDOW_BYTES_MAX;
    this.#check(lastStream <= before, `GOAWAY ${lastStream} after ${before}`);
    this.#check(code <= 0xd, `GOAWAY with the code ${code}`);
    this.goAways.push({ lastStream, code });
  }

  #receivePing({ flags, stream, payload }: Frame): void {
    this.#check(stream === 0 && payload.length === 8, "PING is malformed");
    if ((flags & Flag.ack) === 0) return;
    this.pingAcks++;
    this.#check(this.pingAcks <= this.#pingsSent, "ACK of a PING that was not sent");
  }

  #stream(id: number): StreamState {
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const state = {
      ours: { isOpen: false, isEnded: false, isReset: false },
      theirs: { isOpen: false, isEnded: false, isReset: false },
      sendWindow: this.#theirWindow,
      receiveWindow: this.#ourWindow,
      isCounted: false,
    };
    this.#streams.set(id, state);
    return state;
  }

  #count(state: StreamState): void {
    const { ours, theirs } = state;
    // Only a client opens streams: what a hostile server says on an idle one opens none.
    const isOpened = (this.#role === "client" ? ours : theirs).isOpen;
    const isOver = !isOpened || ours.isReset || theirs.isReset || (ours.isEnded && theirs.isEnded);
    if (isOver === !state.isCounted) return;
    state.isCounted = !isOver;
    this.openStreams += isOver ? -1 : 1;
  }

  #check(isTrue: boolean, what: string): void {
    if (!isTrue) this.violations.push(what);
  }
}

/** The settings of a payload, in order. */
function settingsIn(payload: Buffer): [id: number, value: number][] {
  const count = Math.floor(payload.length / 6);
  return Array.from({ length: count }, (_, i) => [
    payload.readUInt16BE(i * 6),
    payload.readUInt32BE(i * 6 + 2),
  ]);
}

/** The name of an error code, for messages. */
export function nameOf(code: number | null): string {
  if (code === null) return "none";
  const found = Object.entries(ErrorCode).find(([, value]) => value === code);
  return found?.[0] ?? `code ${code}`;
}
