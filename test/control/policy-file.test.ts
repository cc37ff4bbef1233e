/** The policy file: what it means, and each thing that can be wrong with it, with its line. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import * as assert from "uvu/assert";
import { outboundPolicy } from "../../src/control/methods/outbound-message.ts";
import { parsePolicy } from "../../src/control/policy/parse-policy.ts";
import { MeshPolicy } from "../../src/control/policy/policy.ts";
import { routesOf } from "../../src/discovery/outbound-policy.ts";
import { OutboundPolicySchema } from "../../src/proto/outbound_pb.ts";
import { seeded } from "../support/random.ts";
import { ROOT } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import { DEFAULTS, identityNamed, named, policyOf } from "./directory-rig.ts";

const test = suite("control/policy-file");

const WHOLE = `
services:
  web:
    allow: [shop, "*.billing", "spiffe://other.example/ns/a/sa/b", meshed]
    networks: [10.0.0.0/8, "2001:db8::/32"]
    ports:
      9090: { allow: [ops.admin], opaque: true }
      9091: { networks: [192.168.1.1] }
    timeout: 5s
    retries: { limit: 2, on: [5xx, 429, 502-504], try-timeout: 500ms, backoff: 10ms..1s }
    routes:
      - { path: /api/, method: POST, timeout: 1s }
      - { path: /reports, timeout: 0, retries: { limit: 0 }, split: { web-v2: 1 } }
      - { exact: /health, retries: { methods: [POST] } }
    split: { web: 90, web-v2: 10, old: 0 }
    announcers: [web-canary]
  db.data:
    opaque: true
    allow: []
`;

const web = named("web").canonical;
const v2 = named("web-v2").canonical;
const IDEMPOTENT = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

test("limits of time and what requests may say get to who applies them", () => {
  const text =
    "services:\n  web:\n    idle-timeout: 30s\n    allow-headers: true\n" +
    "    routes: [{ path: /a, idle-timeout: 0 }, { path: /b, allow-headers: false, timeout: 1s }]\n";
  const message = outboundPolicy(policyOf(text), named("web"), 80);
  const { routes, problem } = routesOf(web, fromBinary(OutboundPolicySchema, message));
  assert.is(problem, null);
  assert.equal(
    routes.map((each) => [each.requestTimeoutMs, each.idleTimeoutMs, each.allowsFields]),
    [
      [0, undefined, true],
      [1_000, 30_000, undefined],
      [0, 30_000, true],
    ],
  );
});

test("says who may come in, by port", () => {
  const policy = policyOf(WHOLE);
  const rule = policy.ruleFor(named("web"), 80);
  assert.is(rule.isOpaque, false);
  assert.equal(
    rule.authorizations.map(({ clients }) => clients),
    [
      { kind: "meshed" },
      {
        kind: "named",
        identities: [identityNamed("shop"), "spiffe://other.example/ns/a/sa/b"],
        suffixes: [".billing.serviceaccount.identity.outrigger.cluster.local"],
      },
    ],
  );
  const nets = rule.authorizations[1]?.networks.map(({ net }) => net);
  assert.equal(
    nets?.map(({ ip, prefixLength }) => [ip[0], ip.length, prefixLength]),
    [
      [10, 4, 8],
      [0x20, 16, 32],
    ],
  );
  const ops = policy.ruleFor(named("web"), 9090);
  assert.is(ops.isOpaque, true);
  assert.equal(ops.authorizations[0]?.clients, {
    kind: "named",
    identities: [identityNamed("ops", "admin")],
    suffixes: [],
  });
  assert.is(ops.authorizations[0]?.networks.length, 2);
  const one = policy.ruleFor(named("web"), 9091).authorizations;
  assert.is(one.length, 2);
  assert.equal(one[0]?.networks[0]?.net.prefixLength, 32);
  assert.equal(policy.ruleFor(named("db", "data"), 5432), { isOpaque: true, authorizations: [] });
  const anyone = { networks: [], clients: { kind: "anyone" } };
  assert.equal(policy.ruleFor(named("x"), 1), { isOpaque: false, authorizations: [anyone] });
});

test("networks hold for ports below them, also where nobody is let in by default", () => {
  const text =
    "services: { web: { allow: [], networks: [10.0.0.0/8], ports: { 1: { allow: [ops] } } } }";
  const policy = policyOf(text);
  assert.equal(policy.ruleFor(named("web"), 2).authorizations, []);
  const [ops, ...others] = policy.ruleFor(named("web"), 1).authorizations;
  assert.is(others.length, 0);
  assert.equal(
    ops?.networks.map(({ net }) => [net.ip[0], net.prefixLength]),
    [[10, 8]],
  );
});

test("says how requests are sent, retries as routes of their own", () => {
  const routes = policyOf(WHOLE).services.get(web)?.routes ?? [];
  const path = { kind: "prefix", path: "/api/" };
  const split = [
    { service: web, weight: 90 },
    { service: v2, weight: 10 },
  ];
  const statuses = [
    { from: 500, to: 599 },
    { from: 429, to: 429 },
    { from: 502, to: 504 },
  ];
  const times = { tryTimeoutMs: 500, backoffMinMs: 10, backoffMaxMs: 1_000 };
  const retry = { limit: 2, statuses, ...times };
  const common = { backends: split, responseTimeoutMs: 0 };
  const health = { kind: "exact", path: "/health" };
  const byDefault = { tryTimeoutMs: 0, backoffMinMs: 25, backoffMaxMs: 250 };
  const once = { limit: 1, statuses: [{ from: 500, to: 599 }], ...byDefault };
  assert.equal(routes, [
    { ...common, matches: [{ path, method: "POST" }], requestTimeoutMs: 1_000, retry: null },
    {
      matches: [{ path: { kind: "prefix", path: "/reports" }, method: null }],
      backends: [{ service: v2, weight: 1 }],
      requestTimeoutMs: 0,
      responseTimeoutMs: 0,
      retry: null,
    },
    {
      ...common,
      matches: [{ path: health, method: "POST" }],
      requestTimeoutMs: 5_000,
      retry: once,
    },
    {
      ...common,
      matches: [{ path: health, method: null }],
      requestTimeoutMs: 5_000,
      retry: null,
    },
    {
      ...common,
      matches: IDEMPOTENT.map((method) => ({ path: null, method })),
      requestTimeoutMs: 5_000,
      retry,
    },
    { ...common, matches: [], requestTimeoutMs: 5_000, retry: null },
  ]);
});

test("says who may announce, and whose rules hold at who announces", () => {
  const policy = policyOf(WHOLE);
  assert.is(policy.mayAnnounce(identityNamed("web"), named("web")), true);
  assert.is(policy.mayAnnounce(identityNamed("web-canary"), named("web")), true);
  assert.is(policy.mayAnnounce(identityNamed("shop"), named("web")), false);
  assert.is(policy.mayAnnounce(identityNamed("web", "other"), named("web")), false);
  assert.is(policy.ruleFor(named("web-canary"), 9090).isOpaque, true);
  const own = policyOf(`${WHOLE}  web-canary: {}\n`);
  assert.is(own.ruleFor(named("web-canary"), 9090).isOpaque, false);
});

test("a file that names no services, and one in JSON, are good", () => {
  assert.is(policyOf("services: {}").services.size, 0);
  assert.is(policyOf('{"services":{"web":{"timeout":"1s"}}}').services.size, 1);
  assert.is(policyOf("# for now\nservices: { }\n").services.size, 0);
});

/** The service `web` with one more line, which is the fourth. */
const webWith = (line: string): string => `services:\n  web:\n    timeout: 1s\n    ${line}\n`;

const bad: readonly (readonly [text: string, line: number, reason: RegExp])[] = [
  ["", 1, /empty/],
  ["# nothing\n", 1, /empty/],
  ["services:\n", 1, /expected services by their names/],
  ["services: [web]\n", 1, /expected services by their names/],
  ["web: {}\n", 1, /"web" is not one of services/],
  ["services: {}\nservices: {}\n", 2, /"services" is there twice/],
  ["services: {}\n---\nservices: {}\n", 2, /documents/],
  ["services: {\n  web: {\n", 3, /./],
  ["services:\n\tweb: {}\n", 2, /[Tt]ab/],
  ["a: &x {}\nservices: *x\n", 1, /"a" is not one of/],
  ["services:\n  web: &x {}\n  shop: *x\n", 3, /alias/],
  ["services:\n  web: !thing {}\n", 2, /tag/],
  ["services:\n  web:\n", 2, /expected what holds/],
  ["services:\n  web: 5\n", 2, /expected what holds/],
  ["services:\n  ? [a]\n  : {}\n", 2, /expected a name/],
  ["services:\n  web_1: {}\n", 2, /"web_1" is no name of a service/],
  ["services:\n  www.example.com: {}\n", 2, /no name of a service/],
  ["services:\n  10.0.0.1: {}\n", 2, /no name of a service/],
  ["services:\n  web: {}\n  web.default: {}\n", 3, /there twice/],
  ["services:\n  web: {}\n  WEB: {}\n", 3, /there twice/],
  [webWith("alow: []"), 4, /"alow" is not one of allow, networks/],
  [webWith("allow: shop"), 4, /expected a list of names/],
  [webWith("allow: [shop, 'a b']"), 4, /"a b" is no name of a workload/],
  [webWith("allow: [shop, 5]"), 4, /"5" is no name of a workload/],
  [webWith("allow: [shop, true]"), 4, /"true": expected a name/],
  [webWith("allow: [shop, [x]]"), 4, /expected a name/],
  [webWith("allow:\n      - shop\n      - '*.a.b'"), 6, /"a\.b" is no namespace/],
  [webWith("allow: ['*.']"), 4, /is no namespace/],
  [webWith("allow: ['*']"), 4, /"\*" is no name/],
  [webWith(`allow: [${"x,".repeat(1_001)}]`), 4, /more than 1000/],
  [webWith("networks: []"), 4, /lets nobody in/],
  [webWith("networks: [10.0.0.0/33]"), 4, /no address block/],
  [webWith("networks: [10.0.0.1/8]"), 4, /no address block/],
  [webWith("networks: [10.0.0/8]"), 4, /no address block/],
  [webWith("networks: ['::ffff:10.0.0.0/104']"), 4, /no address block/],
  [webWith("networks: [10.0.0.0/08]"), 4, /no address block/],
  [webWith("networks: [10.0.0.0/8/8]"), 4, /no address block/],
  [webWith("networks: [example.com]"), 4, /no address block/],
  [webWith("opaque: yes"), 4, /expected true or false/],
  [webWith("opaque: 1"), 4, /expected true or false/],
  [webWith("ports: [80]"), 4, /expected rules by ports/],
  [webWith("ports: { 0: {} }"), 4, /"0" is no port/],
  [webWith("ports: { 65536: {} }"), 4, /"65536" is no port/],
  [webWith("ports: { 0x50: {} }"), 4, /"0x50" is no port/],
  [webWith("ports: { http: {} }"), 4, /"http" is no port/],
  [webWith("ports: { 80: { timeout: 1s } }"), 4, /"timeout" is not one of allow/],
  [webWith("idle-timeout: 5"), 4, /expected a duration/],
  [webWith("allow-headers: 1"), 4, /expected true or false/],
  [webWith("ports:\n      80: {}\n      80: {}"), 6, /there twice/],
  [webWith("ports: { 80: {}, '80': {} }"), 4, /there twice/],
  [webWith("allow: [shop]\n    allow: [ops]"), 5, /"allow" is there twice/],
  [webWith("retries: 3"), 4, /expected limit, on/],
  [webWith("retries: { limit: 11 }"), 4, /from 0 to 10/],
  [webWith("retries: { limit: -1 }"), 4, /from 0 to 10/],
  [webWith("retries: { limit: 1.5 }"), 4, /from 0 to 10/],
  [webWith("retries: { on: [600] }"), 4, /expected a status/],
  [webWith("retries: { on: [504-502] }"), 4, /expected a status/],
  [webWith("retries: { on: [6xx] }"), 4, /expected a status/],
  [webWith("retries: { on: [] }"), 4, /no statuses/],
  [webWith("retries: { on: 503 }"), 4, /expected a list of statuses/],
  [webWith("retries: { try-timeout: 5 }"), 4, /expected a duration/],
  [webWith("retries: { backoff: 25ms }"), 4, /expected a range/],
  [webWith("retries: { backoff: 250ms..25ms }"), 4, /expected a range/],
  [webWith("retries: { backoff: 0..1s }"), 4, /expected a range/],
  [webWith("retries: { backoff: 1s..2h }"), 4, /expected a range/],
  [webWith("retries: { methods: [get] }"), 4, /no method/],
  [webWith("retries: { methods: [] }"), 4, /no methods/],
  [webWith("retries: { tries: 3 }"), 4, /"tries" is not one of/],
  [webWith("routes: { path: / }"), 4, /expected a list of routes/],
  [webWith("routes: [{ timeout: 1s }]"), 4, /expected path, exact or method/],
  [webWith("routes:\n      - path: /a\n        exact: /b"), 6, /not both/],
  [webWith("routes: [{ path: api }]"), 4, /"api" is no path/],
  [webWith("routes: [{ path: '/a?b' }]"), 4, /no path/],
  [webWith("routes: [{ path: '/a b' }]"), 4, /no path/],
  [webWith("routes: [{ path: /a, method: 'G ET' }]"), 4, /no method/],
  [webWith("routes: [{ path: /a, allow: [] }]"), 4, /"allow" is not one of path/],
  [webWith(`routes: [${"{ path: /a },".repeat(101)}]`), 4, /more than 100 routes/],
  [webWith("split: [web]"), 4, /expected weights/],
  [webWith("split: { 'a b': 1 }"), 4, /no name of a service/],
  [webWith("split: { web: -1 }"), 4, /whole number/],
  [webWith("split: { web: 1000001 }"), 4, /whole number/],
  [webWith("split: { web: 0 }"), 4, /must not be 0/],
  [webWith("split:\n      web: 1\n      web.default: 1"), 6, /there twice/],
  [webWith("announcers: web"), 4, /expected a list of names/],
  [webWith("announcers: ['*.default']"), 4, /no name of a workload/],
  ["services:\n  web: { timeout: 61m }\n", 2, /expected a duration/],
  ["services:\n  web: { timeout: 1.5s }\n", 2, /expected a duration/],
];

for (const [text, line, reason] of bad) {
  test(`is refused: ${JSON.stringify(text).slice(0, 70)}`, () => {
    const refused = parsePolicy(text, DEFAULTS);
    assert.ok(!(refused instanceof MeshPolicy), "it was not refused");
    assert.match(refused.reason, reason);
    assert.is(refused.line, line, refused.reason);
    assert.not.match(refused.reason, /\n/);
  });
}

test("nothing that is nested or cut throws", () => {
  for (const open of ["[", "{a: ", "- ", "? "]) parsePolicy(open.repeat(10_000), DEFAULTS);
  for (let length = 0; length < WHOLE.length; length += 23) {
    parsePolicy(WHOLE.slice(0, length), DEFAULTS);
  }
  const random = seeded("control/policy-file");
  for (let i = 0; i < 100; i++) {
    const at = random.below(WHOLE.length);
    const character = String.fromCharCode(random.between(1, 127));
    parsePolicy(WHOLE.slice(0, at) + character + WHOLE.slice(at + 1), DEFAULTS);
  }
});

test("the longest file takes seconds at the most", () => {
  const names = Array.from({ length: 90_000 }, (_, i) => `  s${i}: {}\n`);
  const startMs = performance.now();
  const refused = parsePolicy(`services:\n${names.join("")}`, DEFAULTS);
  assert.ok(!(refused instanceof MeshPolicy));
  assert.match(refused.reason, /more than 16384 services/);
  assert.ok(performance.now() - startMs < 10_000, `${performance.now() - startMs} ms`);
});

test("what docs/policy.md shows is a policy", () => {
  const text = readFileSync(join(ROOT, "docs/policy.md"), "utf8");
  const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(text) ?? [];
  const policy = parsePolicy(example, DEFAULTS);
  assert.ok(policy instanceof MeshPolicy, JSON.stringify(policy));
  assert.is(policy.services.size, 3);
  assert.is(policy.isOpaque(named("db").canonical, 3306), true);
});

test.run();
