/** Random fields for the HPACK codec: names and values that repeat, and some of any bytes. */
import { Indexing } from "../../../src/codec/hpack/encoder.ts";
import type { Random } from "../../support/random.ts";
import { textOf } from "../../support/read-http1.ts";
import type { FieldToSend } from "./harness.ts";

/** Names with the static index by which `named` may send them. */
const STATIC_NAMES: readonly (readonly [name: string, index: number])[] = [
  [":authority", 1],
  [":method", 2],
  [":path", 5],
  [":scheme", 7],
  [":status", 9],
  ["accept-encoding", 16],
  ["authorization", 23],
  ["content-type", 31],
  ["cookie", 32],
  ["set-cookie", 55],
  ["www-authenticate", 61],
];

const NAMES = ["x-request-id", "grpc-timeout", "te", "X-Long-Name-Of-Some-Sort", "l5d-dst", "a"];

const VALUES = [
  "",
  "GET",
  "/",
  "http",
  "200",
  "404",
  "gzip, deflate",
  "application/grpc",
  "trailers",
  " blank",
  "a=b; c=d",
  "v".repeat(300),
  "w".repeat(1_500),
];

const TABLE_BYTES = [0, 32, 64, 100, 500, 1_000, 4_095, 4_096, 10_000];

const FIELDS_MAX = 15;

/** A size that a peer may set for the table, often small enough to matter. */
export function anyTableBytes(random: Random): number {
  return random.pick(TABLE_BYTES);
}

/** The fields of a block. */
export function anyFields(random: Random): FieldToSend[] {
  return Array.from({ length: random.below(FIELDS_MAX) }, () => anyField(random));
}

function anyField(random: Random): FieldToSend {
  const value = anyValue(random);
  const indexing = random.pick([
    Indexing.incremental,
    Indexing.incremental,
    Indexing.without,
    Indexing.never,
  ]);
  if (random.chance(0.5)) {
    const [name, nameIndex] = random.pick(STATIC_NAMES);
    const field = { name, value, indexing };
    return random.chance(0.5) ? { ...field, nameIndex } : field;
  }
  const isKnown = random.chance(0.7);
  const name = isKnown ? random.pick(NAMES) : asciiOf(textOf(random.bytes(random.below(20))));
  return { name, value, indexing };
}

function anyValue(random: Random): string {
  if (random.chance(0.5)) return random.pick(VALUES);
  if (random.chance(0.5)) return `value ${random.below(50)}`;
  return textOf(random.bytes(random.below(60)));
}

/** Letters beyond ASCII have a case for `toLowerCase` and none for HPACK; they are left out. */
function asciiOf(text: string): string {
  return [...text].filter((char) => char.charCodeAt(0) < 0x80).join("");
}
