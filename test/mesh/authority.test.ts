import * as assert from "uvu/assert";
import { lookupKeys, normalizeAuthority, splitAuthority } from "../../src/mesh/authority.ts";
import { suite } from "../support/test.ts";

const test = suite("mesh/authority");

const rows: readonly [authority: string, exact: string, bare: string, dns: string][] = [
  ["web", "web", "web", "web:80"],
  ["web:8080", "web:8080", "web", "web:8080"],
  ["web:80", "web:80", "web", "web:80"],
  ["web:", "web", "web", "web:80"],
  ["WEB.Example.", "web.example", "web.example", "web.example:80"],
  ["web.example.:8080", "web.example:8080", "web.example", "web.example:8080"],
  ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1:80"],
  ["10.0.0.1:9", "10.0.0.1:9", "10.0.0.1", "10.0.0.1:9"],
  ["[::1]", "[::1]", "[::1]", "[::1]:80"],
  ["[::1]:9", "[::1]:9", "[::1]", "[::1]:9"],
  ["[2001:DB8:0:0::1]:9", "[2001:db8::1]:9", "[2001:db8::1]", "[2001:db8::1]:9"],
  ["my_service-1", "my_service-1", "my_service-1", "my_service-1:80"],
];

for (const [authority, exact, bare, dns] of rows) {
  test(`${authority} is looked up as ${exact}, ${bare}, ${dns}`, () => {
    assert.equal(lookupKeys(authority), { exact, bare, dns });
    assert.is(normalizeAuthority(authority), exact);
  });
}

const bad = [
  "",
  ".",
  ":80",
  "web:0",
  "web:65536",
  "web:x",
  "web:80:80",
  "::1",
  "[::1",
  "[]",
  "[web]",
];
const worse = [
  "[10.0.0.1]",
  "[::1]80",
  "a..b",
  "a b",
  "a/b",
  "u@web",
  "web..",
  "127.1",
  "10.0.0.256",
];

for (const authority of [...bad, ...worse, "[fe80::1%25eth0]", `${"a.".repeat(126)}ab`]) {
  test(`${JSON.stringify(authority.slice(0, 20))} is no authority and its keys name nothing`, () => {
    assert.is(splitAuthority(authority), null);
    const { exact, bare, dns } = lookupKeys(authority);
    for (const key of [exact, bare, dns]) assert.is(splitAuthority(key), null);
  });
}

test("the keys of a key are the same keys", () => {
  for (const [, , , dns] of rows) assert.is(lookupKeys(dns).dns, dns);
});

test("splits into host and port without brackets", () => {
  assert.equal(splitAuthority("Web.:81"), { host: "web", port: 81 });
  assert.equal(splitAuthority("web"), { host: "web", port: null });
  assert.equal(splitAuthority("[0:0::1]:81"), { host: "::1", port: 81 });
});

test.run();
