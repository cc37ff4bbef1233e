// timeout: 180s
/**
 * A build, taken to an empty folder: it starts whatever a sidecar is asked for, as a user who may do
 * nothing, with a root that cannot be written to and an empty environment.
 */
import {
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { ended, output } from "../container/command.ts";
import { eventually } from "../support/eventually.ts";
import { ControlProcess } from "../support/mesh-rig.ts";
import {
  commandLine,
  type Program,
  runtimes,
  startProgram,
  thisRuntime,
  useBuild,
} from "../support/program.ts";
import { ROOT } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import { type Built, build, confined, SCRATCH } from "./built.ts";

const test = suite("build");
test.timeout(120_000);

/** All modules with their bytecode. With all of node_modules it would be 200. */
const ADDED_MB_MAX = 14;
/** The modules alone. */
const BUNDLE_MB_MAX = 2;
/** An identity, and then traffic. */
const MEET_MS = 15_000;

let built: Built;
const origin = createServer((_, response) => response.end("hello"));
const control = new ControlProcess("1h");

test.before(async () => {
  built = await build();
  useBuild(built);
  Object.assign(process.env, built.env);
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
});
test.after(async () => {
  origin.close();
  await control.remove();
});

test("it is of its runtime's size, and of this checkout nothing is in it", () => {
  const { program, folder } = built;
  const runtime = thisRuntime === "bun" ? runtimes.bunPath() : runtimes.denoPath();
  if (program !== null) {
    assert.equal(readdirSync(folder), ["outrigger"]);
    const added = (statSync(program).size - statSync(runtime).size) / 1e6;
    assert.ok(added < ADDED_MB_MAX, `${added} MB more than the runtime`);
    assert.not(readFileSync(program).includes(ROOT), "a path of where it was built");
    return;
  }
  const bundle = join(folder, "outrigger.bundle");
  const files = readdirSync(bundle, { recursive: true }).map((name) => join(bundle, `${name}`));
  const scripts = files.filter((file) => file.endsWith(".js"));
  const size = scripts.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6;
  assert.ok(size > 0.5 && size < BUNDLE_MB_MAX, `${size} MB`);
  assert.equal(
    scripts.filter((file) => readFileSync(file).includes(ROOT)),
    [],
  );
  assert.match(built.said, /^outrigger: \S*\/outrigger was not made: /);
  assert.match(built.said, /^What runs: \S*\/outrigger\.sh, /m);
});

test("it says what it is", async () => {
  const [command, args] = commandLine(["version"]);
  // As it is put into a folder of PATH.
  const link = join(built.folder, "link");
  symlinkSync(command, link);
  const line = ["env", "-i", ...variables(), link, ...args];
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  const commit = (await output(["git", "rev-parse", "HEAD"], { cwd: ROOT })).slice(0, 7);
  const about = `outrigger ${version} (commit ${commit}, ${thisRuntime} `;
  const said = await output(line, { cwd: "/" });
  unlinkSync(link);
  assert.is(said.slice(0, about.length), about);
  assert.match(said.slice(about.length), /^\d+\.\d+\.\d+\)\n$/);
});

test("a demo mesh by mutual TLS, with nothing to write to but a folder of its own", async () => {
  const [command, args] = commandLine(["demo", "--duration=2s", "--rate=50", "--plain"]);
  const wrap = confined({ ...built.env, TMPDIR: SCRATCH });
  const { status, stdout, stderr } = await ended([...wrap, command, ...args]);
  const said = stdout + stderr;
  assert.match(said, /^2s \d+ req\/s success=100.00% .* mtls=yes share/m);
  assert.match(said, /^demo over: \d{2,} requests succeeded, 0 failed, \d+ echoes$/m);
  assert.is(status, 0, said);
  const none = await ended([...confined(built.env), command, ...args]);
  assert.is(none.status, 1, none.stderr);
  assert.match(
    none.stderr,
    /^outrigger: the demo needs a folder in \/tmp \(TMPDIR names another\)/,
  );
});

test("two sidecars meet, whatever of their state cannot be kept", async () => {
  await control.start();
  const { port } = origin.address() as AddressInfo;
  const [web, shop] = await Promise.all([
    joined("web", {}, [`--app=127.0.0.1:${port}`]),
    joined("shop", { HOME: "/nonexistent" }, []),
  ]);
  assert.match(web.log(), /nothing is kept across restarts.*HOME is not set: name a --state-dir/);
  assert.match(shop.log(), /\/nonexistent\/\.local\/state\/outrigger/);
  await eventually(async () => (await statusOf(shop.port("outbound"))) === 200, {
    withinMs: MEET_MS,
    what: "shop reaches web",
  });
  const metrics = await (await web.admin("/metrics")).text();
  assert.match(metrics, /^request_total\{direction="inbound",tls="true"/m);
  for (const [words, wanted] of [
    [["check"], /^ok +ready: yes$/m],
    [["identity"], /shop\.default\.serviceaccount/],
    [["stat", "--window=1s"], /web\.default/],
  ] as const) {
    const [command, args] = commandLine([...words, `--admin=127.0.0.1:${shop.port("admin")}`]);
    assert.match(await output([command, ...args]), wanted, words.join(" "));
  }
  assert.equal(await Promise.all([web.stop(), shop.stop()]), [0, 0]);
});

test("an application gets the whole environment, and the folder it is in configures nothing", async () => {
  writeFileSync(join(built.folder, ".env"), "OUTRIGGER_WORKERS=none\n");
  writeFileSync(join(built.folder, "bunfig.toml"), 'preload = ["./none.js"]\n');
  writeFileSync(join(built.folder, "deno.json"), "no JSON\n");
  const listeners = ["inbound", "outbound", "admin"].map((kind) => `--${kind}=127.0.0.1:0`);
  const said = 'test "$GREETING" = hello && test -n "$http_proxy" && exit 7';
  const [command, args] = commandLine(["run", ...listeners, "--", "sh", "-c", said]);
  const { status, stderr } = await ended([command, ...args], {
    cwd: built.folder,
    env: { GREETING: "hello" },
  });
  assert.is(status, 7, stderr);
});

/** A sidecar that can write nowhere. */
async function joined(
  name: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<Program> {
  const token = await control.do("token", "create", `--name=${name}`);
  const wrap = confined({ ...built.env, ...env, OUTRIGGER_TOKEN: token });
  const program = await startProgram([`--name=${name}`, "--workers=1", ...args], {}, wrap);
  await eventually(async () => (await program.admin("/ready")).status === 200, {
    withinMs: MEET_MS,
    what: `${name} is ready: ${program.log()}`,
  });
  return program;
}

function statusOf(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, headers: { host: "web" }, agent: false };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? null);
    });
    sent.on("error", () => resolve(null));
    sent.end();
  });
}

function variables(): string[] {
  return Object.entries(built.env).map(([name, value]) => `${name}=${value}`);
}

test.run();
