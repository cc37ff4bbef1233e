import * as assert from "uvu/assert";
import {
  ANSWERS_MAX,
  DnsTimeout,
  LOOKUPS_MAX,
  Resolver,
  resolveHost,
  tidyAnswers,
} from "../../src/discovery/dns.ts";
import { formatIp, isLoopbackIp, parseIp } from "../../src/mesh/address.ts";
import { suite } from "../support/test.ts";

const test = suite("discovery/dns");
const never = () => new Promise<never>(() => {});

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => assert.unreachable("resolved"),
    (error: unknown) => error,
  );
}

test("/etc/hosts counts: localhost is a loopback address", async () => {
  const ips = await resolveHost("localhost");
  assert.ok(ips.length > 0);
  for (const ip of ips) assert.ok(isLoopbackIp(ip), formatIp(ip));
});

test("a name that does not exist rejects, not as a timeout", async () => {
  const resolver = new Resolver(() => Promise.reject(new Error("ENOTFOUND")));
  const error = await rejection(resolver.resolve("gone"));
  assert.not.instance(error, DnsTimeout);
  assert.match(String(error), "ENOTFOUND");
});

test("IPv4 and IPv6 are both returned; addresses with a zone are left out", async () => {
  const answer = ["10.0.0.1", "::1", "fe80::1%eth0"].map((address) => ({ address }));
  const ips = await new Resolver(() => Promise.resolve(answer)).resolve("both");
  assert.equal(ips.map(formatIp), ["10.0.0.1", "::1"]);
});

test("no answer in time is a timeout", async () => {
  assert.instance(await rejection(new Resolver(never, 1).resolve("slow")), DnsTimeout);
});

test("a name that is still looked up is not looked up twice, timed out or not", async () => {
  let count = 0;
  let answer: (ips: { address: string }[]) => void = () => {};
  const resolver = new Resolver(() => {
    count++;
    return new Promise((resolve) => {
      answer = resolve;
    });
  }, 1);
  await rejection(resolver.resolve("slow"));
  const again = resolver.resolve("slow");
  answer([{ address: "10.0.0.1" }]);
  assert.equal((await again).map(formatIp), ["10.0.0.1"]);
  assert.is(count, 1);
  const anew = resolver.resolve("slow");
  assert.is(count, 2);
  answer([]);
  assert.equal(await anew, []);
});

test("names that the system never answers do not pile up", async () => {
  let count = 0;
  const resolver = new Resolver(() => {
    count++;
    return never();
  }, 1);
  const asked = Array.from({ length: LOOKUPS_MAX + 50 }, (_, i) => resolver.resolve(`n${i}`));
  for (const error of await Promise.all(asked.map(rejection))) assert.instance(error, DnsTimeout);
  assert.is(count, LOOKUPS_MAX);
});

test("answers are sorted, without duplicates, and bounded", () => {
  const ips = ["::1", "10.0.0.9", "10.0.0.1", "::1", "10.0.0.9"].map(
    (text) => parseIp(text) ?? Uint8Array.of(),
  );
  assert.equal(tidyAnswers(ips).map(formatIp), ["10.0.0.1", "10.0.0.9", "::1"]);
  const many = Array.from({ length: 1_000 }, (_, i) => Uint8Array.of(10, 0, i >> 8, i & 255));
  assert.is(tidyAnswers([...many, ...many]).length, ANSWERS_MAX);
  assert.equal(tidyAnswers([]), []);
});

test.run();
