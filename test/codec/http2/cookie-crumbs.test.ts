// Cookie crumbs, RFC 9113 §8.2.3: joined to one field, counted one by one, secret if one of them is.
import * as assert from "uvu/assert";
import { type Field, requestFields } from "../../support/http2-fields.ts";
import { seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";
import { readRequestFields } from "./harness.ts";

const test = suite("codec/http2/cookie-crumbs");

test("crumbs become one field at the place of the first", () => {
  const random = seeded("cookie-crumbs");
  for (let round = 0; round < 200; round++) {
    const more = Array.from({ length: random.below(12) }, (_, i): Field => {
      return random.chance(0.5)
        ? ["cookie", `c${i}=${"x".repeat(random.below(9))}`]
        : [`x-${i}`, "y"];
    });
    const crumbs = more.filter(([name]) => name === "cookie").map(([, value]) => value);
    const first = more.findIndex(([name]) => name === "cookie");
    const expected = more.filter(([name], i) => name !== "cookie" || i === first);
    if (first !== -1) expected[first] = ["cookie", crumbs.join("; ")];
    const { lines, written } = readRequestFields(requestFields("/", more));
    assert.equal(
      lines.map(([name, value]) => [name, value]),
      expected,
    );
    const text = expected.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    assert.is(written, `GET / HTTP/1.1\r\nHost: web\r\n${text}\r\n`);
  }
});

test("a Cookie that is whole stays where it is", () => {
  const { head, lines } = readRequestFields(requestFields("/", [["cookie", "a=b; c=d"]]));
  assert.equal(lines, [["cookie", "a=b; c=d"]]);
  assert.is(head.fields.count, 1);
});

test("crumbs are secret together when one of them was", () => {
  const crumbs: Field[] = [
    ["cookie", "a=b"],
    ["cookie", "c=d", "never"],
  ];
  assert.equal(readRequestFields(requestFields("/", crumbs)).lines, [["cookie", "a=b; c=d", true]]);
  assert.equal(readRequestFields(requestFields("/", crumbs.slice(0, 1))).lines, [
    ["cookie", "a=b"],
  ]);
});

test("each crumb counts as a field (CVE-2026-47774)", () => {
  const crumbs = (count: number) => Array.from({ length: count }, (): Field => ["cookie", "a=b"]);
  assert.is(readRequestFields(requestFields("/", crumbs(100))).verdict, "ok");
  assert.is(readRequestFields(requestFields("/", crumbs(101))).verdict, "too-many-fields");
});

test("empty crumbs leave nothing behind, no blank at an end above all", () => {
  const rows: readonly (readonly [crumbs: readonly string[], joined: string])[] = [
    [["a=b", ""], "a=b"],
    [["", "a=b"], "a=b"],
    [["a=b", "", "", "c=d"], "a=b; c=d"],
    [["", ""], ""],
  ];
  for (const [crumbs, joined] of rows) {
    const fields = crumbs.map((value): Field => ["cookie", value]);
    assert.equal(readRequestFields(requestFields("/", fields)).lines, [["cookie", joined]]);
  }
});

test.run();
