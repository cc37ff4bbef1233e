/** How an event looks as a line, as text or as JSON. Pure. */

export type EventLine = {
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** Longer values and messages are cut: a stack fits, a body that a peer sent does not. */
const CHARS_MAX = 2_048;

/**
 * What may not stand in a line as it is: C0, DEL and C1 controls (line ends, terminal escapes),
 * Unicode's line and paragraph separators, and its direction marks, which make a line read as
 * another (CVE-2021-42574).
 */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** Values that need no quotes in a text line. */
const PLAIN = /^[\w.:/@%+[\]-]+$/;
const RESERVED: ReadonlySet<string> = new Set(["time", "level", "message"]);

/** `TIME LEVEL message key=value key="value with \"spaces\""` */
export function formatText({ time, level, message, fields }: EventLine): string {
  let line = `${time} ${level.padEnd(5)} ${escapeUnsafe(cut(message).replaceAll("\\", "\\\\"))}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    line += ` ${safeKey(key)}=${textValue(value)}`;
  }
  return line;
}

/** One JSON object with `time`, `level`, `message` and the fields beside them. */
export function formatJson({ time, level, message, fields }: EventLine): string {
  const event: Record<string, unknown> = { time, level, message: cut(message) };
  for (const [key, value] of Object.entries(fields)) {
    const name = safeKey(key);
    event[RESERVED.has(name) ? `field_${name}` : name] = plainValue(value);
  }
  return escapeUnsafe(JSON.stringify(event));
}

/** Replaces what could end a line or steer a terminal by `\uXXXX`, which within JSON means the same. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function textValue(value: unknown): string {
  const text = String(plainValue(value));
  return PLAIN.test(text) ? text : escapeUnsafe(JSON.stringify(text));
}

/** Returns a value that JSON takes and that is bounded. */
function plainValue(value: unknown): string | number | boolean | null | undefined {
  switch (typeof value) {
    case "boolean":
    case "undefined":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "string":
      return cut(value);
    case "object":
      if (value === null) return null;
      return cut(value instanceof Error ? describe(value) : JSON.stringify(value));
    default:
      return cut(String(value));
  }
}

/** JavaScriptCore's stacks, other than V8's, do not begin with the error itself. */
function describe(error: Error): string {
  const head = `${error.name}: ${error.message}`;
  const stack = error.stack ?? "";
  return stack.startsWith(head) ? stack : `${head}\n${stack}`;
}

function cut(text: string): string {
  const short = text.length <= CHARS_MAX ? text : `${text.slice(0, CHARS_MAX)}…`;
  return short.toWellFormed();
}

function safeKey(key: string): string {
  return key.replace(/[^\w.-]/g, "_");
}
