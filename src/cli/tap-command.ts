/** `outrigger tap`: the requests that running sidecars carry, printed as they end. */
import { writeStderr } from "../lib/stderr.ts";
import type { TapConfig } from "./look-config.ts";
import { printed } from "./printed.ts";
import { readTapLine, tapJson, tapText } from "./tap-line.ts";
import { TapStream } from "./tap-stream.ts";

const EXIT_FAILURE = 1;
/** Under a flood something is dropped in each batch; people are told so once in a while. */
const DROPPED_NOTE_MS = 1_000;

/** Runs until its end, all streams' end, or a signal. Returns the exit status. */
export function tap(config: TapConfig): Promise<number> {
  return new TapRun(config).run();
}

class TapRun {
  readonly #config: TapConfig;
  readonly #streams: TapStream[];
  #left: number;
  #text = "";
  #dropped = 0;
  #notedMs = 0;
  #printing: Promise<void> | null = null;
  #hasFailed = false;

  constructor(config: TapConfig) {
    const { adminUrls, filter, max } = config;
    this.#config = config;
    this.#left = max ?? Number.POSITIVE_INFINITY;
    this.#streams = adminUrls.map(
      (adminUrl) =>
        new TapStream({
          adminUrl,
          filter,
          onLine: (line) => this.#onLine(line, adminUrl),
          onPiece: () => this.#print(),
        }),
    );
  }

  async run(): Promise<number> {
    const { durationMs } = this.#config;
    const stop = (): void => this.#stop();
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    const timer = durationMs === null ? null : setTimeout(stop, durationMs);
    await Promise.all(this.#streams.map((stream) => this.#follow(stream)));
    if (timer !== null) clearTimeout(timer);
    this.#note(Number.POSITIVE_INFINITY);
    await this.#print();
    return this.#hasFailed ? EXIT_FAILURE : 0;
  }

  async #follow(stream: TapStream): Promise<void> {
    const reason = await stream.ended;
    if (reason === null) return;
    this.#hasFailed = true;
    writeStderr(`outrigger: ${reason}\n`);
  }

  #stop(): void {
    for (const stream of this.#streams) stream.stop();
  }

  #onLine(line: string, adminUrl: string): void {
    if (this.#left === 0) return;
    const { adminUrls, isJson } = this.#config;
    const admin = adminUrls.length > 1 ? adminUrl.slice("http://".length) : null;
    const read = readTapLine(line);
    if (read.kind === "dropped") {
      this.#dropped += read.count;
      this.#note(performance.now());
    } else if (read.kind === "event") {
      this.#text += `${isJson ? tapJson(read.event, admin) : tapText(read.event, admin)}\n`;
      if (--this.#left === 0) this.#stop();
    } else if (read.kind === "bad") {
      this.#hasFailed = true;
      writeStderr(
        `outrigger: ${adminUrl}: what answers is not an outrigger, or of another version\n`,
      );
      this.#stop();
    }
  }

  /** Tells how many were not told, in their place between the others. */
  #note(nowMs: number): void {
    if (this.#dropped === 0 || nowMs - this.#notedMs < DROPPED_NOTE_MS) return;
    this.#notedMs = nowMs;
    if (this.#config.isJson) this.#text += `${JSON.stringify({ dropped: this.#dropped })}\n`;
    else writeStderr(`outrigger: ${this.#dropped} more did not fit; see --sample\n`);
    this.#dropped = 0;
  }

  /** Prints what came; null when there was nothing. */
  #print(): Promise<void> | null {
    if (this.#printing !== null || this.#text === "") return this.#printing;
    const text = this.#text;
    this.#text = "";
    this.#printing = printed(text).then(async (isRead) => {
      this.#printing = null;
      if (!isRead) this.#stop();
      // What other sidecars told meanwhile.
      else await this.#print();
    });
    return this.#printing;
  }
}
