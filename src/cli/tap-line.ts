/**
 * The lines that `tap` reads and prints. Paths and names come from whoever sent a request: all that
 * a terminal would obey is escaped, also within JSON, where it means the same.
 */
import {
  type Check,
  hasFields,
  isBoolean,
  isNumber,
  isNumberOrNull,
  isText,
  isTextOrNull,
} from "../admin/view-check.ts";
import { escapeUnsafe } from "../lib/log-line.ts";
import type { TapEvent } from "../mesh/tap.ts";

export type TapLine =
  | { readonly kind: "event"; readonly event: TapEvent }
  | { readonly kind: "dropped"; readonly count: number }
  /** The sidecar lives. */
  | { readonly kind: "beat" }
  | { readonly kind: "bad" };

const EVENT = {
  time_ms: isNumber,
  direction: isText,
  protocol: isText,
  client: isText,
  client_id: isTextOrNull,
  method: isText,
  authority: isText,
  path: isText,
  status: isNumber,
  latency_us: isNumber,
  endpoint: isTextOrNull,
  server_id: isTextOrNull,
  mtls: isBoolean,
  sends: isNumber,
  read_bytes: isNumberOrNull,
  written_bytes: isNumberOrNull,
} as const satisfies Readonly<Record<keyof TapEvent, Check>>;

/** The latest time that a Date can show. */
const TIME_MS_MAX = 8.64e15;

export function readTapLine(line: string): TapLine {
  if (line === "") return { kind: "beat" };
  try {
    const value: unknown = JSON.parse(line);
    if (isEvent(value)) return { kind: "event", event: value };
    if (hasFields(value, { dropped: isNumber })) {
      return { kind: "dropped", count: Number(value.dropped) };
    }
  } catch {
    // No JSON.
  }
  return { kind: "bad" };
}

function isEvent(value: unknown): value is TapEvent {
  return hasFields(value, EVENT) && Math.abs(Number(value.time_ms)) <= TIME_MS_MAX;
}

/** One line without its end. `admin`: where it comes from, if that is to be told. */
export function tapText(event: TapEvent, admin: string | null): string {
  const { client, client_id: who, direction, endpoint, protocol } = event;
  const time = new Date(event.time_ms).toISOString().slice(11, 23);
  const words = [
    time,
    ...(admin === null ? [] : [admin]),
    direction === "inbound" ? "in " : "out",
    who === null ? client : `${who}@${client}`,
    ...(protocol === "opaque" ? tunnelWords(event) : requestWords(event)),
    msText(event.latency_us),
    `to ${endpoint ?? "-"}`,
    event.mtls ? "mtls" : "plain",
    protocol,
  ];
  if (event.sends > 1) words.push(`sent ${event.sends} times`);
  return escapeUnsafe(words.join(" "));
}

/** The event as one line of JSON. */
export function tapJson(event: TapEvent, admin: string | null): string {
  return escapeUnsafe(JSON.stringify(admin === null ? event : { admin, ...event }));
}

function requestWords({ authority, method, path, status }: TapEvent): readonly string[] {
  const target = path.startsWith("/") ? `${authority}${path}` : `${authority} ${path}`;
  return [method, target, status === 0 ? "cut" : String(status)];
}

function tunnelWords({ authority, read_bytes, written_bytes }: TapEvent): readonly string[] {
  return ["TCP", authority || "-", `${read_bytes ?? 0}B up ${written_bytes ?? 0}B down`];
}

function msText(us: number): string {
  return us < 1e6 ? `${(us / 1e3).toFixed(1)}ms` : `${(us / 1e6).toFixed(1)}s`;
}
