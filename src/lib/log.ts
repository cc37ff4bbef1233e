/**
 * The log: one line per event, to stderr. What peers sent can neither end a line nor colour a
 * terminal: control characters are escaped. A message is a constant text and what varies is in its
 * fields, so that a message that repeats is cut to MESSAGE_LINES_MAX per window and the rest is
 * counted.
 */
import { type EventLine, formatJson, formatText } from "./log-line.ts";
import { writeStderr } from "./stderr.ts";

/** From what always shows to what rarely does. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = "text" | "json";

/** What varies in an event. Errors are shown with their stack, objects as JSON; both are bounded. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Lines of one message in one window: enough to see a pattern, too few to fill a disk. */
export const MESSAGE_LINES_MAX = 10;
export const WINDOW_MS = 1_000;
/** Messages counted apart at once; more than we have, so that only a mistake shares a window. */
const MESSAGES_MAX = 256;

export type LoggerOptions = {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one line with its line feed, returns whether it was written. Stderr unless given. */
  readonly write?: (line: string) => boolean;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs?: () => number;
};

type Window = { message: string; level: LogLevel; startMs: number; lines: number; omitted: number };

/** Returns the level of that name, null if there is none. */
export function parseLogLevel(text: string): LogLevel | null {
  return LOG_LEVELS.find((level) => level === text) ?? null;
}

export class Logger {
  /** May be changed at any time. */
  level: LogLevel;
  readonly #format: (event: EventLine) => string;
  readonly #write: (line: string) => boolean;
  readonly #nowMs: () => number;
  readonly #windows = new Map<string, Window>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #dropped = 0;

  constructor(options: LoggerOptions) {
    this.level = options.level;
    this.#format = options.format === "json" ? formatJson : formatText;
    this.#write = options.write ?? writeStderr;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** Lines that could not be written, ever. Those left out by the rate limit are not among them. */
  get dropped(): number {
    return this.#dropped;
  }

  error(message: string, fields: LogFields = {}): void {
    this.#log("error", message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#log("warn", message, fields);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#log("info", message, fields);
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#log("debug", message, fields);
  }

  /** Returns whether lines of this level are written; for fields that are costly to make. */
  isEnabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(this.level);
  }

  /** Says what was left out so far. To be called before the process ends. */
  flush(): void {
    this.#closeWindows(Number.POSITIVE_INFINITY);
  }

  #log(level: LogLevel, message: string, fields: LogFields): void {
    if (!this.isEnabled(level)) return;
    const nowMs = this.#nowMs();
    const window = this.#windowOf(level, message, nowMs);
    if (window.lines >= MESSAGE_LINES_MAX) {
      window.omitted += 1;
      this.#schedule();
      return;
    }
    window.lines += 1;
    this.#emit(nowMs, level, message, fields);
  }

  #windowOf(level: LogLevel, message: string, nowMs: number): Window {
    const open = this.#windows.get(message);
    if (open !== undefined && isOpen(open, nowMs)) return open;
    if (open !== undefined || this.#windows.size >= MESSAGES_MAX) this.#closeWindows(nowMs);
    const key = this.#windows.size >= MESSAGES_MAX ? "other messages" : message;
    const shared = this.#windows.get(key);
    if (shared !== undefined) return shared;
    const window = { message: key, level, startMs: nowMs, lines: 0, omitted: 0 };
    this.#windows.set(key, window);
    return window;
  }

  #closeWindows(nowMs: number): void {
    for (const [key, window] of this.#windows) {
      if (isOpen(window, nowMs)) continue;
      this.#windows.delete(key);
      if (window.omitted === 0) continue;
      const fields = { omitted: window.omitted, of: window.message };
      this.#emit(this.#nowMs(), window.level, "lines left out", fields);
    }
  }

  /** So that the count is written though the message never comes again. */
  #schedule(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#closeWindows(this.#nowMs());
      const isLeft = [...this.#windows.values()].some((window) => window.omitted > 0);
      if (isLeft) this.#schedule();
    }, WINDOW_MS);
    // A log must not keep the process; the timer is a number or an object, by the runtime's mood.
    if (typeof this.#timer === "object") this.#timer.unref();
  }

  #emit(nowMs: number, level: LogLevel, message: string, fields: LogFields): void {
    const time = new Date(nowMs).toISOString();
    let isWritten = false;
    try {
      isWritten = this.#write(`${this.#format({ time, level, message, fields })}\n`);
    } catch {
      // A field whose getter or toJSON throws, or a writer that does.
    }
    if (!isWritten) this.#dropped += 1;
  }
}

/** A clock that was set back closes a window too, else it might stay open for years. */
function isOpen(window: Window, nowMs: number): boolean {
  const ageMs = nowMs - window.startMs;
  return ageMs >= 0 && ageMs < WINDOW_MS;
}
