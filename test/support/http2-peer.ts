/**
 * The two ends of HTTP/2 for tests, both raw and both without TLS (prior knowledge, RFC 9113 §3.3):
 * a client that does what it is told, and an origin that answers as it is told and records what came.
 */
import { type AddressInfo, connect, createServer } from "node:net";
import { eventually } from "./eventually.ts";
import { type Field, requestFields } from "./http2-fields.ts";
import { type After, Http2Link, type LinkOptions } from "./http2-link.ts";
import { nameOf } from "./http2-state.ts";
import type { Http2Stream } from "./http2-stream.ts";

/** A request that is not answered in this time is a failure. */
const WITHIN_MS = 5_000;

export class Http2Peer {
  readonly link: Http2Link;
  #nextId = 1;

  private constructor(link: Http2Link) {
    this.link = link;
  }

  /** Connects and sends preface and SETTINGS; does not wait for those of the other side. */
  static connect(port: number, options: LinkOptions = {}): Promise<Http2Peer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.once("error", reject);
      socket.once("connect", () =>
        resolve(new Http2Peer(new Http2Link(socket, "client", options))),
      );
    });
  }

  /** The id of a new stream, for a test that writes its frames itself. */
  nextId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /** Sends a request and returns its stream's id; without a body it ends at once. */
  request(fields: readonly Field[], body: Uint8Array | string = "", after: After = "end"): number {
    const id = this.nextId();
    const isBare = body.length === 0 && after === "end";
    this.link.headers(id, fields, isBare ? "end" : "open");
    if (!isBare) this.link.body(id, body, after);
    return id;
  }

  /** Sends a GET to the service `web` and returns its stream's id. */
  get(path: string, more: readonly Field[] = []): number {
    return this.request(requestFields(path, more));
  }

  /** Waits until a stream was ended or reset by the other side. */
  async over(id: number, withinMs: number = WITHIN_MS): Promise<Http2Stream> {
    const stream = this.link.stream(id);
    const { link } = this;
    const isOver = (): boolean => stream.isOver || link.end !== null;
    await eventually(isOver, { withinMs, what: `the end of stream ${id} (${stream.outcome})` });
    return stream;
  }

  /** Sends a request and waits for what comes of it. */
  ask(fields: readonly Field[], body: Uint8Array | string = "", after: After = "end") {
    return this.over(this.request(fields, body, after));
  }

  /** Waits until the other side has closed; returns the code of its last GOAWAY, or null. */
  async closed(withinMs: number = WITHIN_MS): Promise<number | null> {
    await eventually(() => this.link.end !== null, { withinMs, what: "the connection's end" });
    return this.goAway;
  }

  /** The code of the last GOAWAY, or null. */
  get goAway(): number | null {
    return this.link.state.goAways.at(-1)?.code ?? null;
  }

  /** Waits until all SETTINGS that were sent are acknowledged, so many in all. */
  async settled(acks = 1): Promise<void> {
    await eventually(() => this.link.state.settingsAcks >= acks, { withinMs: WITHIN_MS });
  }

  /** What came of the connection, for messages. */
  describe(): string {
    const { end, violations } = this.link;
    return `${end ?? "open"}, GOAWAY ${nameOf(this.goAway)}, ${violations.join("; ") || "pure"}`;
  }

  close(): void {
    this.link.socket.destroy();
  }
}

/** A request as the origin got it, and the means to answer it. */
export class OriginRequest {
  readonly link: Http2Link;
  readonly stream: Http2Stream;
  /** Called when its body is whole. */
  onEnded: () => void = () => {};
  /** Called when the other side resets it. */
  onReset: () => void = () => {};

  constructor(link: Http2Link, stream: Http2Stream) {
    this.link = link;
    this.stream = stream;
  }

  get method(): string {
    return this.stream.value(":method") ?? "";
  }

  get path(): string {
    return this.stream.value(":path") ?? "";
  }

  /** The fields in order as `name: value`, the pseudo-header fields too. */
  get lines(): string[] {
    return (this.stream.head?.fields ?? []).map(({ name, value }) => `${name}: ${value}`);
  }

  /** Sends a head; the response goes on. */
  head(status: number | string, more: readonly Field[] = []): void {
    this.link.headers(this.stream.id, [[":status", String(status)], ...more], "open");
  }

  /** Sends a whole response, or one that a body or trailers follow. */
  respond(
    status: number | string,
    more: readonly Field[] = [],
    body: Uint8Array | string = "",
    after: After = "end",
  ): void {
    const isBare = body.length === 0 && after === "end";
    const fields: Field[] = [[":status", String(status)], ...more];
    this.link.headers(this.stream.id, fields, isBare ? "end" : "open");
    if (!isBare) this.link.body(this.stream.id, body, after);
  }

  /** Runs `action` when the request is whole, at once if it is. */
  whenEnded(action: () => void): void {
    if (this.stream.isEnded) action();
    else this.onEnded = action;
  }
}

export type Http2Origin = {
  readonly port: number;
  readonly links: readonly Http2Link[];
  readonly requests: readonly OriginRequest[];
  /** The most streams that were open at once, over all connections. */
  peak(): number;
  /** Resets received. */
  resets(): number;
  /** What the proxy did that RFC 9113 does not allow, over all connections. */
  violations(): string[];
  /** Forgets the requests and the peak; connections stay. */
  forget(): void;
  close(): Promise<void>;
};

export type OriginOptions = LinkOptions & {
  /** Called with each new connection, before anything came. */
  readonly onConnection?: (link: Http2Link, index: number) => void;
};

/** Answers 200 with `ok`, once the request is whole. */
export function answerOk(request: OriginRequest): void {
  request.whenEnded(() => request.respond(200, [["content-length", "2"]], "ok"));
}

/** Starts an origin; `handler` is called with each request when its head is there. */
export function http2Origin(
  handler: (request: OriginRequest) => void = answerOk,
  options: OriginOptions = {},
): Promise<Http2Origin> {
  const links: Http2Link[] = [];
  const requests: OriginRequest[] = [];
  let peak = 0;
  let resets = 0;
  const server = createServer((socket) => {
    const byId = new Map<number, OriginRequest>();
    const link = new Http2Link(socket, "server", options, {
      onBlock: (stream) => {
        if (stream.blocks.length > 1) return;
        const request = new OriginRequest(link, stream);
        byId.set(stream.id, request);
        requests.push(request);
        const open = links.reduce(
          (sum, { end, state }) => sum + (end === null ? state.openStreams : 0),
          0,
        );
        peak = Math.max(peak, open);
        handler(request);
      },
      onEnded: ({ id }) => byId.get(id)?.onEnded(),
      onReset: ({ id }) => {
        resets++;
        byId.get(id)?.onReset();
      },
    });
    const index = links.push(link) - 1;
    options.onConnection?.(link, index);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        links,
        requests,
        peak: () => peak,
        resets: () => resets,
        violations: () => links.flatMap((link) => link.violations),
        forget: () => {
          requests.length = 0;
          peak = 0;
          resets = 0;
        },
        close: () =>
          new Promise((done) => {
            for (const link of links) link.socket.destroy();
            server.close(() => done());
          }),
      });
    });
  });
}
