/**
 * The header block that was received last, and the head that it meant: the same as sent-block.ts for the
 * other direction. A few bytes of indexes mean the same head as long as the table is the same, and to
 * decode and to check it takes half a microsecond.
 */
import { copyBytes, isSame, ViewedBytes } from "../../lib/viewed-bytes.ts";
import type { HpackDecoder } from "../hpack/decoder.ts";
import type { FieldSection } from "../http1/field-section.ts";
import type { Framing } from "../http1/framing.ts";
import { RequestHead } from "../http1/request-head.ts";
import { ResponseHead } from "../http1/response-head.ts";
import { MemoPace } from "./memo-pace.ts";

/** Longer ones have literals, and hardly ever come again. */
const BLOCK_BYTES_MAX = 64;
const TEXT_BYTES_MAX = 1_024;

type Head = { readonly fields: FieldSection; readonly framing: Framing; end: number };

abstract class ReceivedBlock<H extends Head> {
  readonly #head: H;
  readonly #pace = new MemoPace();
  readonly #block = new ViewedBytes(new Uint8Array(BLOCK_BYTES_MAX));
  readonly #from = new ViewedBytes(new Uint8Array(0));
  #blockBytes = -1;
  #kind = 0;
  #text: Uint8Array = new Uint8Array(0);
  #tableChanges = 0;

  constructor(head: H) {
    this.#head = head;
  }

  /** All but fields, framing and end. */
  protected abstract copyHead(from: H, to: H): void;

  /**
   * Makes `head` the one of before, its text at `out[at, …)`, and returns true if `block[start, end)` is
   * the block of before. Else nothing is done: the block is to be decoded. `kind`: what else the head
   * depends on, any number.
   */
  again(
    decoder: HpackDecoder,
    block: Uint8Array,
    start: number,
    end: number,
    kind: number,
    head: H,
    out: Uint8Array,
    at: number,
  ): boolean {
    if (end - start !== this.#blockBytes || kind !== this.#kind) return false;
    if (decoder.table.changes !== this.#tableChanges) return false;
    this.#from.use(block);
    if (!isSame(this.#from, start, end, this.#block, 0)) return false;
    this.#pace.hit();
    out.set(this.#text, at);
    this.#copy(this.#head, head);
    return true;
  }

  /** Keeps what a block was found to mean; `before`: `decoder.table.changes` until it was decoded. */
  keep(
    decoder: HpackDecoder,
    before: number,
    block: Uint8Array,
    start: number,
    end: number,
    kind: number,
    head: H,
    out: Uint8Array,
    at: number,
  ): void {
    if (decoder.table.changes !== before || end - start > BLOCK_BYTES_MAX) return;
    if (head.end > TEXT_BYTES_MAX || head.fields.hasNeverIndexed || !this.#pace.miss()) return;
    this.#tableChanges = before;
    this.#from.use(block);
    this.#blockBytes = end - start;
    copyBytes(this.#from, start, end, this.#block, 0);
    this.#kind = kind;
    this.#text = out.slice(at, at + head.end);
    this.#copy(head, this.#head);
  }

  #copy(from: H, to: H): void {
    to.fields.copyFrom(from.fields);
    to.framing.contentLength = from.framing.contentLength;
    to.framing.isChunked = from.framing.isChunked;
    to.framing.error = null;
    to.end = from.end;
    this.copyHead(from, to);
  }
}

export class ReceivedRequest extends ReceivedBlock<RequestHead> {
  constructor() {
    super(new RequestHead());
  }

  protected override copyHead(from: RequestHead, to: RequestHead): void {
    to.method = from.method;
    to.methodStart = from.methodStart;
    to.methodEnd = from.methodEnd;
    to.form = from.form;
    to.targetStart = from.targetStart;
    to.targetEnd = from.targetEnd;
    to.minorVersion = from.minorVersion;
    to.authorityStart = from.authorityStart;
    to.authorityEnd = from.authorityEnd;
    to.hostField = from.hostField;
    to.rewritesHost = from.rewritesHost;
    to.keepsAbsolute = from.keepsAbsolute;
    to.isHttps = from.isHttps;
    to.isGrpc = from.isGrpc;
    to.origVersion = from.origVersion;
    to.origProtoField = from.origProtoField;
    to.origCaseField = from.origCaseField;
    to.keepAlive = from.keepAlive;
    to.expectsContinue = from.expectsContinue;
    to.wantsUpgrade = from.wantsUpgrade;
    to.acceptsTrailers = from.acceptsTrailers;
    to.clientId = null;
  }
}

export class ReceivedResponse extends ReceivedBlock<ResponseHead> {
  constructor() {
    super(new ResponseHead());
  }

  protected override copyHead(from: ResponseHead, to: ResponseHead): void {
    to.status = from.status;
    to.reasonStart = from.reasonStart;
    to.reasonEnd = from.reasonEnd;
    to.minorVersion = from.minorVersion;
    to.keepAlive = from.keepAlive;
    to.idleSeconds = from.idleSeconds;
    to.upgrades = from.upgrades;
    to.origCaseField = from.origCaseField;
  }
}
