/** A client's end without a socket: what its streams are told is kept as text. */
import type { FieldSection } from "../../../src/codec/http1/field-section.ts";
import { RequestHead } from "../../../src/codec/http1/request-head.ts";
import type { ResponseHead } from "../../../src/codec/http1/response-head.ts";
import { ClientStream, Http2Client } from "../../../src/protocol/http2/client.ts";
import type { Http2Memory } from "../../../src/protocol/http2/connection.ts";
import type { Http2Fault } from "../../../src/protocol/http2/stream-table.ts";
import { encodeFields, type Field } from "../../support/http2-fields.ts";
import * as f from "../../support/http2-frames.ts";
import { nameOf } from "../../support/http2-state.ts";
import { latin1 } from "../../support/read-http1.ts";
import { CONTENT, memory, memoryOf } from "./memory.ts";
import { Rig } from "./rig.ts";
import { fieldsText } from "./server-rig.ts";

export class TestClientStream extends ClientStream {
  readonly #client: TestClient;

  constructor(client: TestClient) {
    super();
    this.#client = client;
  }

  #tell(text: string): void {
    this.#client.events.push(`${this.id} ${text}`);
  }

  override onInterim(head: ResponseHead, base: number): void {
    this.#tell(`interim ${head.status}${fieldsText(head.fields, base)}`);
  }

  override onResponse(head: ResponseHead, base: number, isEnd: boolean): void {
    const end = isEnd ? " end" : "";
    this.#tell(`response ${head.status}${fieldsText(head.fields, base)}${end}`);
  }

  override onData(start: number, end: number, isEnd: boolean): void {
    this.#tell(`data ${end - start}${isEnd ? " end" : ""}`);
    if (this.#client.isConsuming) this.#client.consumed(this, end - start);
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

export class TestClient extends Http2Client {
  readonly rig: Rig;
  readonly events: string[] = [];
  readonly faults: Http2Fault[] = [];
  isConsuming = true;
  readonly #head = new RequestHead();

  constructor(rig: Rig, shared: Http2Memory, firstId: number) {
    super(rig.output, shared, firstId);
    this.rig = rig;
    this.nowMs = 1_000;
  }

  protected override onFault(fault: Http2Fault): void {
    this.faults.push(fault);
  }
  protected override onStreamGone(): void {}
  protected override onPeerSettings(): void {}
  protected override onPingAck(): void {}

  feed(...parts: readonly Uint8Array[]): void {
    this.rig.feed(this, ...parts);
  }

  /** Sends a request in HTTP/1's words; without `isEnd` its content is to follow. */
  ask(isEnd = true, method = "GET", more = ""): TestClientStream {
    const bytes = latin1(`${method} / HTTP/1.1\r\nHost: web\r\n${more}\r\n`);
    memory.set(bytes, CONTENT);
    this.#head.reset();
    this.#head.parse(memory, CONTENT, CONTENT + bytes.length);
    const stream = new TestClientStream(this);
    this.request(stream, this.#head, CONTENT, false, method === "HEAD", isEnd);
    return stream;
  }

  /** Sends content of so many bytes. */
  send(stream: TestClientStream, count: number, isEnd = false): boolean {
    memory.fill(0x78, CONTENT, CONTENT + count);
    return this.sender.sendData(stream, CONTENT, CONTENT + count, isEnd);
  }
}

export type ClientOptions = {
  readonly settings?: f.Settings;
  readonly firstId?: number;
  readonly shared?: Http2Memory;
};

/** A client that has said hello and heard the server's. */
export function clientRig(options: ClientOptions = {}): TestClient {
  const { settings = [], firstId = 1, shared = memoryOf() } = options;
  const client = new TestClient(new Rig(false), shared, firstId);
  client.start();
  client.feed(f.settings(settings), f.SETTINGS_ACK);
  client.rig.told();
  return client;
}

/** HEADERS of a response. */
export function response(id: number, isEnd = true, status = "200", more: Field[] = []): Buffer {
  const block = encodeFields([[":status", status], ...more]);
  return f.headers(id, block, f.Flag.endHeaders | (isEnd ? f.Flag.endStream : 0));
}
