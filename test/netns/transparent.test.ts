// timeout: 120s
// exclusive
/**
 * Transparent mode, in a network namespace of the test's own: an application with no proxy setting
 * reaches a backend through the sidecar by iptables REDIRECT, HTTP and TCP, IPv4 and IPv6. Needs
 * root, iproute2 and iptables; without them it fails, it is never skipped.
 */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { commandLine } from "../support/program.ts";
import { suite } from "../support/test.ts";

const NAMESPACE = `outrigger-${process.pid}`;
/** The sidecar runs as this user, so that what it sends itself is not redirected again. */
const PROXY_UID = "65534";

const test = suite("netns/transparent");
test.timeout(100_000);

function run(...line: string[]): string {
  const [command = "", ...args] = line;
  const done = spawnSync(command, args, { encoding: "utf8", timeout: 20_000 });
  assert.is(done.status, 0, `${line.join(" ")}: ${done.error?.message ?? done.stderr}`);
  return done.stdout;
}

const inside = (...line: string[]): string => run("ip", "netns", "exec", NAMESPACE, ...line);

test.before(() => {
  run("ip", "netns", "add", NAMESPACE);
  inside("ip", "link", "set", "lo", "up");
  inside("ip", "addr", "add", "10.77.0.1/32", "dev", "lo");
  inside("ip", "-6", "addr", "add", "fd77::1/128", "dev", "lo", "nodad");
  for (const [iptables, to] of [
    ["iptables", "10.77.0.1"],
    ["ip6tables", "fd77::1"],
  ] as const) {
    const owner = ["-m", "owner", "!", "--uid-owner", PROXY_UID];
    const redirect = ["-j", "REDIRECT", "--to-ports", "4140"];
    inside(iptables, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-d", to, ...owner, ...redirect);
  }
});

test.after(() => {
  spawnSync("ip", ["netns", "del", NAMESPACE]);
});

test("HTTP and TCP reach their original destination, IPv4 and IPv6", async () => {
  const origin = spawn(
    "ip",
    ["netns", "exec", NAMESPACE, "node", fileURLToPath(new URL("origin.mjs", import.meta.url))],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [command, flags] = commandLine([
    "run",
    "--workers=1",
    "--inbound=127.0.0.1:4143",
    // Both stacks: a redirected connection comes to the loopback address of its family.
    "--outbound=[::]:4140",
  ]);
  const asUser = ["setpriv", "--reuid", PROXY_UID, "--clear-groups"];
  const sidecar = spawn("ip", ["netns", "exec", NAMESPACE, ...asUser, command, ...flags], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    env: { ...process.env, HOME: "/tmp", XDG_CACHE_HOME: "/tmp", DENO_DIR: "/tmp/outrigger-deno" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  sidecar.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  try {
    await eventually(() => / ready /.test(log), { withinMs: 20_000 });
    const curl = (url: string): string => inside("curl", "-sS", "-m", "5", url);
    assert.is(curl("http://10.77.0.1:8080/v4"), "GET /v4 10.77.0.1:8080");
    assert.is(curl("http://[fd77::1]:8080/v6"), "GET /v6 [fd77::1]:8080");
    const say = fileURLToPath(new URL("../support/say.mjs", import.meta.url));
    for (const host of ["10.77.0.1", "fd77::1"]) {
      assert.is(inside("node", say, host, "9090", "\u0001raw"), "echo:\u0001raw");
    }
    assert.is(inside("node", say, "10.77.0.1", "7070"), "I speak first");
    const metrics = inside("curl", "-sS", "-m", "5", "http://127.0.0.1:4191/metrics");
    assert.match(metrics, /request_total\{[^}]*target_addr="10\.77\.0\.1:8080"[^}]*\} 1/);
    assert.match(metrics, /request_total\{[^}]*target_addr="\[fd77::1\]:8080"[^}]*\} 1/);
    assert.match(metrics, /outrigger_server_spoke_first_total 1/);
  } finally {
    sidecar.kill("SIGKILL");
    origin.kill("SIGKILL");
    spawnSync("pkill", ["-KILL", "-u", PROXY_UID, "-f", "src/cli/main.ts"]);
  }
});

test.run();
