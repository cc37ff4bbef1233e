/** The lines of one sidecar's `GET /tap`, until either side ends it. */
import { type IncomingMessage, request } from "node:http";
import type { TapFilter } from "../admin/tap-query.ts";
import { tapQuery } from "../admin/tap-query.ts";
import { TAP_HEARTBEAT_MS } from "../admin/taps.ts";
import { escapeUnsafe } from "../lib/log-line.ts";
import { reasonOf } from "./identity-command.ts";

/** It answers within milliseconds, and then says every few seconds that it lives. */
const ANSWER_TIMEOUT_MS = 3_000;
const SILENCE_MS = 3 * TAP_HEARTBEAT_MS;
/** An event whose texts all have their greatest length and are escaped throughout is half of this. */
const LINE_CHARS_MAX = 65_536;
/** Of an answer that is none of a tap. */
const REFUSAL_CHARS_MAX = 200;

const ENDED = "the sidecar has ended";

export type TapStreamOptions = {
  readonly adminUrl: string;
  readonly filter: TapFilter;
  /** Called with each line, without its end. */
  readonly onLine: (line: string) => void;
  /** Called after the lines of each piece; what it returns is waited for before more is read. */
  readonly onPiece: () => Promise<void> | null;
};

export class TapStream {
  /** Resolves when it is over: to null after `stop`, else to the reason. Never rejects. */
  readonly ended: Promise<string | null>;
  readonly #options: TapStreamOptions;
  readonly #sent: ReturnType<typeof request>;
  #resolve: (reason: string | null) => void = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rest = "";
  #isOpen = false;

  constructor(options: TapStreamOptions) {
    const { adminUrl, filter } = options;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const url = new URL(`/tap${tapQuery(filter)}`, adminUrl);
    this.#sent = request(url, { agent: false }, (response) => this.#onResponse(response));
    this.#sent.on("error", (error) => this.#end(this.#isOpen ? ENDED : reasonOf(error)));
    this.#arm(ANSWER_TIMEOUT_MS);
    this.#sent.end();
  }

  stop(): void {
    this.#finish(null);
  }

  #onResponse(response: IncomingMessage): void {
    this.#isOpen = true;
    response.setEncoding("utf8");
    // A process that stops may or may not get to say that the answer is over.
    const onEnd = (): void => this.#end(this.#refusal(response) ?? ENDED);
    response.on("error", onEnd);
    response.on("end", onEnd);
    response.on("close", onEnd);
    response.on("data", (text: string) => {
      this.#arm(SILENCE_MS);
      if (response.statusCode !== 200) {
        this.#rest = `${this.#rest}${text}`.slice(0, REFUSAL_CHARS_MAX);
      } else this.#onText(response, text);
    });
  }

  #refusal({ statusCode }: IncomingMessage): string | null {
    if (statusCode === 200) return null;
    return `/tap: HTTP ${statusCode}: ${this.#rest.trim()}`;
  }

  #onText(response: IncomingMessage, text: string): void {
    const lines = `${this.#rest}${text}`.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#options.onLine(line);
    if (this.#rest.length > LINE_CHARS_MAX) return this.#end("too long a line");
    const wait = this.#options.onPiece();
    if (wait === null) return;
    // Whoever reads us is slow; so are we, and the sidecar drops what does not fit.
    clearTimeout(this.#timer);
    response.pause();
    wait.then(
      () => {
        response.resume();
        this.#arm(SILENCE_MS);
      },
      () => this.stop(),
    );
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(`silent for ${ms} ms`), ms);
  }

  #end(reason: string): void {
    this.#finish(escapeUnsafe(`${this.#options.adminUrl}: ${reason}`));
  }

  #finish(reason: string | null): void {
    clearTimeout(this.#timer);
    this.#resolve(reason);
    this.#sent.destroy();
  }
}
