import * as assert from "uvu/assert";
import {
  parseServiceAuthority,
  parseServiceName,
  serviceName,
} from "../../src/mesh/service-name.ts";
import { suite } from "../support/test.ts";

const test = suite("mesh/service-name");

const DEFAULTS = { namespace: "shop", trustDomain: "cluster.local" };

const services: readonly [text: string, canonical: string, port: number | null][] = [
  ["web", "web.shop.svc.cluster.local", null],
  ["web:8080", "web.shop.svc.cluster.local", 8080],
  ["web:", "web.shop.svc.cluster.local", null],
  ["WEB.", "web.shop.svc.cluster.local", null],
  ["web.billing", "web.billing.svc.cluster.local", null],
  ["web.billing:1", "web.billing.svc.cluster.local", 1],
  ["web.billing.svc", "web.billing.svc.cluster.local", null],
  ["web.billing.svc.cluster.local", "web.billing.svc.cluster.local", null],
  ["Web.Billing.SVC.Cluster.Local.:65535", "web.billing.svc.cluster.local", 65_535],
  ["svc", "svc.shop.svc.cluster.local", null],
  ["svc.svc.svc", "svc.svc.svc.cluster.local", null],
  ["example.com", "example.com.svc.cluster.local", null],
  ["1a.2b", "1a.2b.svc.cluster.local", null],
  [`${"a".repeat(63)}.b`, `${"a".repeat(63)}.b.svc.cluster.local`, null],
];

for (const [text, canonical, port] of services) {
  test(`${text} means ${canonical}, port ${port}`, () => {
    const parsed = parseServiceAuthority(text, DEFAULTS);
    assert.is(parsed?.service.canonical, canonical);
    assert.is(parsed?.port, port);
    const [name, namespace] = canonical.split(".");
    assert.is(parsed?.service.name, name);
    assert.is(parsed?.service.namespace, namespace);
  });
}

const others: readonly string[] = [
  "",
  ".",
  "web..billing",
  "web:0",
  "web:65536",
  "web:http",
  "web.billing.svc.other.domain",
  "web.billing.svc.cluster",
  "web.billing.svc.cluster.local.more",
  "web.billing.pod",
  "www.example.com",
  "localhost",
  "localhost:80",
  "web.localhost",
  "localhost.shop",
  "a.b.localhost",
  "127.0.0.1",
  "10.0.0.1:80",
  "[::1]:80",
  "::1",
  "my_service",
  "-web",
  "web-",
  "*.shop",
  "web/..",
  "wéb",
  "a".repeat(64),
];

for (const text of others) {
  test(`${text.slice(0, 40) || "nothing"} means no service`, () => {
    assert.is(parseServiceAuthority(text, DEFAULTS), null);
  });
}

test("the canonical text means itself, whoever reads it", () => {
  for (const [, canonical] of services) {
    for (const namespace of ["shop", "default"]) {
      const read = parseServiceName(canonical, { ...DEFAULTS, namespace });
      assert.is(read?.canonical, canonical);
    }
  }
});

test("a trust domain is compared without regard to case and a final dot", () => {
  const defaults = { namespace: "shop", trustDomain: "Mesh.Example." };
  const canonical = "web.shop.svc.mesh.example";
  assert.is(parseServiceName("web", defaults)?.canonical, canonical);
  assert.is(parseServiceName(canonical, defaults)?.canonical, canonical);
});

test("parts that are no labels, and names that are too long, make no service", () => {
  assert.is(serviceName("web", "shop", "cluster.local")?.canonical, "web.shop.svc.cluster.local");
  assert.is(serviceName("a.b", "shop", "cluster.local"), null);
  assert.is(serviceName("web", "a.b", "cluster.local"), null);
  assert.is(serviceName("", "shop", "cluster.local"), null);
  assert.is(serviceName("web", "", "cluster.local"), null);
  assert.is(serviceName("web", "shop", "localhost"), null);
  // RFC 1035 §2.3.4: 253 characters, and not one more.
  const long = `${"d".repeat(60)}.${"d".repeat(60)}.${"d".repeat(60)}.${"d".repeat(57)}`;
  assert.is(serviceName("web", "shop", long)?.canonical.length, 253);
  assert.is(serviceName("webs", "shop", long), null);
});

test.run();
