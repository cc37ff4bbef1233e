/** What a header block costs: ns to decode and to encode a request whose fields the tables know. */
import { HpackDecoder, OUT_ROOM_BYTES } from "../../src/codec/hpack/decoder.ts";
import { HpackEncoder, Indexing } from "../../src/codec/hpack/encoder.ts";
import { seeded } from "../../test/support/random.ts";
import { latin1 } from "../../test/support/read-http1.ts";
import { measure } from "./measure.ts";

const BATCH = 4_096;
/** Where the fields lie, the blocks, and the decoded lines. */
const FIELDS = 0;
const BLOCKS = 65_536;
const LINES = 1 << 20;

/** Requests with identities of their own, made before so that this is not measured; BATCH is a
 * multiple, so that a batch ends with the last of them. */
const REQUESTS = 1_024;
const REQUEST_ID_BYTES = 36;

const METHOD_GET = 2;
const SCHEME_HTTP = 6;
const AUTHORITY = 1;
const PATH = 4;

interface Part {
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly valueEnd: number;
}

const bytes = new Uint8Array(LINES + OUT_ROOM_BYTES);
let used = FIELDS;

function place(name: string, value: string): Part {
  const nameStart = used;
  bytes.set(latin1(name + value), used);
  used += name.length + value.length;
  return { nameStart, nameEnd: nameStart + name.length, valueEnd: used };
}

const authority = place("", "web:8080");
const path = place("", "/api/items?id=42");
const userAgent = place("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101");
const accept = place("accept", "*/*");
const idName = place("x-request-id", "");
const random = seeded("hpack bench");
const ids = place(
  "",
  Array.from({ length: REQUESTS * REQUEST_ID_BYTES }, () => random.below(16).toString(16)).join(""),
);

/** Writes a request at `bytes[at]`; its identity stays out of the table or goes into it. */
function encode(encoder: HpackEncoder, at: number, index: number, indexing: Indexing): number {
  let to = encoder.begin(bytes, at);
  to = encoder.indexed(bytes, to, METHOD_GET);
  to = encoder.indexed(bytes, to, SCHEME_HTTP);
  to = named(encoder, to, AUTHORITY, authority);
  to = named(encoder, to, PATH, path);
  to = field(encoder, to, userAgent);
  to = field(encoder, to, accept);
  const { nameStart, nameEnd } = idName;
  const id = ids.nameStart + (index & (REQUESTS - 1)) * REQUEST_ID_BYTES;
  const idEnd = id + REQUEST_ID_BYTES;
  return encoder.field(bytes, to, bytes, nameStart, nameEnd, id, idEnd, indexing);
}

function named(encoder: HpackEncoder, to: number, index: number, part: Part): number {
  const { nameEnd, valueEnd } = part;
  return encoder.named(bytes, to, index, bytes, nameEnd, valueEnd, Indexing.incremental);
}

function field(encoder: HpackEncoder, to: number, part: Part): number {
  const { nameStart, nameEnd, valueEnd } = part;
  const indexing = Indexing.incremental;
  return encoder.field(bytes, to, bytes, nameStart, nameEnd, nameEnd, valueEnd, indexing);
}

for (const isHuffman of [false, true]) {
  for (const [name, indexing] of [
    ["not indexed", Indexing.without],
    ["indexed", Indexing.incremental],
  ] as const) {
    const how = `id ${name}, ${isHuffman ? "Huffman" : "raw"}`;
    const encoder = new HpackEncoder({ isHuffman });
    measure(`encode a request of 7 fields, ${how}`, BATCH, (index) => {
      return encode(encoder, BLOCKS, index, indexing);
    });
    measureDecode(how, isHuffman, indexing);
  }
}

/** Blocks of a whole session are made first, then decoded in a circle by one decoder. */
function measureDecode(how: string, isHuffman: boolean, indexing: Indexing): void {
  const encoder = new HpackEncoder({ isHuffman });
  const decoder = new HpackDecoder();
  let fields = 0;
  const sink = {
    field: (): boolean => {
      fields++;
      return true;
    },
  };
  // The first block empties the table, so that the round can be decoded again and again.
  encoder.setTableBytesMax(0);
  encoder.setTableBytesMax(4_096);
  const blocks: [start: number, end: number][] = [];
  let at = BLOCKS;
  for (let index = 0; index < REQUESTS; index++) {
    const end = encode(encoder, at, index, indexing);
    blocks.push([at, end]);
    at = end;
  }
  decoder.decode(bytes, BLOCKS, blocks[0]?.[1] ?? 0, bytes, LINES, sink);
  const linesEnd = decoder.outEnd;
  const mean = ((at - BLOCKS) / REQUESTS).toFixed(0);
  measure(`decode a request of 7 fields, ${mean} bytes, ${how}`, BATCH, (index) => {
    const [start, end] = blocks[index & (REQUESTS - 1)] ?? [0, 0];
    const isGood = decoder.decode(bytes, start, end, bytes, LINES, sink);
    if (!isGood || decoder.outEnd !== linesEnd) throw new Error("decoded wrongly");
    return fields;
  });
}
