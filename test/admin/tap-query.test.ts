import * as assert from "uvu/assert";
import { readTapQuery, type TapFilter, tapQuery } from "../../src/admin/tap-query.ts";
import { TAP_ALL } from "../../src/mesh/tap.ts";
import { suite } from "../support/test.ts";

const test = suite("admin/tap-query");

const read = (text: string) => readTapQuery(new URLSearchParams(text));

test("what is written is read as it was", () => {
  const filters: readonly Partial<TapFilter>[] = [
    {},
    { to: "web.shop", from: "spiffe://cluster.local/ns/shop/sa/web", method: "GET" },
    { path: "/a%20b?c=d&e#f", sample: 1_000_000, query: true },
    { statusMin: 500, statusMax: 599 },
    { statusMin: 503, statusMax: 503, to: "[::1]:80" },
    { statusMin: 0, statusMax: 0 },
  ];
  for (const part of filters) {
    const filter = { ...TAP_ALL, ...part };
    assert.equal(read(tapQuery(filter)), filter);
  }
  assert.is(tapQuery(TAP_ALL), "");
});

test("names are in lower case, methods as they are", () => {
  assert.equal(read("to=Web&method=Get"), { ...TAP_ALL, to: "web", method: "Get" });
});

test("what is unknown, wrong or there twice is named", () => {
  const bad = [
    ["status", "status=5x"],
    ["status", "status=5000"],
    ["status", "status=0xx"],
    ["status", "status=099"],
    ["sample", "sample=0"],
    ["sample", "sample=1.5"],
    ["sample", "sample=1000001"],
    ["sample", "sample=99999999999"],
    ["to", "to="],
    ["to", "to=a%20b"],
    ["from", "from=a%1bb"],
    ["from", `from=${"a".repeat(254)}`],
    ["method", "method=GE%20T"],
    ["method", `method=${"A".repeat(33)}`],
    ["path", "path=a"],
    ["path", "path=/%c3%a4"],
    ["path", `path=/${"a".repeat(512)}`],
    ["query", "query=0"],
    ["paths", "paths=/"],
    ["__proto__", "__proto__=1"],
    ["to", "to=web&to=web"],
  ] as const;
  for (const [wrong, text] of bad) assert.equal(read(text), { wrong }, text);
});

test.run();
