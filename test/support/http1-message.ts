/**
 * Reads HTTP/1 messages as a peer sees them on the wire (RFC 9112), to compare what came through the
 * sidecars with what comes without them. Knows nothing of the codec under test. One character is one
 * byte; body and trailers are decoded, how the body was framed is told beside them.
 */

export type FieldLine = readonly [name: string, value: string];

export type Message = {
  /** The request or status line, without its CRLF. */
  readonly start: string;
  /** In order and case, with optional whitespace trimmed. */
  readonly fields: readonly FieldLine[];
  /** `none`, `length N`, `chunked`, or `until close` (responses only). */
  readonly framing: string;
  readonly body: string;
  readonly trailers: readonly FieldLine[];
  /** Characters of the text up to the end of this message. */
  readonly end: number;
};

export type EndToEnd = Omit<Message, "end">;

/** Fields of one connection, which every hop sets for itself (RFC 9110 §7.6.1). */
const HOP_BY_HOP: readonly string[] = ["connection", "keep-alive", "proxy-connection", "te"];

const BLANK_LINE = "\r\n\r\n";

/** Reads the request that begins at `from`, or returns null while it is not complete. */
export function readRequest(text: string, from = 0): Message | null {
  return readMessage(text, from, false);
}

export type ResponseTo = {
  readonly method: string;
  /** The connection has ended, which ends a body that nothing else does. */
  readonly isEnded: boolean;
};

/** Reads one response that begins at `from`, interim ones too, or returns null while incomplete. */
export function readResponse(text: string, from: number, to: ResponseTo): Message | null {
  const status = Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(text.slice(from, from + 12))?.[1]);
  const hasNoBody = status < 200 || status === 204 || status === 304 || to.method === "HEAD";
  const message = readMessage(text, from, hasNoBody);
  if (message === null || hasNoBody || message.framing !== "none") return message;
  if (!to.isEnded) return null;
  return { ...message, framing: "until close", body: text.slice(message.end), end: text.length };
}

/** Reads interim responses and the final one. Null while the final one is not complete. */
export function readExchange(text: string, to: ResponseTo): readonly Message[] | null {
  const messages: Message[] = [];
  for (let from = 0; ; from = messages.at(-1)?.end ?? 0) {
    const message = readResponse(text, from, to);
    if (message === null) return null;
    messages.push(message);
    if (!/^HTTP\/1\.[01] 1/.test(message.start)) return messages;
  }
}

/** What must be the same with and without sidecars between: all but fields of one hop. */
export function endToEnd({ start, fields, framing, body, trailers }: Message): EndToEnd {
  const kept = fields.filter(([name]) => !HOP_BY_HOP.includes(name.toLowerCase()));
  return { start, fields: kept, framing, body, trailers };
}

function readMessage(text: string, from: number, hasNoBody: boolean): Message | null {
  const blank = text.indexOf(BLANK_LINE, from);
  if (blank === -1) return null;
  const [start = "", ...lines] = text.slice(from, blank).split("\r\n");
  const fields = lines.map(readLine);
  const bodyStart = blank + BLANK_LINE.length;
  const framing = framingOf(fields);
  const head = { start, fields, framing, trailers: [] };
  if (hasNoBody || framing === "none") return { ...head, body: "", end: bodyStart };
  if (framing === "chunked") {
    const chunked = readChunks(text, bodyStart);
    return chunked === null ? null : { ...head, ...chunked };
  }
  const end = bodyStart + Number(framing.slice("length ".length));
  return end > text.length ? null : { ...head, body: text.slice(bodyStart, end), end };
}

function framingOf(fields: readonly FieldLine[]): string {
  const of = (wanted: string): string | undefined =>
    fields.find(([name]) => name.toLowerCase() === wanted)?.[1];
  if (of("transfer-encoding")?.toLowerCase() === "chunked") return "chunked";
  const length = of("content-length");
  return length === undefined ? "none" : `length ${length}`;
}

function readChunks(text: string, from: number): Pick<Message, "body" | "trailers" | "end"> | null {
  let body = "";
  for (let at = from; ; ) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error(`no chunk size: ${text.slice(at, lineEnd)}`);
    if (size === 0) return readTrailers(text, lineEnd, body);
    at = lineEnd + 2 + size + 2;
    if (at > text.length) return null;
    body += text.slice(lineEnd + 2, at - 2);
  }
}

function readTrailers(
  text: string,
  lineEnd: number,
  body: string,
): Pick<Message, "body" | "trailers" | "end"> | null {
  const blank = text.indexOf(BLANK_LINE, lineEnd);
  if (blank === -1) return null;
  const lines = text
    .slice(lineEnd, blank)
    .split("\r\n")
    .filter((line) => line !== "");
  return { body, trailers: lines.map(readLine), end: blank + BLANK_LINE.length };
}

function readLine(line: string): FieldLine {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")];
}
