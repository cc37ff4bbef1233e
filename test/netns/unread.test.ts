// timeout: 120s
// exclusive
/**
 * A wire so slow that the end of a connection arrives after a request was sent on it, as happens on any
 * wire to one request of many. What may not be done twice must be done once, or be answered by 502.
 * Needs root, iproute2 and the kernel's token buckets; without them it fails, it is never skipped.
 */
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { HERE, THERE, TwoHosts } from "./two-hosts.ts";

const ORIGIN = fileURLToPath(new URL("closing-origin.mjs", import.meta.url));

const test = suite("netns/unread");
test.timeout(100_000);

let hosts: TwoHosts;
test.before(async () => {
  hosts = new TwoHosts();
  await hosts.startSidecar();
  // 12,500 bytes in a second, after the first 1,600.
  const bucket = ["tbf", "rate", "100kbit", "burst", "1600", "latency", "10s"];
  hosts.on(hosts.there, "tc", "qdisc", "add", "dev", "wire", "root", ...bucket);
});
test.after(() => hosts.end());

function count(name: string): number {
  const line = new RegExp(`^outrigger_${name}_total ([0-9]+)$`, "m").exec(hosts.metrics());
  return Number(line?.[1] ?? 0);
}

/** An application of its own for each test, as it is remembered when connections were closed. */
class Origin {
  readonly #port: string;
  readonly #log: () => string;

  constructor(port: string) {
    this.#port = port;
    this.#log = hosts.start(hosts.there, ["node", ORIGIN, HERE.v4, port]);
  }

  async has(line: string): Promise<void> {
    const isThere = (): boolean => this.times(line) > 0;
    await eventually(isThere, { withinMs: 10_000, what: line });
  }

  times(line: string): number {
    return this.#log()
      .split("\n")
      .filter((each) => each === line).length;
  }

  /** Asks it through the sidecar; returns the status. */
  ask(method: "GET" | "POST", path: string): string {
    const args = ["-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", "-X", method];
    const host = `Host: ${THERE.v4}:${this.#port}`;
    return hosts.on(hosts.here, "curl", ...args, "-H", host, `http://127.0.0.1:4140${path}`);
  }

  /** Posts to `path` on a connection that was closed behind the answer to `first`. */
  async postBehind(first: string, path: string): Promise<string> {
    assert.is(this.ask("GET", first), "200");
    await this.has("closed");
    const reused = count("pool_hit");
    const status = this.ask("POST", path);
    assert.is(count("pool_hit"), reused + 1, "the end arrived before it");
    await this.has(`asked ${path}`);
    return status;
  }
}

test("a POST that came after the close goes to another connection", async () => {
  const origin = new Origin("8085");
  await origin.has("listening");
  assert.is(await origin.postBehind("/close", "/late"), "200");
  assert.is(origin.times("asked /late"), 1);
  assert.is(count("retried_reused"), 1);
});

test("one that came behind half a close, and was read, is not repeated", async () => {
  const origin = new Origin("8086");
  await origin.has("listening");
  assert.is(await origin.postBehind("/half-close", "/never"), "502");
  assert.is(origin.times("asked /never"), 1);
});

test("one that was read before the close is not repeated", async () => {
  const origin = new Origin("8087");
  await origin.has("listening");
  assert.is(origin.ask("POST", "/vanish"), "502");
  await origin.has("asked /vanish");
  assert.is(origin.times("asked /vanish"), 1);
  assert.is(count("retried_reused"), 1);
});

test.run();
