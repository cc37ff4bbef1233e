// timeout: 120s
/**
 * The README's mesh on two machines: two network namespaces with a wire between them. Only names are
 * told; the applications listen on loopback, so whatever passes the wire passes the sidecars. Needs
 * root and iproute2; without them it fails, it is never skipped.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { commandLine } from "../support/program.ts";
import { ROOT } from "../support/sources.ts";
import { suite } from "../support/test.ts";

const A = `outrigger-a-${process.pid}`;
const B = `outrigger-b-${process.pid}`;
const IP_A = "10.78.0.1";
const IP_B = "10.78.0.2";

const test = suite("netns/mesh");
test.timeout(100_000);

const home = mkdtempSync(join(tmpdir(), "outrigger-netns-"));
const children: ChildProcess[] = [];

function run(...line: string[]): string {
  const [command = "", ...args] = line;
  const done = spawnSync(command, args, { encoding: "utf8", timeout: 20_000, cwd: ROOT });
  assert.is(done.status, 0, `${line.join(" ")}: ${done.error?.message ?? done.stderr}`);
  return done.stdout;
}

/** Starts something in a namespace; returns what it has written to stderr so far. */
function start(namespace: string, line: readonly string[], env = {}): () => string {
  const child = spawn("ip", ["netns", "exec", namespace, ...line], {
    cwd: ROOT,
    env: { ...process.env, XDG_STATE_HOME: join(home, namespace), ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  children.push(child);
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  return () => log;
}

function outrigger(...args: string[]): string[] {
  const [command, flags] = commandLine(args);
  return [command, ...flags];
}

test.before(() => {
  run("ip", "netns", "add", A);
  run("ip", "netns", "add", B);
  run("ip", "link", "add", "mesh-a", "netns", A, "type", "veth", "peer", "mesh-b", "netns", B);
  for (const [namespace, link, ip] of [
    [A, "mesh-a", IP_A],
    [B, "mesh-b", IP_B],
  ] as const) {
    run("ip", "-n", namespace, "link", "set", "lo", "up");
    run("ip", "-n", namespace, "addr", "add", `${ip}/24`, "dev", link);
    run("ip", "-n", namespace, "link", "set", link, "up");
  }
});

test.after(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const namespace of [A, B]) {
    const pids = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" }).stdout;
    for (const pid of pids.split("\n").filter((line) => line !== "")) {
      spawnSync("kill", ["-KILL", pid]);
    }
    spawnSync("ip", ["netns", "del", namespace]);
  }
  rmSync(home, { recursive: true, force: true });
});

test("an application on one machine is called by its name from the other, by mutual TLS", async () => {
  start(A, ["node", fileURLToPath(new URL("headers.mjs", import.meta.url))]);
  const control = start(A, outrigger("control", `--advertise=${IP_A}:4142`));
  await eventually(() => / ready /.test(control()), { withinMs: 20_000, what: "control" });
  process.env["XDG_STATE_HOME"] = join(home, A);
  const token = (name: string): string =>
    run(...outrigger("control", "token", "create", `--name=${name}`)).trim();
  const web = start(A, outrigger("run", "--name=web", "--app=127.0.0.1:8000"), {
    OUTRIGGER_TOKEN: token("web"),
  });
  await eventually(() => /announced/.test(web()), { withinMs: 20_000, what: `web: ${web()}` });
  const tokenFile = join(home, "shop.token");
  writeFileSync(tokenFile, token("shop"));
  const [command, flags] = commandLine([
    "run",
    "--name=shop",
    `--token=@${tokenFile}`,
    "--",
    "curl",
    "-sS",
    "-m5",
    "http://web/hello",
  ]);
  process.env["XDG_STATE_HOME"] = join(home, B);
  const said = run("ip", "netns", "exec", B, command, ...flags);
  const who = "shop.default.serviceaccount.identity.outrigger.cluster.local";
  assert.is(said, `GET /hello from ${who}\n`);
  // Nothing else of that machine can be reached from the other.
  const direct = spawnSync("ip", ["netns", "exec", B, "curl", "-m2", `http://${IP_A}:8000/`]);
  assert.is(direct.status, 7, "the application itself is not on the wire");
});

test.run();
