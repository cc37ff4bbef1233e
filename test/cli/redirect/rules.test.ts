/** The text of the rules; what the kernel makes of them is in test/netns/redirect.test.ts. */
import * as assert from "uvu/assert";
import { existingIn, iptablesText, NOTHING } from "../../../src/cli/redirect/iptables-text.ts";
import { nftText } from "../../../src/cli/redirect/nft-text.ts";
import { type PlanOptions, planOf } from "../../../src/cli/redirect/plan.ts";
import { parseNetwork } from "../../../src/mesh/network.ts";
import type { Network } from "../../../src/mesh/policy.ts";
import { suite } from "../../support/test.ts";

const test = suite("cli/redirect/rules");

const OPTIONS: PlanOptions = {
  inboundPort: 4143,
  outboundPort: 4140,
  hasIpv6: true,
  users: [65_532],
  groups: [],
  inboundPorts: [{ first: 4191, last: 4191 }],
  outboundPorts: [],
  inboundNetworks: [],
  outboundNetworks: [],
};

function networks(...texts: string[]): Network[] {
  return texts.map((text) => parseNetwork(text)).filter((each) => each !== null);
}

/** Without comments and white space at the ends. */
function rulesIn(text: string): string[] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

test("nft: our tables are made anew, each family in its own", () => {
  const plan = planOf({
    ...OPTIONS,
    groups: [7],
    outboundPorts: [
      { first: 22, last: 22 },
      { first: 8_000, last: 8_010 },
    ],
    inboundNetworks: networks("10.0.0.0/8", "fd00::/8"),
    outboundNetworks: networks("0.0.0.0/0"),
  });
  assert.equal(rulesIn(nftText(plan, ["ip"])), [
    "table ip outrigger",
    "delete table ip outrigger",
    "table ip outrigger {",
    "chain inbound {",
    "type nat hook prerouting priority -99; policy accept;",
    "meta l4proto != tcp return",
    'iifname "lo" return',
    "fib daddr type != local return",
    "ip saddr 10.0.0.0/8 return",
    "tcp dport { 4191 } return",
    `meta l4proto tcp redirect to :4143 comment "${plan.mark}"`,
    "}",
    "chain outbound {",
    "type nat hook output priority -99; policy accept;",
    "meta l4proto != tcp return",
    'oifname "lo" return',
    "meta skuid 65532 return",
    "meta skgid 7 return",
    "meta l4proto tcp return",
    "tcp dport { 22, 8000-8010 } return",
    `tcp flags & (fin | syn | rst | ack) == syn redirect to :4140 comment "${plan.mark}"`,
    "}",
    "}",
  ]);
  const ip6 = rulesIn(nftText(plan, ["ip6"]));
  assert.ok(ip6.includes("ip6 saddr fd00::/8 return"));
  assert.ok(ip6.includes("ip6 daddr fe80::/10 return"));
  assert.not.ok(ip6.some((line) => line.startsWith("ip ")));
});

test("nft: without IPv6 its table is removed and not made", () => {
  const text = nftText(planOf({ ...OPTIONS, hasIpv6: false }), ["ip", "ip6"]);
  assert.ok(text.includes("delete table ip6 outrigger\n"));
  assert.not.match(text, /table ip6 outrigger \{/);
});

test("iptables: one text for both families, in chains of our own", () => {
  const plan = planOf({
    ...OPTIONS,
    inboundPorts: Array.from({ length: 8 }, (_, at) => ({ first: 10 * at + 1, last: 10 * at + 2 })),
    outboundNetworks: networks("10.0.0.0/8", "fd00::/8"),
  });
  const comment = `-m comment --comment ${plan.mark}`;
  assert.equal(rulesIn(iptablesText(plan, NOTHING)), [
    "*nat",
    ":OUTRIGGER_INBOUND - [0:0]",
    ":OUTRIGGER_OUTBOUND - [0:0]",
    "-A OUTRIGGER_INBOUND -i lo -j RETURN",
    "-A OUTRIGGER_INBOUND -m addrtype ! --dst-type LOCAL -j RETURN",
    "-A OUTRIGGER_INBOUND -p tcp -m multiport --dports 1:2,11:12,21:22,31:32,41:42,51:52,61:62 -j RETURN",
    "-A OUTRIGGER_INBOUND -p tcp -m multiport --dports 71:72 -j RETURN",
    "-A OUTRIGGER_INBOUND -p tcp -j REDIRECT --to-ports 4143",
    `-A PREROUTING -p tcp ${comment} -j OUTRIGGER_INBOUND`,
    "-A OUTRIGGER_OUTBOUND -o lo -j RETURN",
    "-A OUTRIGGER_OUTBOUND -m owner --uid-owner 65532 -j RETURN",
    "-A OUTRIGGER_OUTBOUND -6 -d fe80::/10 -j RETURN",
    "-A OUTRIGGER_OUTBOUND -4 -d 10.0.0.0/8 -j RETURN",
    "-A OUTRIGGER_OUTBOUND -6 -d fd00::/8 -j RETURN",
    "-A OUTRIGGER_OUTBOUND -p tcp --syn -j REDIRECT --to-ports 4140",
    `-A OUTPUT -p tcp ${comment} -j OUTRIGGER_OUTBOUND`,
    "COMMIT",
  ]);
});

const SAVED = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:OUTRIGGER_INBOUND - [0:0]
:OUTRIGGER_OUTBOUND - [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A PREROUTING -p tcp -m comment --comment "outrigger:1" -j OUTRIGGER_INBOUND
-A OUTPUT -p tcp -m comment --comment "outrigger:1" -j OUTRIGGER_OUTBOUND
-A OUTRIGGER_INBOUND -i lo -j RETURN
-A DOCKER -m comment --comment "-j OUTRIGGER_INBOUND" -j RETURN
COMMIT
`;

test("iptables: what is there of ours goes in the same commit, and nothing else does", () => {
  const existing = existingIn(SAVED);
  assert.equal(rulesIn(iptablesText(null, existing)), [
    "*nat",
    ":OUTRIGGER_INBOUND - [0:0]",
    ":OUTRIGGER_OUTBOUND - [0:0]",
    '-D PREROUTING -p tcp -m comment --comment "outrigger:1" -j OUTRIGGER_INBOUND',
    '-D OUTPUT -p tcp -m comment --comment "outrigger:1" -j OUTRIGGER_OUTBOUND',
    "-X OUTRIGGER_INBOUND",
    "-X OUTRIGGER_OUTBOUND",
    "COMMIT",
  ]);
  const inboundOnly = rulesIn(iptablesText(planOf({ ...OPTIONS, outboundPort: null }), existing));
  assert.ok(inboundOnly.includes("-X OUTRIGGER_OUTBOUND"));
  assert.not.ok(inboundOnly.includes("-X OUTRIGGER_INBOUND"));
  assert.is(inboundOnly.filter((line) => line.startsWith("-A PREROUTING")).length, 1);
});

test("the mark tells plans apart", () => {
  const marks = [
    OPTIONS,
    { ...OPTIONS, inboundPort: 1 },
    { ...OPTIONS, users: [1] },
    { ...OPTIONS, groups: [65_532] },
    { ...OPTIONS, outboundPort: null },
    { ...OPTIONS, inboundNetworks: networks("10.0.0.0/8") },
    { ...OPTIONS, inboundNetworks: networks("10.0.0.0/9") },
    { ...OPTIONS, outboundNetworks: networks("10.0.0.0/8") },
  ].map((options) => planOf(options).mark);
  assert.is(new Set(marks).size, marks.length);
  assert.is(planOf({ ...OPTIONS }).mark, marks[0]);
  for (const mark of marks) assert.match(mark, /^outrigger:[0-9a-f]{12}$/);
});

test.run();
