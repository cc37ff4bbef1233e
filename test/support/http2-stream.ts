/** What one side of an HTTP/2 connection has received on one stream, kept for a test to look at. */
import { type ReceivedFields, valuesOf } from "./strict-http2.ts";

/** Of a body so much is kept; of more, only the length. */
const KEPT_BYTES = 1_048_576;

export type Block = {
  readonly fields: ReceivedFields;
  /** END_STREAM was on its HEADERS. */
  readonly isEnd: boolean;
};

export class Http2Stream {
  readonly id: number;
  /** All field blocks in order: interim responses, the head, trailers. */
  readonly blocks: Block[] = [];
  bodyBytes = 0;
  /** DATA frames, the empty ones too. */
  dataFrames = 0;
  isEnded = false;
  /** The other side's RST_STREAM. */
  resetCode: number | null = null;
  readonly #chunks: Buffer[] = [];

  constructor(id: number) {
    this.id = id;
  }

  get isOver(): boolean {
    return this.isEnded || this.resetCode !== null;
  }

  /** The head: of a request the first block, of a response the first with a final status. */
  get head(): Block | null {
    return this.blocks.find(({ fields }) => !isInterim(fields)) ?? null;
  }

  get trailers(): ReceivedFields | null {
    const at = this.blocks.findIndex(({ fields }) => !isInterim(fields));
    return at === -1 ? null : (this.blocks[at + 1]?.fields ?? null);
  }

  /** The final status of a response, or null while there is none. */
  get status(): number | null {
    const status = this.value(":status");
    return status === null ? null : Number(status);
  }

  /** The statuses of the interim responses. */
  get interim(): number[] {
    return this.blocks
      .filter(({ fields }) => isInterim(fields))
      .map(({ fields }) => Number(valuesOf(fields, ":status")[0]));
  }

  /** The body as text, one character per byte. */
  get body(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  /** The value of a field of the head; null without it, joined by a comma when there are several. */
  value(name: string): string | null {
    return join(this.head?.fields ?? [], name);
  }

  /** The same for a field of the trailers. */
  trailer(name: string): string | null {
    return join(this.trailers ?? [], name);
  }

  addData(bytes: Buffer): void {
    this.dataFrames++;
    if (this.bodyBytes < KEPT_BYTES) this.#chunks.push(bytes);
    this.bodyBytes += bytes.length;
  }

  /** What came of it, for messages and comparisons: `200 ended`, `reset 1`. */
  get outcome(): string {
    const parts: string[] = [];
    if (this.status !== null) parts.push(String(this.status));
    if (this.isEnded) parts.push("ended");
    if (this.resetCode !== null) parts.push(`reset ${this.resetCode}`);
    return parts.join(" ") || "nothing";
  }
}

function isInterim(fields: ReceivedFields): boolean {
  return /^1[0-9][0-9]$/.test(valuesOf(fields, ":status")[0] ?? "");
}

function join(fields: ReceivedFields, name: string): string | null {
  const values = valuesOf(fields, name);
  return values.length === 0 ? null : values.join(", ");
}
