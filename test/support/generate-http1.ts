/** Random requests and responses, valid in all the ways that clients and backends write them. */
import type { Random } from "./random.ts";

const TOKEN = "abcXYZ019!#$%&'*+-.^_`|~";
const TEXT = 'abc XYZ,;="/()<>@[]\\{}?\t:\x80\xe9\xff';
const TARGET = "abc/?&=%2f;,.+-_~!$'()*:@[]|{}\"\\";
const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "PATCH",
  "PROPFIND",
  "get",
  "X-Y",
];
const HOSTS = [
  "a",
  "example.com:8080",
  "[::1]:80",
  "[2001:db8::1]",
  "10.0.0.1",
  "a_b.svc.ns:",
  "A.B:1",
];
const REASONS = ["OK", "", "Not Found", "a\tb", "\xe9"];

function text(random: Random, alphabet: string, min: number, max: number): string {
  const chars = [...alphabet];
  return Array.from({ length: random.between(min, max) }, () => random.pick(chars)).join("");
}

/** A name in any case. */
function cased(random: Random, name: string): string {
  return [...name].map((char) => (random.chance(0.3) ? char.toUpperCase() : char)).join("");
}

/** Optional white space, the usual one most of the time. */
function space(random: Random): string {
  return random.chance(0.7) ? " " : text(random, " \t", 0, 3);
}

function field(random: Random, name: string, value: string): string {
  return `${cased(random, name)}:${space(random)}${value}${random.chance(0.2) ? space(random) : ""}`;
}

function shuffled(random: Random, lines: string[]): string[] {
  const rest = [...lines];
  return lines.map(() => rest.splice(random.below(rest.length), 1).join());
}

function otherFields(random: Random): string[] {
  return Array.from(
    { length: random.below(6) },
    () => `x${text(random, TOKEN, 0, 8)}:${space(random)}${text(random, TEXT, 0, 20)}`,
  );
}

function framing(random: Random): string[] {
  const length = `${"0".repeat(random.below(3))}${random.below(100_000)}`;
  if (random.chance(0.3)) return [field(random, "content-length", length)];
  return random.chance(0.3) ? [field(random, "transfer-encoding", cased(random, "chunked"))] : [];
}

/** Returns the head of a request that a strict proxy must take. */
export function anyRequest(random: Random): string {
  const method = random.pick(METHODS);
  const isV1 = random.chance(0.85);
  const host = random.pick(HOSTS);
  const isAbsolute = random.chance(0.2);
  const path = random.chance(0.2) ? "" : `/${text(random, TARGET, 0, 12)}`;
  let target = isAbsolute ? `http://${random.pick(HOSTS)}${path}` : path || "/";
  if (method === "OPTIONS" && random.chance(0.3)) target = "*";
  const fields = otherFields(random);
  if (isV1 || random.chance(0.5)) fields.push(field(random, "host", host));
  const body = isV1 || random.chance(0.5) ? framing(random) : [];
  const hasBody = body.length > 0;
  if (isV1 || !body.join().toLowerCase().includes("transfer")) fields.push(...body);
  if (!hasBody && random.chance(0.2)) {
    fields.push(field(random, "upgrade", random.pick(["websocket", "h2c", "a, b", "h2c,c", ""])));
    fields.push(field(random, "connection", "x1, Upgrade"), "x1: y");
  }
  if (random.chance(0.2)) {
    const options = ["close", "keep-alive", "te", "xa", "host", "", "x,,close", "l5d-a"];
    fields.push(field(random, "connection", random.pick(options)), "XA: b");
  }
  if (random.chance(0.2)) fields.push(field(random, "te", random.pick(["trailers", "gzip", ""])));
  if (hasBody && random.chance(0.2)) fields.push(field(random, "expect", "100-Continue"));
  const extra = ["keep-alive", "proxy-connection", "l5d-client-id", "trailer", "http2-settings"];
  if (random.chance(0.2)) fields.push(field(random, random.pick(extra), "x"));
  const line = `${method} ${target} HTTP/1.${isV1 ? 1 : 0}`;
  const blank = random.chance(0.1) ? "\r\n" : "";
  return `${blank}${[line, ...shuffled(random, fields)].join("\r\n")}\r\n\r\n`;
}

/** Returns the head of a response that a strict proxy must take. */
export function anyResponse(random: Random): string {
  const isV1 = random.chance(0.85);
  const status = random.pick([
    200,
    204,
    304,
    404,
    500,
    100,
    103,
    101,
    426,
    random.between(100, 599),
  ]);
  const fields = [...otherFields(random), ...(isV1 ? framing(random) : [])];
  if (random.chance(0.3)) {
    const options = ["close", "keep-alive", "upgrade", "xa, Upgrade", "", ",xa"];
    fields.push(field(random, "connection", random.pick(options)), "XA: b");
  }
  const extra = ["upgrade", "keep-alive", "set-cookie", "l5d-x", "trailer", "te", "expect"];
  if (random.chance(0.3)) fields.push(field(random, random.pick(extra), "timeout=5"));
  const reason = random.chance(0.1) ? "" : ` ${random.pick(REASONS)}`;
  const line = `HTTP/1.${isV1 ? 1 : 0} ${status}${reason}`;
  return `${[line, ...shuffled(random, fields)].join("\r\n")}\r\n\r\n`;
}

const SNIPPETS = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "\r\n ",
  "\x0b",
  "\x7f",
  "\x80",
  '"',
  "#",
  "%00",
  "Transfer-Encoding: chunked\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Host: b\r\n",
  "Connection: host\r\n",
  "Upgrade: h2c\r\n",
  "l5d-client-id: x\r\n",
  "chunked",
  "close",
  "HTTP/1.0",
  "HTTP/2.0",
  "GET ",
  "Connection: Upgrade\r\n",
  "\r\n\r\n",
  "http://b/",
  "TE: trailers\r\n",
  "+",
  "0x",
  "@",
];

/** Returns the text with one to four small faults. */
export function mutated(random: Random, original: string): string {
  let result = original;
  for (let count = random.between(1, 4); count > 0; count--) {
    const at = random.below(result.length + 1);
    const to = at + random.below(6);
    const cut = random.pick(["", random.pick(SNIPPETS), String.fromCharCode(random.below(256))]);
    const kind = random.below(3);
    if (kind === 0) result = result.slice(0, at) + cut + result.slice(at);
    else if (kind === 1) result = result.slice(0, at) + cut + result.slice(to);
    else result = result.slice(0, to) + result.slice(at, to + random.below(30)) + result.slice(to);
  }
  return result;
}
