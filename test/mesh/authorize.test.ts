import * as assert from "uvu/assert";
import { parseIp } from "../../src/mesh/address.ts";
import { authorizes, isWithin } from "../../src/mesh/authorize.ts";
import type { Identity } from "../../src/mesh/credentials.ts";
import type { Authorization, Network } from "../../src/mesh/policy.ts";
import { suite } from "../support/test.ts";

const test = suite("mesh/authorize");

const INFIX = "serviceaccount.identity.outrigger.cluster.local";
const WEB: Identity = {
  dns: `web.default.${INFIX}`,
  uri: "spiffe://cluster.local/ns/default/sa/web",
};
const DNS_ONLY: Identity = { dns: WEB.dns, uri: null };
const URI_ONLY: Identity = { dns: null, uri: WEB.uri };
const NAMELESS: Identity = { dns: null, uri: null };
const HOME = ip("10.1.2.3");

function ip(text: string): Uint8Array {
  const bytes = parseIp(text);
  if (bytes === null) throw new Error(text);
  return bytes;
}

function network(text: string): Network {
  const [base = "", length = ""] = text.split("/");
  return { ip: ip(base), prefixLength: Number(length) };
}

function named(identities: readonly string[], suffixes: readonly string[]): Authorization {
  return { networks: [], clients: { kind: "named", identities, suffixes } };
}

function from(net: string, ...except: string[]): Authorization["networks"][number] {
  return { net: network(net), except: except.map(network) };
}

function allows(
  authorizations: readonly Authorization[],
  identity: Identity | null,
  address: Uint8Array | null = HOME,
): boolean {
  return authorizes({ port: 80, isOpaque: false, authorizations }, address, identity);
}

test("without an authorization nobody comes in", () => {
  for (const identity of [null, WEB, URI_ONLY]) assert.is(allows([], identity), false);
});

test("anyone is anyone; meshed is who has proved some name", () => {
  const anyone: Authorization = { networks: [], clients: { kind: "anyone" } };
  const meshed: Authorization = { networks: [], clients: { kind: "meshed" } };
  const table: [Identity | null, boolean][] = [
    [null, false],
    [NAMELESS, false],
    [WEB, true],
    [DNS_ONLY, true],
    [URI_ONLY, true],
  ];
  for (const [identity, isMeshed] of table) {
    assert.is(allows([anyone], identity), true);
    assert.is(allows([meshed], identity), isMeshed);
    assert.is(allows([meshed, anyone], identity), true, "one that fits is enough");
  }
});

test("names fit exactly, and either name of a workload is its own", () => {
  const { dns, uri } = WEB;
  const table: [names: (string | null)[], web: boolean, dnsOnly: boolean, uriOnly: boolean][] = [
    [[dns], true, true, false],
    [[uri], true, false, true],
    [["other", uri], true, false, true],
    [[], false, false, false],
    [[""], false, false, false],
    [["web"], false, false, false],
    [[`${dns}.`], false, false, false],
    [[`x${dns}`], false, false, false],
    [[dns?.toUpperCase() ?? ""], false, false, false],
    [[uri?.toUpperCase() ?? ""], false, false, false],
    [["spiffe://cluster.local/ns/default/sa/web2"], false, false, false],
    [["spiffe://cluster.local/ns/default/sa"], false, false, false],
  ];
  for (const [names, ...expected] of table) {
    const authorization = named(names.map(String), []);
    const got = [WEB, DNS_ONLY, URI_ONLY].map((identity) => allows([authorization], identity));
    assert.equal(got, expected, names.join());
    assert.is(allows([authorization], null), false);
    assert.is(allows([authorization], NAMELESS), false);
  }
});

test("a suffix is whole labels of a DNS-like name, and begins with its dot", () => {
  const table: [suffix: string, name: string, fits: boolean][] = [
    [`.default.${INFIX}`, `web.default.${INFIX}`, true],
    [`.default.${INFIX}`, `a.b.default.${INFIX}`, true],
    [`.default.${INFIX}`, `web.notdefault.${INFIX}`, false],
    [`.default.${INFIX}`, `webdefault.${INFIX}`, false],
    [`.default.${INFIX}`, `default.${INFIX}`, false],
    [`.default.${INFIX}`, `web.default.${INFIX}.evil`, false],
    [".local", `web.default.${INFIX}`, true],
    [".cal", `web.default.${INFIX}`, false],
    ["local", `web.default.${INFIX}`, false],
    [`default.${INFIX}`, `web.default.${INFIX}`, false],
    [`default.${INFIX}`, `web.notdefault.${INFIX}`, false],
    ["", `web.default.${INFIX}`, false],
    [".", `web.default.${INFIX}`, false],
  ];
  for (const [suffix, dns, expected] of table) {
    const authorization = named([], [suffix]);
    assert.is(allows([authorization], { dns, uri: null }), expected, `${dns} in ${suffix}`);
  }
  // A SPIFFE ID is no DNS-like name, however it ends.
  const uri = "spiffe://cluster.local/ns/x/sa/a.local";
  assert.is(allows([named([], [".local"])], { dns: null, uri }), false);
  assert.is(allows([named([], [".local"])], null), false);
});

test("networks hold addresses by their first bits, mapped or not", () => {
  const table: [net: string, address: string, isWithin: boolean][] = [
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["::ffff:10.0.0.0/104", "10.1.2.3", true],
    ["::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true],
    ["::ffff:10.0.0.0/104", "11.1.2.3", false],
    ["::ffff:0:0/96", "203.0.113.9", true],
    ["10.1.2.128/25", "10.1.2.127", false],
    ["10.1.2.128/25", "10.1.2.200", true],
    // What stands behind the prefix does not count.
    ["10.1.2.200/25", "10.1.2.129", true],
    ["10.1.2.3/32", "10.1.2.3", true],
    ["10.1.2.3/32", "10.1.2.2", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "10.1.2.3", false],
    ["::/0", "::ffff:10.1.2.3", false],
    ["2001:db8::/33", "2001:db8:7fff::", true],
    ["2001:db8::/33", "2001:db8:8000::", false],
    ["2001:db8::1/128", "2001:db8::1", true],
    ["2001:db8::1/128", "2001:db8::2", false],
    ["a0a::/16", "10.10.0.0", false],
  ];
  for (const [net, address, expected] of table) {
    for (const otherwise of [true, false]) {
      assert.is(isWithin(network(net), ip(address), otherwise), expected, `${address} in ${net}`);
    }
  }
});

test("a network that is none lets nobody in, neither as a network nor as an exception", () => {
  const broken: Network[] = [
    { ip: ip("10.0.0.0"), prefixLength: 33 },
    { ip: ip("10.0.0.0"), prefixLength: -1 },
    { ip: ip("10.0.0.0"), prefixLength: 7.5 },
    { ip: ip("10.0.0.0"), prefixLength: Number.NaN },
    { ip: ip("::"), prefixLength: 129 },
    { ip: new Uint8Array(0), prefixLength: 0 },
    { ip: Uint8Array.of(10, 0, 0), prefixLength: 8 },
  ];
  for (const net of broken) {
    const clients = { kind: "anyone" } as const;
    assert.is(allows([{ networks: [{ net, except: [] }], clients }], WEB), false);
    const all = { net: network("0.0.0.0/0"), except: [net] };
    assert.is(allows([{ networks: [all], clients }], WEB), false);
  }
});

test("exceptions are of their own network, and address and identity must both fit", () => {
  const anyone = { kind: "anyone" } as const;
  const meshed = { kind: "meshed" } as const;
  const table: [Authorization[], address: string | null, Identity | null, boolean][] = [
    [[{ networks: [from("10.0.0.0/8", "10.1.0.0/16")], clients: anyone }], "10.1.2.3", WEB, false],
    [[{ networks: [from("10.0.0.0/8", "10.2.0.0/16")], clients: anyone }], "10.1.2.3", null, true],
    [
      [{ networks: [from("10.0.0.0/8", "::ffff:10.1.0.0/112")], clients: anyone }],
      "10.1.2.3",
      WEB,
      false,
    ],
    // Another network may hold what one excepts.
    [
      [{ networks: [from("10.0.0.0/8", "10.1.0.0/16"), from("10.1.2.0/24")], clients: anyone }],
      "10.1.2.3",
      null,
      true,
    ],
    [[{ networks: [from("10.0.0.0/8")], clients: meshed }], "10.1.2.3", null, false],
    [[{ networks: [from("10.0.0.0/8")], clients: meshed }], "11.1.2.3", WEB, false],
    [[{ networks: [from("10.0.0.0/8")], clients: meshed }], "10.1.2.3", WEB, true],
    // One that fits by address and one that fits by identity are not one that fits.
    [
      [
        { networks: [from("10.0.0.0/8")], clients: meshed },
        { networks: [from("11.0.0.0/8")], clients: anyone },
      ],
      "10.1.2.3",
      null,
      false,
    ],
    // Nobody knows where it comes from.
    [[{ networks: [from("0.0.0.0/0"), from("::/0")], clients: anyone }], null, WEB, false],
    [[{ networks: [], clients: anyone }], null, null, true],
  ];
  for (const [authorizations, address, identity, expected] of table) {
    const bytes = address === null ? null : ip(address);
    assert.is(allows(authorizations, identity, bytes), expected, JSON.stringify(authorizations));
  }
});

test.run();
