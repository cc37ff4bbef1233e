/**
 * Clients and origins of either version with one face, for tests of what is the same for all: an
 * origin that answers as it is told, and a client that says what came of a request.
 */
import { readResponse } from "./http1-message.ts";
import type { Field } from "./http2-fields.ts";
import { Http2Peer, http2Origin } from "./http2-peer.ts";
import { send } from "./raw.ts";
import { recordingOrigin } from "./recording-origin.ts";

export type Version = "http1" | "http2";
export const VERSIONS: readonly Version[] = ["http1", "http2"];
/** Each version of the client with each of the origin. */
export const PAIRS: readonly (readonly [client: Version, origin: Version])[] = VERSIONS.flatMap(
  (client) => VERSIONS.map((origin) => [client, origin] as const),
);

/**
 * A status, with its own text for content; `silence`; `half`, a response of 200 that stops in its
 * midst; `break`, the connection is closed or the stream reset; `die`, the connection is closed.
 * `refuse`: the stream is reset with REFUSED_STREAM, of HTTP/2 only.
 */
export type Answer = number | "silence" | "half" | "break" | "die" | "refuse";

export type Origin = {
  readonly port: number;
  readonly speaks: Version;
  /** `METHOD PATH CONTENT` of each request that came whole. */
  readonly requests: string[];
  /** Requests that the proxy gave up: reset, or their connection closed before an answer was whole. */
  givenUp(): number;
  close(): Promise<void>;
};

/**
 * Starts an origin; `answer` is told how many whole requests came before this one. `lines` are said with
 * each status by one of HTTP/1.
 */
export function originOf(
  speaks: Version,
  answer: (before: number, path: string) => Answer,
  lines = "",
): Promise<Origin> {
  return speaks === "http1" ? origin1(answer, lines) : origin2(answer);
}

async function origin1(
  answer: (before: number, path: string) => Answer,
  lines: string,
): Promise<Origin> {
  const requests: string[] = [];
  let givenUp = 0;
  const origin = await recordingOrigin((request, socket) => {
    const { method, target, content } = request;
    const how = answer(requests.push(`${method} ${target} ${content}`) - 1, target);
    if (typeof how === "number") {
      const text = method === "HEAD" ? "" : `${how}`;
      return `HTTP/1.1 ${how} Told\r\n${lines}Content-Length: 3\r\n\r\n${text}`;
    }
    if (how === "break" || how === "die") socket.destroy();
    else socket.once("close", () => givenUp++);
    return how === "half" ? "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf" : null;
  });
  const { port, close } = origin;
  return { port, speaks: "http1", requests, givenUp: () => givenUp, close };
}

async function origin2(answer: (before: number, path: string) => Answer): Promise<Origin> {
  const requests: string[] = [];
  let givenUp = 0;
  const origin = await http2Origin((request) => {
    request.whenEnded(() => {
      const { method, path, stream } = request;
      const how = answer(requests.push(`${method} ${path} ${stream.body}`) - 1, path);
      if (typeof how === "number") {
        const text = method === "HEAD" ? "" : `${how}`;
        return request.respond(how, [["content-length", "3"]], text);
      }
      if (how === "break") return request.link.reset(stream.id, 2);
      if (how === "refuse") return request.link.reset(stream.id, 7);
      if (how === "die") return void request.link.socket.destroy();
      request.onReset = () => givenUp++;
      if (how === "half") request.respond(200, [], "half", "open");
    });
  });
  const { port, close } = origin;
  return { port, speaks: "http2", requests, givenUp: () => givenUp, close };
}

export type Asked = {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly fields?: readonly Field[];
  /** So long an answer is waited for. */
  readonly withinMs?: number;
};

const WITHIN_MS = 5_000;

export type Told = {
  /** 0: no response began. */
  readonly status: number;
  readonly body: string;
  /** The response is whole; else it broke off, and the client saw that. */
  readonly isWhole: boolean;
  readonly error: string | null;
  readonly grpcStatus: string | null;
  readonly tookMs: number;
};

/** Sends a request for `host` on a connection of its own and waits for what comes of it. */
export async function ask(
  version: Version,
  port: number,
  host: string,
  asked: Asked = {},
): Promise<Told> {
  const startMs = performance.now();
  const told = await (version === "http1" ? ask1(port, host, asked) : ask2(port, host, asked));
  return { ...told, tookMs: performance.now() - startMs };
}

async function ask1(port: number, host: string, asked: Asked): Promise<Omit<Told, "tookMs">> {
  const { method = "GET", path = "/", body = "", fields = [], withinMs = WITHIN_MS } = asked;
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${length}${lines}\r\n`;
  const whole = (text: string) => readResponse(text, 0, { method, isEnded: false });
  const until = (text: string) => whole(text) !== null;
  const { text, end } = await send(port, head + body, { until, withinMs });
  if (end === "timeout") throw new Error(`no answer: ${text}`);
  const message = whole(text);
  const status = Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(text)?.[1] ?? "0");
  const error = message?.fields.find(([name]) => name === "l5d-proxy-error")?.[1] ?? null;
  return {
    status,
    body: message?.body ?? text.slice(text.indexOf("\r\n\r\n") + 4),
    isWhole: message !== null,
    error,
    grpcStatus: null,
  };
}

async function ask2(port: number, host: string, asked: Asked): Promise<Omit<Told, "tookMs">> {
  const { method = "GET", path = "/", body = "", fields = [], withinMs = WITHIN_MS } = asked;
  const peer = await Http2Peer.connect(port);
  const pseudo: Field[] = [
    [":method", method],
    [":scheme", "http"],
    [":authority", host],
    [":path", path],
  ];
  const stream = await peer.over(peer.request([...pseudo, ...fields], body), withinMs);
  const { violations } = peer.link;
  peer.close();
  if (violations.length > 0) throw new Error(violations.join("; "));
  return {
    status: stream.status ?? 0,
    body: stream.body,
    isWhole: stream.isEnded,
    error: stream.value("l5d-proxy-error"),
    grpcStatus: stream.trailer("grpc-status") ?? stream.value("grpc-status"),
  };
}
