import * as assert from "uvu/assert";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { type RedirectConfig, redirectConfig } from "../../src/cli/redirect-config.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/redirect-config");

function configOf(line: string, env: Record<string, string> = {}): RedirectConfig {
  const parsed = redirectConfig(line === "" ? [] : line.split(" "), env);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.config;
}

test("without flags both directions of both families go to where the sidecar listens", () => {
  assert.equal(configOf(""), {
    task: "print",
    backend: "auto",
    inbound: { host: "0.0.0.0", port: 4143 },
    outbound: { host: "127.0.0.1", port: 4140 },
    hasIpv6: true,
    users: ["65532"],
    groups: [],
    inboundPorts: [{ first: 4191, last: 4191 }],
    outboundPorts: [],
    inboundNetworks: [],
    outboundNetworks: [],
  });
});

test("the sidecar's own variables say where it listens", () => {
  const env = {
    OUTRIGGER_INBOUND: "[::]:1043",
    OUTRIGGER_OUTBOUND: "[::]:1040",
    OUTRIGGER_ADMIN: "10.0.0.1:1091",
    OUTRIGGER_REDIRECT_UID: "sidecar;0",
  };
  const { inbound, outbound, inboundPorts, users } = configOf("", env);
  assert.equal([inbound?.port, outbound?.port], [1043, 1040]);
  assert.equal(inboundPorts, [{ first: 1091, last: 1091 }]);
  assert.equal(users, ["sidecar", "0"]);
});

test("ports become the fewest ranges, the admin port among those inbound", () => {
  const { inboundPorts, outboundPorts } = configOf(
    "--skip-inbound-ports 22,4190,4192-4193,21-25 --skip-outbound-ports 3306,1-65535",
  );
  assert.equal(inboundPorts, [
    { first: 21, last: 25 },
    { first: 4190, last: 4193 },
  ]);
  assert.equal(outboundPorts, [{ first: 1, last: 65_535 }]);
});

test("one direction, and one thing to do", () => {
  assert.is(configOf("--direction inbound").outbound, null);
  assert.is(configOf("--direction outbound --uid 7").inbound, null);
  assert.is(configOf("--apply").task, "apply");
  assert.is(configOf("--remove").task, "remove");
  assert.is(configOf("--check --ipv6=off").task, "check");
});

test("what contradicts itself, cannot work or is not of its kind is refused by its name", () => {
  const odd = Array.from({ length: 300 }, (_, index) => 2 * index + 1).join(",");
  const table: [string, string][] = [
    ["--apply --remove", "--remove"],
    ["--check --apply", "--check"],
    ["--inbound 0.0.0.0:4140", "--outbound"],
    ["--admin 127.0.0.1:4143", "--admin"],
    ["--admin 127.0.0.1:4140", "--admin"],
    ["--inbound 127.0.0.1:4143", "--inbound"],
    ["--inbound [::1]:4143", "--inbound"],
    ["--inbound 0.0.0.0:0", "--inbound"],
    ["--outbound 127.0.0.2:4140", "--outbound"],
    ["--outbound [::1]:4140", "--outbound"],
    ["--outbound 10.0.0.1:4140", "--outbound"],
    ["--admin 127.0.0.1:0", "--admin"],
    ["--direction inbound --uid 7", "--uid"],
    ["--direction inbound --skip-outbound-ports 7", "--skip-outbound-ports"],
    ["--direction outbound --skip-inbound-subnets 10.0.0.0/8", "--skip-inbound-subnets"],
    ["--direction none", "--direction"],
    ["--uid 4294967295", "--uid"],
    ["--uid -1", "--uid"],
    ["--uid 1;flush", "--uid"],
    ["--uid=", "--uid"],
    ["--gid 1}", "--gid"],
    ["--gid a\nflush", "--gid"],
    [`--uid ${Array(17).fill("1").join(" --uid ")}`, "--uid"],
    ["--skip-inbound-ports 0", "--skip-inbound-ports"],
    ["--skip-inbound-ports 9-8", "--skip-inbound-ports"],
    ["--skip-inbound-ports 22}", "--skip-inbound-ports"],
    [`--skip-outbound-ports ${odd}`, "--skip-outbound-ports"],
    ["--skip-outbound-subnets 10.0.0.1/8", "--skip-outbound-subnets"],
    ["--skip-outbound-subnets ::/129", "--skip-outbound-subnets"],
    ["--skip-outbound-subnets 10.0.0.0/8,", "--skip-outbound-subnets"],
    ["--skip-inbound-subnets example.com", "--skip-inbound-subnets"],
    [`--skip-inbound-subnets ${Array(129).fill("::").join(",")}`, "--skip-inbound-subnets"],
    ["--backend pf", "--backend"],
    ["--dry-run", "--dry-run"],
    ["now", "now"],
  ];
  for (const [line, named] of table) {
    const parsed = parseCommandLine(["redirect", ...line.split(" ")], {});
    if (parsed.kind !== "bad") throw new Error(`accepted: ${line}`);
    assert.ok(parsed.message.includes(named), `${line}: ${parsed.message}`);
    assert.not.match(parsed.message, /\n/);
  }
});

test.run();
