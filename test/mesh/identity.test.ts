import * as assert from "uvu/assert";
import type { Identity } from "../../src/mesh/credentials.ts";
import {
  expandName,
  identityFor,
  identityText,
  isSameName,
  matches,
  parseDnsName,
  parseIdentityPattern,
  parseSpiffeId,
  serverNameOf,
} from "../../src/mesh/identity.ts";
import { suite } from "../support/test.ts";

const test = suite("mesh/identity");

const DEFAULTS = { namespace: "default", trustDomain: "cluster.local" };
const WEB: Identity = {
  dns: "web.default.serviceaccount.identity.outrigger.cluster.local",
  uri: "spiffe://cluster.local/ns/default/sa/web",
};

test("identityFor() makes both names, in lower case", () => {
  assert.equal(identityFor("web", "default", "cluster.local"), WEB);
  assert.equal(identityFor("Web", "DEFAULT", "Cluster.Local."), WEB);
  assert.equal(identityFor("control", "outrigger", "td"), {
    dns: "control.outrigger.serviceaccount.identity.outrigger.td",
    uri: "spiffe://td/ns/outrigger/sa/control",
  });
});

test("identityFor() refuses parts that would change the meaning of a name", () => {
  const table: [string, string, string][] = [
    ["", "default", "td"],
    ["web", "", "td"],
    ["web", "default", ""],
    ["web.other", "default", "td"],
    ["web", "a.b", "td"],
    ["web/..", "default", "td"],
    ["web", "default/sa/root", "td"],
    ["*", "default", "td"],
    ["we\0b", "default", "td"],
    ["web_1", "default", "td"],
    ["-web", "default", "td"],
    ["web", "default", "td/ns"],
    ["web", "default", "td:443"],
    ["web", "default", "10.0.0.1"],
    ["w".repeat(64), "default", "td"],
    ["web", "default", Array<string>(50).fill("label").join(".")],
  ];
  for (const parts of table) assert.is(identityFor(...parts), null, parts.join("|"));
});

test("parseDnsName() takes LDH names in one form", () => {
  const label63 = "l".repeat(63);
  const longest = `${label63}.${label63}.${label63}.${"l".repeat(61)}`;
  const table: [string, string | null][] = [
    ["web", "web"],
    ["WEB.Example.", "web.example"],
    ["1.example", "1.example"],
    ["a-b.xn--c", "a-b.xn--c"],
    [longest, longest],
    [`${longest}.`, longest],
    [`${longest}l`, null],
    [`${label63}l.example`, null],
    ["", null],
    [".", null],
    ["web..", null],
    [".web", null],
    ["we..b", null],
    ["*.web", null],
    ["*", null],
    ["w*b.example", null],
    ["web_1", null],
    ["-web", null],
    ["web-", null],
    ["web-.example", null],
    ["web.example\0", null],
    ["web\0.evil.example", null],
    ["web example", null],
    ["web\n", null],
    ["web:80", null],
    ["wéb", null],
    ["\u212Aube", null],
    ["spiffe://td/web", null],
    ["10.0.0.1", null],
    ["web.1", null],
    ["web.0x1f", null],
    ["::1", null],
  ];
  for (const [text, name] of table) assert.is(parseDnsName(text), name, JSON.stringify(text));
});

test("parseSpiffeId() takes an ID byte for byte, or not at all", () => {
  const longest = `spiffe://td/${"a".repeat(2_036)}`;
  const good = [
    "spiffe://td/web",
    "spiffe://cluster.local/ns/default/sa/web",
    "spiffe://1_a-b.c/A.b_c-D/...",
    longest,
    `spiffe://${"t".repeat(255)}/a`,
  ];
  for (const text of good) assert.is(parseSpiffeId(text), text, text);
  const bad = [
    "",
    "spiffe://",
    "spiffe://td",
    "spiffe://td/",
    "spiffe:///web",
    "spiffe:/td/web",
    "spiffe:td/web",
    "SPIFFE://td/web",
    "Spiffe://td/web",
    "spiffe://TD/web",
    " spiffe://td/web",
    "spiffe://td/web/",
    "spiffe://td//web",
    "spiffe://td/./web",
    "spiffe://td/../web",
    "spiffe://td/web/..",
    "spiffe://td/%77eb",
    "spiffe://td/a%2fb",
    "spiffe://td/web?query",
    "spiffe://td/web#fragment",
    "spiffe://td/web\0",
    "spiffe://td/we b",
    "spiffe://td/web\n",
    "spiffe://td/wéb",
    "spiffe://td/*",
    "spiffe://td:443/web",
    "spiffe://user@td/web",
    "spiffe://t%64/web",
    "spiffe://[::1]/web",
    "https://td/web",
    "spiffe://td/web, URI:spiffe://td/victim",
    `${longest}a`,
    `spiffe://${"t".repeat(256)}/a`,
  ];
  for (const text of bad) assert.is(parseSpiffeId(text), null, JSON.stringify(text));
});

test("identityText() prefers the DNS-like name", () => {
  assert.is(identityText(WEB), WEB.dns);
  assert.is(identityText({ dns: null, uri: WEB.uri }), WEB.uri);
  assert.is(identityText({ dns: null, uri: null }), null);
});

test("serverNameOf() is a DNS name, be it that of a SPIFFE ID of our form", () => {
  const table: [Identity, string | null][] = [
    [WEB, WEB.dns],
    [{ dns: "web.example", uri: WEB.uri }, "web.example"],
    [{ dns: null, uri: WEB.uri }, WEB.dns],
    [{ dns: null, uri: "spiffe://cluster.local/ns/default/sa/Web" }, null],
    [{ dns: null, uri: "spiffe://cluster.local/ns/default/sa/web/x" }, null],
    [{ dns: null, uri: "spiffe://cluster.local/web" }, null],
    [{ dns: null, uri: "spiffe://cluster_1/ns/default/sa/web" }, null],
    [{ dns: null, uri: null }, null],
  ];
  for (const [identity, name] of table) assert.is(serverNameOf(identity), name);
});

test("isSameName() compares whole names", () => {
  assert.ok(isSameName(WEB, WEB.dns ?? ""));
  assert.ok(isSameName(WEB, WEB.uri ?? ""));
  for (const other of ["", "web", `${WEB.dns}.`, WEB.dns?.toUpperCase(), `${WEB.uri}/`]) {
    assert.not(isSameName(WEB, other ?? ""), other);
  }
  assert.not(isSameName({ dns: null, uri: null }, ""));
  assert.not(isSameName({ dns: WEB.dns, uri: null }, WEB.uri ?? ""));
});

test("expandName() completes short names", () => {
  const table: [string, string | null][] = [
    ["web", WEB.dns],
    ["WEB.", WEB.dns],
    ["web.default", WEB.dns],
    ["web.shop", "web.shop.serviceaccount.identity.outrigger.cluster.local"],
    ["web.shop.example", "web.shop.example"],
    [WEB.dns ?? "", WEB.dns],
    [WEB.uri ?? "", WEB.uri],
    ["spiffe://cluster.local", null],
    ["spiffe://cluster.local/ns/default/sa/*", null],
    ["SPIFFE://cluster.local/a", null],
    ["", null],
    ["*", null],
    ["web:80", null],
    ["web/default", null],
    ["10.0.0.1", null],
  ];
  for (const [text, name] of table) assert.is(expandName(text, DEFAULTS), name, text);
  assert.is(expandName("web", { namespace: "a.b", trustDomain: "td" }), null);
});

test("patterns match on the bounds of labels and segments, and nothing besides", () => {
  const dns = (name: string): Identity => ({ dns: name, uri: null });
  const uri = (name: string): Identity => ({ dns: null, uri: name });
  const suffix = "default.serviceaccount.identity.outrigger.cluster.local";
  const table: [string, Identity, boolean][] = [
    ["*", WEB, true],
    ["*", uri("spiffe://td/a"), true],
    ["*", { dns: null, uri: null }, false],
    ["web", WEB, true],
    ["web", dns("web.other.serviceaccount.identity.outrigger.cluster.local"), false],
    ["web.default", WEB, true],
    ["web", uri("spiffe://cluster.local/ns/default/sa/web"), false],
    [WEB.uri ?? "", WEB, true],
    [`*.${suffix}`, WEB, true],
    [`*.${suffix.toUpperCase()}.`, WEB, true],
    ["*.local", WEB, true],
    ["*.ault.serviceaccount.identity.outrigger.cluster.local", WEB, false],
    [`*.${suffix}`, dns(suffix), false],
    [`*.${suffix}`, dns(`evil${suffix}`), false],
    [`*.${suffix}`, dns(`a.${suffix}.evil`), false],
    [`*.${suffix}`, uri("spiffe://cluster.local/ns/default/sa/web"), false],
    ["spiffe://cluster.local/ns/default/*", WEB, true],
    ["spiffe://cluster.local/*", WEB, true],
    ["spiffe://cluster.local/ns/def/*", WEB, false],
    ["spiffe://cluster.local/ns/default/*", uri("spiffe://cluster.local/ns/default"), false],
    ["spiffe://cluster.local/ns/default/*", uri("spiffe://cluster.local/ns/default2/sa/a"), false],
    ["spiffe://cluster.local/ns/default/*", uri("spiffe://cluster.local.evil/ns/default/a"), false],
    ["spiffe://cluster.local/ns/default/*", dns("web"), false],
  ];
  for (const [text, identity, isMatch] of table) {
    const pattern = parseIdentityPattern(text, DEFAULTS);
    if (pattern === null) throw new Error(`not a pattern: ${text}`);
    assert.is(matches(pattern, identity), isMatch, `${text} ${identityText(identity)}`);
  }
});

test("parseIdentityPattern() refuses what could be meant otherwise", () => {
  const bad = [
    "",
    "**",
    "*web",
    "*.",
    "*.*.web",
    "web.*",
    "w*b",
    "*.web/",
    "*.1",
    "spiffe://*",
    "spiffe://*/ns/a",
    "spiffe://td*",
    "spiffe://td/ns/*/sa/web",
    "spiffe://td/ns/we*",
    "spiffe://td/ns//*",
    "spiffe://td/../*",
    "spiffe://TD/*",
    "spiffe:///*",
    "a,b",
  ];
  for (const text of bad) {
    assert.is(parseIdentityPattern(text, DEFAULTS), null, JSON.stringify(text));
  }
});

test.run();
