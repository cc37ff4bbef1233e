/** HTTP/2 of a gRPC server's connection: its streams are calls. */
import type { RequestHead } from "../codec/http1/request-head.ts";
import { Http2Server, type ServerStream } from "../protocol/http2/server.ts";
import type { Http2Fault } from "../protocol/http2/stream-table.ts";
import { STALL_PRESSED_MS, STREAMS_MAX } from "./limits.ts";
import { ServerCall } from "./server-call.ts";
import type { ServerConnection } from "./server-connection.ts";

export class ServerFrames extends Http2Server {
  protected readonly believesMesh = false;
  readonly #owner: ServerConnection;

  constructor(owner: ServerConnection) {
    super(owner.output, owner.server.thread.http2, STREAMS_MAX);
    this.#owner = owner;
  }

  override get stallMs(): number {
    return this.#owner.server.queued.isPressed ? STALL_PRESSED_MS : super.stallMs;
  }
  protected override createStream(): ServerStream {
    return new ServerCall(this.#owner);
  }
  protected override takeHead(): RequestHead {
    return this.#owner.server.head;
  }
  protected override returnHead(): void {}
  protected override onPeerSettings(): void {}
  protected override onStreamGone(): void {
    this.#owner.onCallGone();
  }
  protected override onFault(fault: Http2Fault): void {
    const { server } = this.#owner;
    if (fault === "flood") server.count("floods");
    else server.count(fault === "malformed" ? "malformed" : "protocol_errors");
  }
}
