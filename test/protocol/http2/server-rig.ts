/** A server's end without a socket: what its streams are told is kept as text. */
import type { FieldSection } from "../../../src/codec/http1/field-section.ts";
import { RequestHead } from "../../../src/codec/http1/request-head.ts";
import { ResponseHead } from "../../../src/codec/http1/response-head.ts";
import { blockBytesMax, encodeResponseHead } from "../../../src/codec/http2/write-head.ts";
import type { Http2Memory } from "../../../src/protocol/http2/connection.ts";
import { Http2Server, ServerStream } from "../../../src/protocol/http2/server.ts";
import type { Http2Fault } from "../../../src/protocol/http2/stream-table.ts";
import { encodeFields, type Field, requestFields } from "../../support/http2-fields.ts";
import * as f from "../../support/http2-frames.ts";
import { nameOf } from "../../support/http2-state.ts";
import { latin1, textOf } from "../../support/read-http1.ts";
import { CONTENT, memory, memoryOf } from "./memory.ts";
import { Rig } from "./rig.ts";

export class TestServerStream extends ServerStream {
  readonly #server: TestServer;

  constructor(server: TestServer) {
    super();
    this.#server = server;
  }

  #tell(text: string): void {
    this.#server.events.push(`${this.id} ${text}`);
  }

  override onRequest(head: RequestHead, base: number, isEnd: boolean): void {
    this.#server.known.set(this.id, this);
    const target = textOf(memory, base + head.targetStart, base + head.targetEnd);
    const fields = fieldsText(head.fields, base);
    this.#tell(`request ${target}${fields}${isEnd ? " end" : ""}`);
    this.#server.onRequest(this);
  }

  override onBadRequest(error: string): void {
    this.#server.known.set(this.id, this);
    this.#tell(`bad ${error}`);
  }

  override onData(start: number, end: number, isEnd: boolean): void {
    const bytes = memory.subarray(start, end);
    let sum = 0;
    for (const byte of bytes) sum = (sum * 31 + byte) | 0;
    this.#tell(`data ${bytes.length} ${sum}${isEnd ? " end" : ""}`);
    if (this.#server.isConsuming) this.#server.consumed(this, end - start);
  }

  override onTrailers(fields: FieldSection, base: number): void {
    this.#tell(`trailers${fieldsText(fields, base)}`);
  }

  override onReset(code: number, by: string): void {
    this.#tell(`reset ${nameOf(code)} by ${by}`);
  }

  override onDrained(): void {
    this.#tell("drained");
  }

  override onClosed(): void {
    this.#tell("closed");
  }
}

export class TestServer extends Http2Server {
  readonly rig: Rig;
  readonly events: string[] = [];
  readonly faults: Http2Fault[] = [];
  /** Every stream that was told of a request. */
  readonly known = new Map<number, TestServerStream>();
  /** Content is given back at once. */
  isConsuming = true;
  onRequest: (stream: TestServerStream) => void = () => {};
  protected override readonly believesMesh: boolean = false;
  readonly #head = new ResponseHead();

  constructor(rig: Rig, shared: Http2Memory) {
    super(rig.output, shared);
    this.rig = rig;
    this.nowMs = 1_000;
  }

  protected override createStream(): ServerStream {
    return new TestServerStream(this);
  }
  protected override takeHead(): RequestHead {
    return new RequestHead();
  }
  protected override returnHead(): void {}
  protected override onFault(fault: Http2Fault): void {
    this.faults.push(fault);
  }
  protected override onStreamGone(): void {}
  protected override onPeerSettings(): void {}

  feed(...parts: readonly Uint8Array[]): void {
    this.rig.feed(this, ...parts);
  }

  stream(id: number): TestServerStream {
    const stream = this.known.get(id);
    if (stream === undefined) throw new Error(`there is no stream ${id}`);
    return stream;
  }

  /** Answers with a head in HTTP/1's words. */
  respond(id: number, text = "HTTP/1.1 200 OK\r\n\r\n", isEnd = false): void {
    const bytes = latin1(text);
    memory.set(bytes, CONTENT);
    this.#head.reset();
    this.#head.parse(memory, CONTENT, CONTENT + bytes.length);
    const start = this.sender.beginBlock(blockBytesMax(bytes.length, this.#head.fields.count));
    const end = encodeResponseHead(this.encoder, memory, CONTENT, this.#head, memory, start, -1);
    this.sender.sendBlock(this.stream(id), end, isEnd);
  }

  /** Sends content of so many bytes, `x` each unless said. */
  send(id: number, count: number, isEnd = false, byte = 0x78): boolean {
    memory.fill(byte, CONTENT, CONTENT + count);
    return this.sender.sendData(this.stream(id), CONTENT, CONTENT + count, isEnd);
  }

  sendTrailers(id: number, lines: string): void {
    const bytes = latin1(lines);
    memory.set(bytes, CONTENT);
    this.sender.sendTrailers(this.stream(id), CONTENT, CONTENT + bytes.length, false);
  }
}

/** Fields as ` name=value`, those that are dropped left out. */
export function fieldsText(fields: FieldSection, base: number): string {
  let text = "";
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) === -1) continue;
    const name = textOf(memory, base + fields.nameStart(i), base + fields.nameEnd(i));
    text += ` ${name}=${textOf(memory, base + fields.valueStart(i), base + fields.valueEnd(i))}`;
  }
  return text;
}

/** A server that has said hello and heard the client's. */
export function serverRig(settings: f.Settings = [], shared: Http2Memory = memoryOf()): TestServer {
  const server = new TestServer(new Rig(true), shared);
  server.start();
  server.feed(f.PREFACE, f.settings(settings), f.SETTINGS_ACK);
  server.rig.told();
  return server;
}

export const HAS_HEADERS: number = f.Flag.endHeaders;
export const HAS_ALL: number = f.Flag.endHeaders | f.Flag.endStream;

/** HEADERS of a request; without `isEnd` its content is to follow. */
export function request(id: number, isEnd = true, more: readonly Field[] = []): Buffer {
  const method = isEnd ? "GET" : "POST";
  const block = encodeFields(requestFields("/", more, method));
  return f.headers(id, block, isEnd ? HAS_ALL : HAS_HEADERS);
}
