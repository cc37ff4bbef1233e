/** What a message costs on its way between two sidecars: ns to make a header block of a parsed head, and
 * to make a head of the block, with what the tables know of it after the first. */
import { HpackDecoder, OUT_ROOM_BYTES } from "../../src/codec/hpack/decoder.ts";
import { HpackEncoder } from "../../src/codec/hpack/encoder.ts";
import { RequestHead } from "../../src/codec/http1/request-head.ts";
import { ResponseHead } from "../../src/codec/http1/response-head.ts";
import { ReceivedRequest, ReceivedResponse } from "../../src/codec/http2/received-block.ts";
import { RequestFields } from "../../src/codec/http2/request-fields.ts";
import { ResponseFields, restoreResponseCase } from "../../src/codec/http2/response-fields.ts";
import { sendRequestHead, sendResponseHead } from "../../src/codec/http2/send-head.ts";
import { SentBlock } from "../../src/codec/http2/sent-block.ts";
import { encodeRequestHead, encodeResponseHead } from "../../src/codec/http2/write-head.ts";
import { latin1 } from "../../test/support/read-http1.ts";
import { measure } from "./measure.ts";

const BATCH = 10_000;
const BASE = 16_384;
const BLOCK = 81_920;
const LINES = 131_072;
const HTTP_1_1 = 1;

const REQUEST = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
const RESPONSE = [
  "HTTP/1.1 200 OK",
  "Server: nginx/1.22.1",
  "Date: Tue, 11 Jun 2024 10:11:12 GMT",
  "Content-Type: text/plain",
  "Content-Length: 64",
  "Connection: keep-alive",
  "",
  "",
].join("\r\n");

const bytes = new Uint8Array(LINES + OUT_ROOM_BYTES);

function measureRequest(): void {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const fields = new RequestFields();
  const from = new RequestHead();
  const to = new RequestHead();
  bytes.set(latin1(REQUEST), BASE);
  from.parse(bytes, BASE, BASE + REQUEST.length);
  const sent = new SentBlock();
  const received = new ReceivedRequest();
  const encode = (): number => encodeRequestHead(encoder, bytes, BASE, from, bytes, BLOCK, true);
  const encodeAgain = (): number => sendRequestHead(sent, encoder, bytes, BASE, from, BLOCK, true);
  const decodeAgain = (end: number): number => {
    if (received.again(decoder, bytes, BLOCK, end, 1, to, bytes, LINES)) return to.end;
    const before = decoder.table.changes;
    decode(end);
    received.keep(decoder, before, bytes, BLOCK, end, 1, to, bytes, LINES);
    return to.end;
  };
  const decode = (end: number): number => {
    fields.begin(to, bytes, LINES);
    decoder.decode(bytes, BLOCK, end, bytes, LINES, fields);
    const verdict = fields.finish(decoder.outEnd, true, decoder.isTooLarge, true);
    if (verdict !== "ok") throw new Error(verdict);
    return to.end;
  };
  decode(encode());
  const end = encode();
  measure(`encode a carried request, ${end - BLOCK} bytes`, BATCH, encode);
  measure("… that is the same as before", BATCH, encodeAgain);
  measure("decode it", BATCH, () => decode(end));
  measure("… that is the same as before", BATCH, () => decodeAgain(end));
}

function measureResponse(): void {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const fields = new ResponseFields();
  const from = new ResponseHead();
  const to = new ResponseHead();
  bytes.set(latin1(RESPONSE), BASE);
  from.parse(bytes, BASE, BASE + RESPONSE.length);
  const sent = new SentBlock();
  const received = new ReceivedResponse();
  const encode = (): number =>
    encodeResponseHead(encoder, bytes, BASE, from, bytes, BLOCK, HTTP_1_1);
  const encodeAgain = (): number =>
    sendResponseHead(sent, encoder, bytes, BASE, from, BLOCK, HTTP_1_1);
  const decodeAgain = (end: number): number => {
    if (received.again(decoder, bytes, BLOCK, end, 0, to, bytes, LINES)) {
      restoreResponseCase(bytes, LINES, to);
      return to.end;
    }
    const before = decoder.table.changes;
    decode(end);
    received.keep(decoder, before, bytes, BLOCK, end, 0, to, bytes, LINES);
    return to.end;
  };
  const decode = (end: number): number => {
    fields.begin(to, bytes, LINES);
    decoder.decode(bytes, BLOCK, end, bytes, LINES, fields);
    if (!fields.finish(decoder.outEnd, false, false)) throw new Error("malformed");
    restoreResponseCase(bytes, LINES, to);
    return to.end;
  };
  decode(encode());
  const end = encode();
  measure(`encode a carried response, ${end - BLOCK} bytes`, BATCH, encode);
  measure("… that is the same as before", BATCH, encodeAgain);
  measure("decode it", BATCH, () => decode(end));
  measure("… that is the same as before", BATCH, () => decodeAgain(end));
}

measureRequest();
measureResponse();
