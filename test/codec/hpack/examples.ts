/** The examples of RFC 7541 Appendix C.2 to C.6: what is sent, as bytes, and the table after it. */
import { Indexing } from "../../../src/codec/hpack/encoder.ts";

type Pair = readonly [name: string, value: string];

export interface ExampleBlock {
  readonly name: string;
  readonly hex: string;
  readonly fields: readonly Pair[];
  readonly indexing: Indexing;
  /** Newest first. */
  readonly table: readonly Pair[];
  readonly tableBytes: number;
}

export interface Example {
  readonly isHuffman: boolean;
  readonly tableBytesMax: number;
  readonly blocks: readonly ExampleBlock[];
}

const GET: Pair = [":method", "GET"];
const HTTP: Pair = [":scheme", "http"];
const ROOT: Pair = [":path", "/"];
const AUTHORITY: Pair = [":authority", "www.example.com"];
const NO_CACHE: Pair = ["cache-control", "no-cache"];
const CUSTOM: Pair = ["custom-key", "custom-value"];

const PRIVATE: Pair = ["cache-control", "private"];
const DATE_21: Pair = ["date", "Mon, 21 Oct 2013 20:13:21 GMT"];
const DATE_22: Pair = ["date", "Mon, 21 Oct 2013 20:13:22 GMT"];
const LOCATION: Pair = ["location", "https://www.example.com"];
const GZIP: Pair = ["content-encoding", "gzip"];
const COOKIE: Pair = ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"];

/** C.2: one field each, on a new connection. */
function single(
  name: string,
  hex: string,
  field: Pair,
  indexing: Indexing,
  table: readonly Pair[],
  tableBytes: number,
): Example {
  const block = { name, hex, fields: [field], indexing, table, tableBytes };
  return { isHuffman: false, tableBytesMax: 4_096, blocks: [block] };
}

/** C.3 and C.4: three requests on a connection. */
function requests(name: string, isHuffman: boolean, hex: readonly string[]): Example {
  const fields: (readonly Pair[])[] = [
    [GET, HTTP, ROOT, AUTHORITY],
    [GET, HTTP, ROOT, AUTHORITY, NO_CACHE],
    [GET, [":scheme", "https"], [":path", "/index.html"], AUTHORITY, CUSTOM],
  ];
  const tables: (readonly Pair[])[] = [
    [AUTHORITY],
    [NO_CACHE, AUTHORITY],
    [CUSTOM, NO_CACHE, AUTHORITY],
  ];
  return example(name, isHuffman, 4_096, hex, fields, tables, [57, 110, 164]);
}

/** C.5 and C.6: three responses on a connection whose table has 256 bytes. */
function responses(name: string, isHuffman: boolean, hex: readonly string[]): Example {
  const fields: (readonly Pair[])[] = [
    [[":status", "302"], PRIVATE, DATE_21, LOCATION],
    [[":status", "307"], PRIVATE, DATE_21, LOCATION],
    [[":status", "200"], PRIVATE, DATE_22, LOCATION, GZIP, COOKIE],
  ];
  const tables: (readonly Pair[])[] = [
    [LOCATION, DATE_21, PRIVATE, [":status", "302"]],
    [[":status", "307"], LOCATION, DATE_21, PRIVATE],
    [COOKIE, GZIP, DATE_22],
  ];
  return example(name, isHuffman, 256, hex, fields, tables, [222, 222, 215]);
}

function example(
  name: string,
  isHuffman: boolean,
  tableBytesMax: number,
  hex: readonly string[],
  fields: readonly (readonly Pair[])[],
  tables: readonly (readonly Pair[])[],
  tableBytes: readonly number[],
): Example {
  const blocks = hex.map((digits, i) => ({
    name: `${name}.${i + 1}`,
    hex: digits,
    fields: fields[i] ?? [],
    indexing: Indexing.incremental,
    table: tables[i] ?? [],
    tableBytes: tableBytes[i] ?? 0,
  }));
  return { isHuffman, tableBytesMax, blocks };
}

export const EXAMPLES: readonly Example[] = [
  single(
    "C.2.1",
    "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
    ["custom-key", "custom-header"],
    Indexing.incremental,
    [["custom-key", "custom-header"]],
    55,
  ),
  single(
    "C.2.2",
    "040c 2f73 616d 706c 652f 7061 7468",
    [":path", "/sample/path"],
    Indexing.without,
    [],
    0,
  ),
  single(
    "C.2.3",
    "1008 7061 7373 776f 7264 0673 6563 7265 74",
    ["password", "secret"],
    Indexing.never,
    [],
    0,
  ),
  single("C.2.4", "82", GET, Indexing.incremental, [], 0),
  requests("C.3", false, [
    "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "8286 84be 5808 6e6f 2d63 6163 6865",
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
  ]),
  requests("C.4", true, [
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
  ]),
  responses("C.5", false, [
    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a " +
      "3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "4803 3330 37c1 c0bf",
    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 " +
      "677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 " +
      "553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
  ]),
  responses("C.6", true, [
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e " +
      "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 " +
      "821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed " +
      "4ee5 b106 3d50 07",
  ]),
];
