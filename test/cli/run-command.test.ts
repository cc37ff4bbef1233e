// timeout: 90s
/** `outrigger run -- COMMAND`: when it starts, what it is given, and how both end. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { applicationEnvironment } from "../../src/cli/application-environment.ts";
import { runConfig } from "../../src/cli/config.ts";
import { runCommand } from "../../src/cli/run-command.ts";
import { formatJoinToken } from "../../src/identity/join-token.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { commandLine, type Program, startProgram } from "../support/program.ts";
import { fixedOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { runTool } from "../support/tool.ts";

const test = suite("cli/run-command");
test.timeout(30_000);

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const PORTS = ["--inbound=127.0.0.1:0", "--outbound=127.0.0.1:0", "--admin=127.0.0.1:0"];
/** A shell that goes on whatever SIGTERM says, and tells its number. */
const STUBBORN = 'trap "" TERM; echo pid=$$ >&2; while :; do sleep 0.05; done';

/** Runs a command to its end. */
async function end(...command: string[]): Promise<{ status: number | null; output: string }> {
  const [program, words] = commandLine(["run", ...PORTS, "--workers=1", "--", ...command]);
  return await runTool(program, words);
}

async function startShell(script: string, ...args: string[]): Promise<Program> {
  const program = await startProgram(["--workers=1", ...args, "--", "sh", "-c", script]);
  await eventually(() => /pid=\d+/.test(program.log()), { withinMs: 5_000 });
  return program;
}

const pidOf = (program: Program): number => Number(/pid=(\d+)/.exec(program.log())?.[1]);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("only run takes a command, and wants one behind --", () => {
  const command = (...argv: string[]): unknown => {
    const configured = runConfig(argv, {});
    return configured.ok ? configured.config.command : configured.message;
  };
  assert.is(command("--app=h:1"), null);
  assert.equal(command("--app=h:1", "--", "a", "--name", "--", ""), ["a", "--name", "--", ""]);
  assert.match(command("--") as string, /^outrigger: --: expected a command/);
  assert.match(command("--", "") as string, /^outrigger: --: expected a command/);
});

test("the application gets the proxy, keeps what goes past it, and not the token", () => {
  const url = "http://127.0.0.1:4140";
  const bare = applicationEnvironment({ OUTRIGGER_TOKEN: "secret", HTTP_PROXY: "x", A: "1" }, url);
  assert.equal(bare, {
    A: "1",
    HTTP_PROXY: url,
    http_proxy: url,
    NO_PROXY: "localhost,127.0.0.1,::1",
    no_proxy: "localhost,127.0.0.1,::1",
  });
  const own = applicationEnvironment({ NO_PROXY: "db" }, url);
  assert.is(own["NO_PROXY"], "db");
  assert.is(own["no_proxy"], "db");
  const both = applicationEnvironment({ NO_PROXY: "a", no_proxy: "" }, url);
  assert.is(both["NO_PROXY"], "a");
  assert.is(both["no_proxy"], "");
});

test("a job's status is ours, so is the signal that ended it, and a command that cannot start", async () => {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-command-"));
  const plain = join(folder, "plain");
  writeFileSync(plain, "#!/bin/sh\n");
  chmodSync(plain, 0o644);
  const table: [string[], number, RegExp][] = [
    [["sh", "-c", 'echo "to $http_proxy" >&2; exit 0'], 0, /^to http:\/\/127\.0\.0\.1:\d+$/m],
    [["sh", "-c", "cat; exit 3"], 3, /application has ended/],
    [["sh", "-c", "kill -KILL $$"], 137, /SIGKILL/],
    [["no-such-command"], 127, /^outrigger: "no-such-command": command not found$/m],
    [[plain], 126, /^outrigger: "\/.*plain": cannot be started: EACCES$/m],
  ];
  const ends = await Promise.all(table.map(async ([command]) => await end(...command)));
  for (const [index, [command, status, output]] of table.entries()) {
    const ended = ends[index];
    assert.is(ended?.status, status, `${command.join(" ")}: ${ended?.output}`);
    assert.match(ended?.output ?? "", output);
  }
  rmSync(folder, { recursive: true });
});

test("SIGTERM: requests in flight are answered, then the application ends, with its way out open", async () => {
  const origin = await fixedOrigin(OK);
  const port = await freePort();
  const program = await startProgram([
    "--workers=2",
    `--app=127.0.0.1:${port}`,
    `--upstream=web=127.0.0.1:${origin.port}`,
    ...["--", "node", "test/support/application.mjs", String(port)],
  ]);
  const told = (): string[] => [...program.log().matchAll(/^app: (.*)$/gm)].map(([, t = ""]) => t);
  await eventually(() => told().includes("first 200"), { withinMs: 5_000 });
  const inbound = program.port("inbound");
  let answered = "";
  const until = (text: string): boolean => {
    answered = text;
    return false;
  };
  const idle = send(inbound, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", { until, withinMs: 10_000 });
  const slow = send(inbound, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", { withinMs: 10_000 });
  await eventually(() => told().includes("slow") && answered.endsWith("\r\n\r\nok"));
  const stopped = program.stop();
  assert.is((await idle).end, "fin");
  // Nothing new comes in, what goes out does, and the application knows of nothing.
  await eventually(async () => (await send(inbound, "x", { withinMs: 500 })).end === "reset");
  const out = await send(program.port("outbound"), "GET / HTTP/1.1\r\nHost: web\r\n\r\n", {
    until: (text) => text.endsWith("ok"),
  });
  assert.match(out.text, /^HTTP\/1.1 200 [\s\S]*ok$/);
  assert.not.match(out.text, /Connection: close/i);
  assert.equal(told(), ["first 200", "slow"]);
  await send(port, "GET /release HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.match((await slow).text, /^HTTP\/1.1 200 [\s\S]*Connection: close[\s\S]*slow/i);
  assert.is(await stopped, 5, program.log());
  assert.equal(told(), ["first 200", "slow", "answered", "SIGTERM", "last 200"]);
  await origin.close();
});

test("an application that does not end is killed when the grace is over", async () => {
  const program = await startShell(STUBBORN, "--shutdown-grace=600ms");
  assert.is(await program.stop(), 137);
  assert.match(program.log(), "the application is killed");
  assert.not.ok(existsSync(`/proc/${pidOf(program)}`));
});

test("a second signal ends both at once", async () => {
  const program = await startShell(STUBBORN);
  const first = program.stop();
  await lapse(400);
  process.kill(program.child.pid ?? 0, "SIGINT");
  assert.is(await first, 130);
  await eventually(() => !existsSync(`/proc/${pidOf(program)}`));
});

test("the application's own signals are passed on, and no descriptor of ours is", async () => {
  const wait = "echo pid=$$ >&2; while :; do sleep 0.05; done";
  for (const [signal, name] of [
    ["SIGUSR2", "USR2"],
    ["SIGHUP", "HUP"],
  ] as const) {
    const program = await startShell(`trap "exit 9" ${name}; ${wait}`);
    const files = `/proc/${pidOf(program)}/fd`;
    const sockets = readdirSync(files).filter((fd) => /socket|event/.test(linkOf(files, fd)));
    // Its stderr is the test's: a socket on some runtimes.
    assert.ok(
      sockets.every((fd) => Number(fd) <= 2),
      sockets.join(),
    );
    process.kill(program.child.pid ?? 0, signal);
    assert.is(await program.exited, 9, signal);
  }
});

function linkOf(folder: string, fd: string): string {
  try {
    return readlinkSync(join(folder, fd));
  } catch {
    return "";
  }
}

test("without a certificate the application does not start; SIGTERM ends the wait", async () => {
  const token = formatJoinToken({
    host: "127.0.0.1",
    port: await freePort(),
    trustDomain: "cluster.local",
    pins: [new Uint8Array(32)],
    id: new Uint8Array(8),
    secret: new Uint8Array(32),
  });
  const args = ["--name=web", "--workers=1", "--", "sh", "-c", "echo started >&2"];
  const program = await startProgram(args, { OUTRIGGER_TOKEN: token });
  await eventually(() => /no certificate was issued/.test(program.log()), { withinMs: 5_000 });
  const answer = await program.admin("/ready?verbose");
  assert.is(answer.status, 503);
  const why = /reason: without a valid certificate: 127.0.0.1:\d+: connecting failed/;
  assert.match(await answer.text(), why);
  assert.match(program.log(), /warn {2}not ready yet reason="without a valid certificate/);
  assert.not.match(program.log(), /info {2}ready /);
  assert.is(await program.stop(), 143, program.log());
  assert.not.match(program.log(), "started");
});

test("a sidecar that does not get ready in time says why, and starts nothing", async () => {
  const stops: number[] = [];
  const running = runCommand({
    command: ["sh", "-c", "exit 0"],
    graceMs: 1_000,
    sidecar: {
      outboundUrl: "http://127.0.0.1:1",
      reasons: () => ["without a valid certificate"],
      drainInbound: () => Promise.resolve(),
      stop: (maxMs = -1) => {
        stops[stops.length] = maxMs;
        return Promise.resolve();
      },
    },
    log: { info: () => {}, warn: () => {} },
    asked: new Promise(() => {}),
    readyWithinMs: 50,
  });
  const message = await running.then(String, (error: Error) => error.message);
  const why = "not ready within 50ms: without a valid certificate; the application was not started";
  assert.is(message, why);
  assert.equal(stops, [0]);
});

test.run();
