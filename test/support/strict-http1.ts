/**
 * A second reading of what the proxy writes, made of strings and regular expressions and of nothing
 * from the codec: what it refuses must never reach a backend or a client.
 */
import type { BodyFact } from "./read-http1.ts";

export interface StrictMessage {
  readonly startLine: string;
  /** Names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: BodyFact;
  /** Null without a Host field. */
  readonly host: string | null;
}

const TCHAR = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const VISIBLE = "[\\x21-\\x7e\\x80-\\xff]";
const TEXT = "[\\t\\x20-\\x7e\\x80-\\xff]";
const FIELD = new RegExp(`^(${TCHAR}+): ((?:${VISIBLE}(?:${TEXT}*${VISIBLE})?)?)$`);
const HOST = "(?:\\[[0-9A-Fa-f:.]+\\]|[-._~!$&'()*+;=%0-9A-Za-z]+)";
const AUTHORITY = new RegExp(`^${HOST}(?::[0-9]*)?$`);
const REQUEST_LINE = new RegExp(
  `^(?:OPTIONS \\*|CONNECT ${HOST}:[0-9]+|${TCHAR}{1,32} /[\\x21\\x22\\x24-\\x7e]*) HTTP/1\\.[01]$`,
);
const STATUS_LINE = new RegExp(`^HTTP/1\\.1 [1-5][0-9][0-9] ${TEXT}*$`);
/** What must not be sent on, whoever it came from. */
const HOP_BY_HOP = /^(?:keep-alive|proxy-connection|http2-settings)$/;
/** What is not believed from the wire. */
const IDENTITY = /^(?:l5d-.+|x-forwarded-client-cert)$/;

/** Reads the head of a request as it goes to an endpoint; throws with the reason what is not pure. */
export function strictRequest(text: string): StrictMessage {
  const message = readHead(text, REQUEST_LINE);
  const { fields, host, body } = message;
  const isV1 = message.startLine.endsWith("1.1");
  check(valuesOf(fields, "host").length <= 1, "two Host fields");
  check(host !== null || !isV1, "no Host field");
  check(host === null || AUTHORITY.test(host), `Host: ${host}`);
  check(isV1 || body !== "chunked", "chunked in HTTP/1.0");
  check(!fields.some(([name]) => IDENTITY.test(name)), "an identity from the wire");
  const connection = valuesOf(fields, "connection");
  check(connection.length <= 1, "two Connection fields");
  check(/^(?:close|Upgrade|TE|)$/.test(connection[0] ?? ""), `Connection: ${connection[0]}`);
  check(isV1 || connection[0] === "close", "HTTP/1.0 without Connection: close");
  const te = valuesOf(fields, "te").join();
  check(te === (connection[0] === "TE" ? "trailers" : ""), `TE: ${te}`);
  const upgrade = valuesOf(fields, "upgrade");
  check(
    upgrade.length > 0 === (connection[0] === "Upgrade"),
    "Upgrade without Connection: Upgrade",
  );
  const protocols = upgrade.join().split(",");
  check(!protocols.some((protocol) => /^[ \t]*h2c[ \t]*$/i.test(protocol)), "Upgrade: h2c");
  check(upgrade.length === 0 || body === "none" || body === 0, "Upgrade with a body");
  const expect = valuesOf(fields, "expect");
  check(expect.length <= 1, "two Expect fields");
  check(/^(?:100-continue)?$/i.test(expect[0] ?? ""), `Expect: ${expect[0]}`);
  return message;
}

/** Reads the head of a response as it goes to a client; throws with the reason what is not pure. */
export function strictResponse(text: string): StrictMessage {
  const message = readHead(text, STATUS_LINE);
  const connection = valuesOf(message.fields, "connection");
  check(connection.length <= 1, "two Connection fields");
  check(/^(?:close|keep-alive|Upgrade|)$/.test(connection[0] ?? ""), "Connection");
  check(valuesOf(message.fields, "te").length === 0, "TE in a response");
  return message;
}

/** Reads a whole chunked body; throws what is not in the one form that we send. */
export function strictChunked(text: string): { data: string; trailers: readonly string[] } {
  let rest = text;
  let data = "";
  for (;;) {
    const header = /^(0|[1-9a-f][0-9a-f]*)\r\n/.exec(rest);
    check(header !== null, `size line at ${JSON.stringify(rest.slice(0, 20))}`);
    const size = Number.parseInt(header?.[1] ?? "", 16);
    rest = rest.slice(header?.[0].length ?? 0);
    if (size === 0) break;
    check(rest.slice(size, size + 2) === "\r\n", "no CRLF after a chunk");
    data += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
  check(rest.endsWith("\r\n"), "no end of the trailers");
  const trailers = rest.split("\r\n").slice(0, -1);
  check(trailers.pop() === "", "no empty line");
  for (const line of trailers) check(FIELD.test(line), `trailer ${JSON.stringify(line)}`);
  return { data, trailers };
}

function readHead(text: string, startLine: RegExp): StrictMessage {
  const lines = text.split("\r\n");
  check(lines.pop() === "" && lines.pop() === "", "no empty line at the end");
  const [first, ...rest] = lines;
  check(first !== undefined && startLine.test(first), `start line ${JSON.stringify(first)}`);
  const fields = rest.map((line): readonly [string, string] => {
    const match = FIELD.exec(line);
    check(match !== null, `field line ${JSON.stringify(line)}`);
    return [(match?.[1] ?? "").toLowerCase(), match?.[2] ?? ""];
  });
  for (const [name] of fields) check(!HOP_BY_HOP.test(name), name);
  return {
    startLine: first ?? "",
    fields,
    body: bodyOf(fields),
    host: valuesOf(fields, "host")[0] ?? null,
  };
}

function bodyOf(fields: StrictMessage["fields"]): BodyFact {
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  check(lengths.length + codings.length <= 1, "two framings");
  if (codings.length === 1) {
    check(codings[0] === "chunked", `Transfer-Encoding: ${codings[0]}`);
    return "chunked";
  }
  if (lengths[0] === undefined) return "none";
  check(/^(?:0|[1-9][0-9]{0,14})$/.test(lengths[0]), `Content-Length: ${lengths[0]}`);
  return Number(lengths[0]);
}

function valuesOf(fields: StrictMessage["fields"], name: string): string[] {
  return fields.filter((field) => field[0] === name).map(([, value]) => value);
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`not strict HTTP/1: ${what}`);
}
