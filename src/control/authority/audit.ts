/**
 * The record of who was given a certificate and who was not: one line each, made of names, numbers
 * and our own words, never of a key, a request or a secret. What a peer can have written without
 * end, having proved nothing or asked too often, is cut to some lines a second and counted.
 */
import { type LogFields, Logger } from "../../lib/log.ts";
import { formatJson, formatText } from "../../lib/log-line.ts";
import { writeStderr } from "../../lib/stderr.ts";

export type AuditEvent = {
  readonly event: "certificate issued" | "certificate refused";
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** Who asked, as authenticated; null when nobody was. */
  readonly identity: string | null;
  /** Whom the request was for: what a peer sent, cut to REQUESTED_CHARS_MAX. */
  readonly requested: string;
  /** Where the request came from. */
  readonly peer: string;
  /** What authenticated it: `certificate`, `token ID`, or `none`. */
  readonly proof: string;
  /** Of what was issued: hexadecimal digits, and milliseconds since 1970. */
  readonly serial: string | null;
  readonly notAfterMs: number | null;
  /** Of a refusal: its kind, and why. */
  readonly kind: string | null;
  readonly reason: string | null;
};

/** As long as a name in DNS. */
export const REQUESTED_CHARS_MAX = 253;

/** Returns what keeps the record, on stderr unless `write` is given. */
export function auditTrail(
  format: "text" | "json",
  write: (line: string) => boolean = writeStderr,
): (event: AuditEvent) => void {
  const cut = new Logger({ level: "warn", format, write });
  return (event) => {
    const isEndless = event.proof === "none" || event.kind === "rate-limited";
    if (isEndless) cut.warn(event.event, fieldsOf(event));
    else write(`${auditLine(event, format)}\n`);
  };
}

/** Returns the line without its line end; what a peer sent is escaped. */
export function auditLine(event: AuditEvent, format: "text" | "json"): string {
  const { event: message, timeMs } = event;
  const isIssued = message === "certificate issued";
  const time = new Date(timeMs).toISOString();
  const level = isIssued ? "info" : "warn";
  const line = { time, level, message, fields: fieldsOf(event) };
  return format === "json" ? formatJson(line) : formatText(line);
}

function fieldsOf({ event: _, timeMs: __, notAfterMs, ...rest }: AuditEvent): LogFields {
  const notAfter = notAfterMs === null ? null : new Date(notAfterMs).toISOString();
  const known = Object.entries({ ...rest, notAfter }).filter(([, value]) => value !== null);
  return Object.fromEntries(known);
}
