/**
 * An HTTP/1 origin that cuts what it gets into requests with the strict reader and keeps them: the
 * proof that a backend behind the proxy sees exactly as many requests as there were, each of them
 * well-formed. What is not strict is a fault; what is not whole is never counted as a request.
 */
import type { Socket } from "node:net";
import { rawOrigin } from "./raw.ts";
import { type StrictMessage, strictChunked, strictRequest } from "./strict-http1.ts";

export type RecordedRequest = StrictMessage & {
  readonly method: string;
  readonly target: string;
  readonly content: string;
  readonly trailers: readonly string[];
  /** Which of the connections, from 0. */
  readonly connection: number;
};

export type RecordingOrigin = {
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  readonly faults: readonly string[];
  /** What came on each connection behind its last whole request. */
  unfinished(): string[];
  /** Requests that wait for an answer on a connection that is open. */
  waiting(): RecordedRequest[];
  /** The most connections that were open at once, those that only idle too. */
  peak(): number;
  /** Whether the connection is open on which this came behind the last whole request. */
  isOpen(unfinished: string): boolean;
  connections(): number;
  /** Forgets the requests and the peak; connections stay. */
  forget(): void;
  close(): Promise<void>;
};

/** What to answer, or null for nothing; text of one character per byte. */
export type Answer = (request: RecordedRequest, socket: Socket) => string | null;

export const OK_HTTP1 = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Starts an origin that answers each request once it is whole. */
export async function recordingOrigin(answer: Answer = () => OK_HTTP1): Promise<RecordingOrigin> {
  const requests: RecordedRequest[] = [];
  const faults: string[] = [];
  const read: number[] = [];
  const sockets = new Map<Socket, number>();
  const unanswered: RecordedRequest[] = [];
  let peak = 0;
  const origin = await rawOrigin((socket, text, connection) => {
    if (!sockets.has(socket)) socket.on("close", () => sockets.delete(socket));
    sockets.set(socket, connection);
    peak = Math.max(peak, sockets.size);
    try {
      for (;;) {
        const next = wholeRequest(text, read[connection] ?? 0, connection);
        if (next === null) return;
        read[connection] = next.end;
        requests.push(next.request);
        const reply = answer(next.request, socket);
        if (reply === null) unanswered.push(next.request);
        else socket.write(Buffer.from(reply, "latin1"));
      }
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
      socket.destroy();
    }
  });
  const rests = (): string[] => origin.received.map((text, i) => text.slice(read[i] ?? 0));
  const isOpen = (connection: number): boolean => [...sockets.values()].includes(connection);
  return {
    port: origin.port,
    requests,
    faults,
    unfinished: () => rests().filter((rest) => rest !== ""),
    waiting: () => unanswered.filter(({ connection }) => isOpen(connection)),
    peak: () => peak,
    isOpen: (unfinished) => isOpen(rests().indexOf(unfinished)),
    connections: origin.connections,
    forget: () => {
      requests.length = 0;
      peak = 0;
    },
    close: origin.close,
  };
}

function wholeRequest(
  text: string,
  start: number,
  connection: number,
): { request: RecordedRequest; end: number } | null {
  const blank = text.indexOf("\r\n\r\n", start);
  if (blank === -1) return null;
  const head = blank + 4;
  const message = strictRequest(text.slice(start, head));
  const [method = "", target = ""] = message.startLine.split(" ");
  let end = head;
  let content = { data: "", trailers: [] as readonly string[] };
  if (message.body === "chunked") {
    const whole = endOfChunks(text, head);
    if (whole === null) return null;
    content = strictChunked(text.slice(head, whole));
    end = whole;
  } else if (message.body !== "none") {
    end = head + message.body;
    if (text.length < end) return null;
    content = { data: text.slice(head, end), trailers: [] };
  }
  const { data, trailers } = content;
  return { request: { ...message, method, target, content: data, trailers, connection }, end };
}

/** Where a chunked body ends, or null if it does not yet. Judges nothing. */
function endOfChunks(text: string, start: number): number | null {
  let at = start;
  for (;;) {
    const line = text.indexOf("\r\n", at);
    if (line === -1) return null;
    const size = Number.parseInt(text.slice(at, line), 16);
    if (Number.isNaN(size)) throw new Error(`not strict HTTP/1: size ${text.slice(at, line)}`);
    if (size > 0) {
      at = line + 2 + size + 2;
      if (at > text.length) return null;
      continue;
    }
    const isBare = text.startsWith("\r\n", line + 2);
    const end = isBare ? line + 2 : text.indexOf("\r\n\r\n", line + 2);
    if (isBare) return end + 2;
    return end === -1 ? null : end + 4;
  }
}
