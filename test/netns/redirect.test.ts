// timeout: 120s
/**
 * `outrigger redirect` on a host of the test's own, by nft and by iptables, with the real sidecar: what
 * goes through it and what is left alone, over IPv4 and IPv6, and that nothing stays behind. Needs
 * root, iproute2, nftables, iptables and util-linux; without them it fails, it is never skipped.
 */
import { type SpawnSyncReturns, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { commandLine } from "../support/program.ts";
import { suite } from "../support/test.ts";
import { asUser, HERE, SIDECAR_USER, THERE, TwoHosts, USER_ENV } from "./two-hosts.ts";

const BACKENDS = ["nft", "iptables"] as const;
const LISTENERS = ["--inbound=[::]:4143", "--outbound=[::]:4140"];

type Direction = "inbound" | "outbound";

const test = suite("netns/redirect");
test.timeout(100_000);

let hosts: TwoHosts;
test.before(async () => {
  hosts = new TwoHosts();
  await hosts.startOrigins();
  await hosts.startSidecar();
});
test.after(() => hosts.end());

function redirect(...args: string[]): string {
  const { status, stdout, stderr } = hosts.outrigger("redirect", ...args);
  assert.is(status, 0, `${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** All rules there are: those of iptables as it has them, all others as nft does, without counters. */
function rules(): string {
  const tables = hosts.on(hosts.here, "nft", "-s", "list", "ruleset");
  const own = tables.replace(/^table ip6? nat \{\n(?:.*\n)*?\}\n/gm, "");
  const saved = ["iptables-save", "ip6tables-save"].map((line) => hosts.on(hosts.here, line));
  return [own, ...saved]
    .join("")
    .replace(/^#.*\n/gm, "")
    .replace(/\[\d+:\d+\]/g, "");
}

/** How many connections of clients the sidecar has taken. */
function carried(direction: Direction): number {
  const lines = hosts.metrics().split("\n");
  const opened = lines.filter(
    (line) =>
      line.startsWith("tcp_open_total{") &&
      line.includes(`direction="${direction}"`) &&
      line.includes('peer="src"'),
  );
  return opened.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** How many more the sidecar has taken of a direction, once `act` is done. */
function carriedBy(direction: Direction, act: () => void): number {
  const before = carried(direction);
  act();
  return carried(direction) - before;
}

function get(from: string, url: string, as: readonly string[] = []): string {
  return hosts.on(from, ...as, "curl", "-sS", "-m5", url);
}

const urls = ({ v4, v6 }: typeof HERE | typeof THERE, port = 8080) => [
  `http://${v4}:${port}/`,
  `http://[${v6}]:${port}/`,
];

function each(all: readonly string[], from: string, as: readonly string[] = []): void {
  for (const url of all) assert.match(get(from, url, as), /^GET \/ /, url);
}

for (const backend of BACKENDS) {
  const flags = [...LISTENERS, `--backend=${backend}`];
  const some = [...flags, "--skip-inbound-ports=8081", "--skip-outbound-ports=8081-8090"];
  let applied = "";

  test(`${backend}: what begins goes through the sidecar, but for what is left out`, () => {
    const { here, there } = hosts;
    redirect("--apply", ...some);
    applied = rules();
    assert.is(
      carriedBy("outbound", () => each(urls(THERE), here)),
      2,
      "applications'",
    );
    assert.is(
      carriedBy("inbound", () => each(urls(HERE), there)),
      2,
      "from others",
    );
    const own = asUser(SIDECAR_USER);
    assert.is(
      carriedBy("outbound", () => each(urls(THERE), here, own)),
      0,
      "the sidecar's",
    );
    assert.is(
      carriedBy("outbound", () => each(urls(THERE, 8081), here)),
      0,
      "a port left out",
    );
    assert.is(
      carriedBy("inbound", () => each(urls(HERE, 8081), there)),
      0,
      "a port left out",
    );
    const loopback = ["http://127.0.0.1:8080/", "http://[::1]:8080/", ...urls(HERE)];
    const before = carried("inbound");
    assert.is(
      carriedBy("outbound", () => each(loopback, here)),
      0,
      "the host itself",
    );
    assert.is(carried("inbound"), before, "the host itself");
    for (const host of [HERE.v4, `[${HERE.v6}]`]) {
      assert.is(get(there, `http://${host}:4191/live`), "live\n", "the admin API");
    }
  });

  test(`${backend}: nobody comes to the outbound listener from outside, and nothing goes round`, () => {
    const before = carried("outbound");
    for (const host of [HERE.v4, `[${HERE.v6}]`]) {
      for (const [port, status] of [
        [4140, "508"],
        [4143, "400"],
      ] as const) {
        const url = `http://${host}:${port}/`;
        const line = ["curl", "-sS", "-m5", "-o", "/dev/null", "-w", "%{http_code}", url];
        assert.is(hosts.on(hosts.there, ...line), status, url);
      }
    }
    assert.is(carried("outbound"), before);
  });

  test(`${backend}: applied twice is applied once, with other flags it is those`, () => {
    redirect("--apply", ...some);
    assert.is(rules(), applied);
    assert.match(redirect("--check", ...some), new RegExp(`^redirected, by ${backend}: `));
    const others = [...flags, "--direction=inbound", "--ipv6=off"];
    assert.is(hosts.outrigger("redirect", "--check", ...others).status, 1);
    redirect("--apply", ...others);
    assert.not.match(rules(), /4140/);
    assert.is(
      carriedBy("outbound", () => each(urls(THERE), hosts.here)),
      0,
    );
    assert.is(
      carriedBy("inbound", () => each(urls(HERE), hosts.there)),
      1,
      "IPv4 alone",
    );
  });

  test(`${backend}: removal leaves none of our rules and all of others'`, () => {
    redirect("--remove");
    hosts.on(hosts.here, "iptables", ..."-t nat -A OUTPUT -d 192.0.2.1 -j RETURN".split(" "));
    hosts.on(hosts.here, "ip6tables", ..."-t nat -A OUTPUT -d fd80::1 -j RETURN".split(" "));
    hosts.on(hosts.here, "nft", "add table inet outrigger; add table ip outriggers");
    const before = rules();
    redirect("--apply", ...some);
    assert.is.not(rules(), before);
    redirect("--remove");
    assert.is(rules(), before);
    assert.is(redirect("--remove"), "not redirected\n");
    assert.is(rules(), before);
    hosts.on(hosts.here, "nft", "flush ruleset");
  });

  test(`${backend}: what is printed sets the very rules`, () => {
    const text = redirect(...some);
    const readers =
      backend === "nft"
        ? [["nft", "-f", "-"]]
        : ["iptables", "ip6tables"].map((name) => [`${name}-restore`, "--noflush"]);
    for (const reader of readers) {
      hosts.on(hosts.here, "sh", "-c", 'printf %s "$0" | "$@"', text, ...reader);
    }
    assert.is(rules(), applied);
  });
}

test("from one backend to the other nothing is left of the first", () => {
  for (const backend of ["nft", "iptables", "nft"]) {
    redirect("--apply", ...LISTENERS, `--backend=${backend}`);
    redirect("--check", ...LISTENERS);
    assert.is(
      carriedBy("outbound", () => each(urls(THERE), hosts.here)),
      2,
      backend,
    );
  }
  redirect("--remove");
  assert.not.match(rules(), /OUTRIGGER|outrigger/);
});

test("connections that were there before go on as they were, datagrams always do", async () => {
  const line = ["netns", "exec", hosts.here, "node", "-e", TALK, THERE.v4];
  const talk = spawn("ip", line, { stdio: ["pipe", "pipe", "inherit"] });
  let said = "";
  talk.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    talk.stdin.write("tcp one\n");
    await eventually(() => said.includes("echo:tcp one"), { withinMs: 10_000 });
    redirect("--apply", ...LISTENERS);
    const before = carried("outbound");
    talk.stdin.write("tcp two\n");
    await eventually(() => said.includes("echo:tcp two"), { what: "TCP from before" });
    talk.stdin.write("udp three\n");
    await eventually(() => said.includes("echo:udp three"), { what: "UDP" });
    assert.is(carried("outbound"), before);
  } finally {
    talk.kill("SIGKILL");
    redirect("--remove");
  }
});

/** Passes lines of stdin on, by a connection that it has or as datagrams, and prints the answers. */
const TALK = `
  const tcp = require("net").connect(9090, process.argv[1]);
  const udp = require("dgram").createSocket("udp4");
  const print = (data) => process.stdout.write(data);
  tcp.on("data", print);
  udp.on("message", print);
  process.stdin.on("data", (line) => {
    if (line.toString().startsWith("tcp")) tcp.write(line);
    else udp.send(line, 9090, process.argv[1]);
  });
`;

/** As nft is where the kernel has nothing of IPv6. */
const NFT_OF_IPV4 = `#!/bin/sh
case "$*" in *ip6*) echo "Error: Could not process rule: Not supported" >&2; exit 1;; esac
exec /usr/sbin/nft "$@"
`;

test("without IPv6 it is done for IPv4, and with one notice where it takes one", () => {
  const disable = (value: 0 | 1): string =>
    hosts.on(hosts.here, "sysctl", "-q", `net.ipv6.conf.all.disable_ipv6=${value}`);
  const folder = mkdtempSync(join(tmpdir(), "outrigger-nft-"));
  writeFileSync(join(folder, "nft"), NFT_OF_IPV4, { mode: 0o700 });
  const env = { PATH: `${folder}:${process.env["PATH"]}` };
  const by = (task: string): SpawnSyncReturns<string> => {
    const [command, flags] = commandLine(["redirect", task, ...LISTENERS]);
    return hosts.tried(hosts.here, [command, ...flags], env);
  };
  try {
    const refused = by("--apply");
    assert.is(refused.status, 1, "IPv6 is on, and would pass by the sidecar");
    assert.match(refused.stderr, /^outrigger: nft: Error: .*--ipv6=off.*\n$/);
    assert.not.match(rules(), /outrigger/);
    disable(1);
    const done = by("--apply");
    assert.is(done.status, 0);
    assert.match(done.stderr, /^outrigger: IPv6 is off here, .*Not supported\n$/);
    assert.is(
      carriedBy("outbound", () => each([`http://${THERE.v4}:8080/`], hosts.here)),
      1,
    );
    redirect("--apply", ...LISTENERS, "--backend=iptables");
    assert.is(
      carriedBy("outbound", () => each([`http://${THERE.v4}:8080/`], hosts.here)),
      1,
    );
    redirect("--remove");
    assert.not.match(rules(), /OUTRIGGER|outrigger/);
  } finally {
    disable(0);
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what cannot be done is one line and exit 1, what is wrong one line and exit 64", () => {
  const before = rules();
  const nobody = hosts.outrigger("redirect", "--apply", "--uid=7");
  assert.is(nobody.status, 1);
  assert.match(nobody.stderr, /^outrigger: port 4140 is user 65532's, .*--uid 65532\n$/);
  const [command, args] = commandLine(["redirect", "--apply"]);
  const powerless = hosts.tried(hosts.here, [...asUser("65534"), command, ...args], USER_ENV);
  assert.is(powerless.status, 1);
  assert.match(powerless.stderr, /^outrigger: nft: .*; it takes root or CAP_NET_ADMIN\n$/);
  const unknown = hosts.outrigger("redirect", "--uid=no-such-user");
  assert.is(unknown.status, 1);
  assert.match(unknown.stderr, /^outrigger: .*no-such-user.*\n$/);
  const wrong = hosts.outrigger("redirect", "--apply", "--skip-inbound-ports=22; flush ruleset");
  assert.is(wrong.status, 64);
  assert.match(wrong.stderr, /^outrigger: --skip-inbound-ports: .*\n$/);
  assert.is(rules(), before);
});

test.run();
