// timeout: 120s
/**
 * Requests over HTTP/2 whose framing, bytes, path or method no origin may get to see (RFC 9113 §8.1,
 * §8.2.1, §8.3.1): what a translation into HTTP/1 would turn into another request, or into two.
 */
import {
  DYNAMIC_INDEX,
  type Form,
  huffmanLiteral,
  indexed,
  requestFields,
} from "../support/http2-fields.ts";
import { type Case, post, Refusals } from "../support/http2-refusals.ts";
import { type Rig, startRig } from "../support/http2-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-translation");
test.timeout(30_000);

let rig: Rig;
let refusals: Refusals;

test.before(async () => {
  rig = await startRig();
  refusals = new Refusals(rig);
});
test.after(async () => {
  await rig.stop();
});

test("a body that content-length does not fit is a stream error", async () => {
  //
  await refusals.refuses([
    { what: "0 and a body", fields: post(["content-length", "0"]), body: "hello" },
    { what: "less than the body", fields: post(["content-length", "3"]), body: "hello" },
    { what: "more than the body", fields: post(["content-length", "9"]), body: "hello" },
    { what: "5 and no body", fields: post(["content-length", "5"]) },
    { what: "5 and trailers only", fields: post(["content-length", "5"]), after: [["x-t", "1"]] },
    {
      what: "twice",
      fields: post(["content-length", "5"], ["content-length", "6"]),
      body: "hello",
    },
    { what: "a list", fields: post(["content-length", "5, 6"]), body: "hello" },
    { what: "a sign", fields: post(["content-length", "+5"]), body: "hello" },
    { what: "hexadecimal", fields: post(["content-length", "0x5"]), body: "hello" },
    { what: "empty", fields: post(["content-length", ""]), body: "hello" },
    { what: "2^64", fields: post(["content-length", "18446744073709551621"]), body: "hello" },
  ]);
});

test("transfer-encoding is a stream error", async () => {
  //
  await refusals.refuses([
    { what: "chunked", fields: post(["transfer-encoding", "chunked"]), body: "0\r\n\r\n" },
    { what: "identity", fields: post(["transfer-encoding", "identity"]), body: "hello" },
    { what: "without a body", fields: post(["transfer-encoding", "chunked"]) },
  ]);
});

test("bytes that would end a line or a name are a stream error in every form of literal", async () => {
  //
  const bad: readonly (readonly [string, string])[] = [
    ["foo", "a\r\nhost: b"],
    ["foo", "a\nb"],
    ["foo", "a\rb"],
    ["foo", "a\0b"],
    ["foo", " a"],
    ["foo", "a "],
    ["foo", "\ta"],
    ["foo", "a\t"],
    ["foo", "a\x7fb"],
    ["a: b", "c"],
    ["a\r\nb", "c"],
    ["a b", "c"],
    ["a\0", "c"],
    ["a\x80", "c"],
    ["a:", "c"],
  ];
  const forms: readonly Form[] = ["plain", "indexed", "never"];
  await refusals.refuses(
    bad.flatMap(([name, value]): Case[] => [
      ...forms.map((form) => ({
        what: `${JSON.stringify([name, value])}, ${form}`,
        fields: requestFields("/bad", [[name, value, form]]),
      })),
      {
        what: `${JSON.stringify([name, value])} from the table`,
        fields: requestFields("/bad"),
        more: indexed(DYNAMIC_INDEX),
      },
      {
        what: `${JSON.stringify([name, value])}, Huffman-coded`,
        fields: requestFields("/bad"),
        more: huffmanLiteral(name, value),
      },
    ]),
  );
});

test("a :path that is no path is a stream error, one that is too long 414", async () => {
  //
  const bad = ["", "bad", "/a b", "/a\tb", "/\r\nx: y", "*", "http://web/", "/a#b", "/\0", "/\x80"];
  await refusals.refuses([
    ...bad.map((path) => ({ what: `path ${path}`, fields: requestFields(path) })),
    {
      what: "20,000 bytes",
      fields: requestFields(`/${"a".repeat(20_000)}`),
      outcome: /^414 ended$/,
    },
    {
      what: "65,000 bytes",
      fields: requestFields(`/${"a".repeat(65_000)}`),
      outcome: /^414 ended$/,
    },
  ]);
});

test("a :method that is no token is a stream error", async () => {
  //
  const bad = ["", "GET / HTTP/1.1\r\nX:", "GET ", " GET", "G(T", "GET/", "G\0T", "GE\x80"];
  await refusals.refuses(
    bad.map((method) => ({ what: method, fields: requestFields("/", [], method) })),
  );
});

test.run();
