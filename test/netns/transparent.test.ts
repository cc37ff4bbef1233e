// timeout: 120s
/**
 * Transparent mode: an application with no proxy setting reaches a backend through the sidecar by the
 * rules of `outrigger redirect`, HTTP and TCP, IPv4 and IPv6. Needs root, iproute2 and nftables;
 * without them it fails, it is never skipped.
 */
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { suite } from "../support/test.ts";
import { THERE, TwoHosts } from "./two-hosts.ts";

const SAY = fileURLToPath(new URL("../support/say.mjs", import.meta.url));

const test = suite("netns/transparent");
test.timeout(100_000);

test("HTTP and TCP reach their original destination, IPv4 and IPv6", async () => {
  const hosts = new TwoHosts();
  const inside = (...line: string[]): string => hosts.on(hosts.here, ...line);
  const curl = (url: string): string => inside("curl", "-sS", "-m", "5", url);
  try {
    const { status, stderr } = hosts.outrigger("redirect", "--apply");
    assert.is(status, 0);
    assert.match(stderr, /^outrigger: IPv6 will be refused, .*--outbound 127\.0\.0\.1:4140.*\n$/);
    await hosts.startOrigins();
    await hosts.startSidecar();
    assert.is(curl(`http://${THERE.v4}:8080/v4`), `GET /v4 ${THERE.v4}:8080`);
    assert.is(curl(`http://[${THERE.v6}]:8080/v6`), `GET /v6 [${THERE.v6}]:8080`);
    for (const host of [THERE.v4, THERE.v6]) {
      assert.is(inside("node", SAY, host, "9090", "\u0001raw"), "echo:\u0001raw");
    }
    assert.is(inside("node", SAY, THERE.v4, "7070"), "I speak first");
    const metrics = hosts.metrics();
    assert.match(metrics, /request_total\{[^}]*target_addr="10\.79\.0\.2:8080"[^}]*\} 1/);
    assert.match(metrics, /request_total\{[^}]*target_addr="\[fd79::2\]:8080"[^}]*\} 1/);
    assert.match(metrics, /outrigger_server_spoke_first_total 1/);
  } finally {
    hosts.end();
  }
});

test.run();
