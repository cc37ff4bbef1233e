// timeout: 60s
/** What a service manager is told by a sidecar and a control plane, and what when it cannot be told. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as assert from "uvu/assert";
import { type Noticed, ServiceNotices } from "../../src/cli/service-notices.ts";
import { newFolder } from "../control/authority-rig.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { commandLine, startProgram } from "../support/program.ts";
import { ServiceManager } from "../support/service-manager.ts";
import { ROOT } from "../support/sources.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/service-notices");
test.timeout(20_000);

type Rig = {
  readonly manager: ServiceManager;
  readonly notices: ServiceNotices;
  readonly warned: string[];
};

function rig(env: Readonly<Record<string, string>> = {}): Rig {
  const manager = new ServiceManager();
  const warned: string[] = [];
  const log = { warn: (message: string) => void warned.push(message) };
  const notices = ServiceNotices.open(manager.address, { env, log, drainMs: 2_000 });
  if (notices === null) throw new Error("a good address was refused");
  return { manager, notices, warned };
}

function close({ manager, notices }: Rig): void {
  notices.close();
  manager.close();
}

/** Something that is as a test says. */
class Staged implements Noticed {
  missing: string[] = [];
  turns = true;
  reasons(): readonly string[] {
    return this.missing;
  }
  isTurning(): boolean {
    return this.turns;
  }
}

test("READY once it is, STATUS whenever it changes, STOPPING once", async () => {
  const staged = new Staged();
  staged.missing = ["without a\ncertificate", "without a policy"];
  const its = rig();
  const { manager, notices } = its;
  manager.listen();
  notices.begin(staged);
  const first = "STATUS=not ready: without a\\u000acertificate; without a policy";
  assert.equal(manager.lines(), [first]);
  staged.missing = [];
  await eventually(() => manager.count("READY=1") === 1);
  staged.missing = ["expired"];
  await eventually(() => manager.count("STATUS=not ready: expired") === 1);
  staged.missing = [];
  await eventually(() => manager.count("STATUS=ready") === 2);
  notices.drain();
  notices.drain();
  const told = manager.lines();
  assert.equal(told.slice(-3), ["STOPPING=1", "EXTEND_TIMEOUT_USEC=17000000", "STATUS=draining"]);
  assert.is(manager.count("READY=1"), 1);
  assert.is(manager.count("STOPPING=1"), 1);
  assert.is(manager.count("WATCHDOG=1"), 0);
  close(its);
});

test("the watchdog hears of us while all turns, and only if it is ours", async () => {
  const pid = String(process.pid);
  const staged = new Staged();
  const own = rig({ WATCHDOG_USEC: "200000", WATCHDOG_PID: pid });
  const others = rig({ WATCHDOG_USEC: "200000", WATCHDOG_PID: `${pid}0` });
  const unclear = rig({ WATCHDOG_USEC: "soon" });
  for (const { manager, notices } of [own, others, unclear]) {
    manager.listen();
    notices.begin(staged);
  }
  await eventually(() => own.manager.count("WATCHDOG=1") >= 3);
  staged.turns = false;
  const before = own.manager.count("WATCHDOG=1");
  await lapse(400);
  assert.is(own.manager.count("WATCHDOG=1"), before);
  staged.turns = true;
  await eventually(() => own.manager.count("WATCHDOG=1") > before);
  own.notices.drain();
  const draining = own.manager.count("WATCHDOG=1");
  await eventually(() => own.manager.count("WATCHDOG=1") > draining);
  assert.is(others.manager.count("WATCHDOG=1"), 0);
  assert.is(unclear.manager.count("WATCHDOG=1"), 0);
  for (const each of [own, others, unclear]) close(each);
});

test("what could not be said is said later, and the log says once that it could not", async () => {
  const its = rig();
  const { manager, notices, warned } = its;
  notices.begin(new Staged());
  await lapse(250);
  assert.equal(warned, ["the service manager cannot be told"]);
  manager.listen();
  await eventually(() => manager.count("READY=1") === 1);
  close(its);
});

test("a sidecar: ready, a worker that hangs, the end; its application hears of no manager", async () => {
  const manager = new ServiceManager(`@outrigger-notices-${process.pid}`).listen();
  const shell = 'echo "told: [$NOTIFY_SOCKET$WATCHDOG_USEC$WATCHDOG_PID]" >&2; sleep 60';
  const program = await startProgram(["--workers=2", "--", "sh", "-c", shell], {
    NOTIFY_SOCKET: manager.address,
    WATCHDOG_USEC: "400000",
    OUTRIGGER_FAULTS: "1",
  });
  await eventually(() => manager.count("READY=1") === 1);
  assert.is(manager.count("STATUS=ready"), 1);
  await eventually(() => program.log().includes("told: []"));
  const beats = (): number => manager.count("WATCHDOG=1");
  await eventually(() => beats() >= 2);
  assert.is((await program.admin("/fault?worker=1&kind=hang", { method: "POST" })).status, 204);
  // It hangs for three seconds, of which the first is not noticed.
  await eventually(
    async () => {
      const before = beats();
      await lapse(600);
      return beats() === before;
    },
    { withinMs: 3_000, what: "no beat for 600 ms" },
  );
  const before = beats();
  await eventually(() => beats() > before, { withinMs: 5_000 });
  assert.is(await program.stop(), 143);
  assert.is(manager.count("STOPPING=1"), 1);
  assert.is(manager.count("EXTEND_TIMEOUT_USEC=135000000"), 1);
  manager.close();
});

test("a sidecar runs on without a manager, with one that is deaf, and with nonsense", async () => {
  for (const address of ["/nonexistent/socket", "nonsense"]) {
    const program = await startProgram(["--workers=1"], { NOTIFY_SOCKET: address });
    await eventually(() => program.log().includes(" warn "), { what: "a warning" });
    assert.is((await program.admin("/ready")).status, 200);
    assert.is(await program.stop(), 0);
  }
});

test("a control plane: ready, watched, stopping", async () => {
  const manager = new ServiceManager().listen();
  const listeners = ["--listen=127.0.0.1:0", "--admin=127.0.0.1:0"];
  const [command, words] = commandLine(["control", `--dir=${newFolder()}`, ...listeners]);
  const noticed = { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "400000" };
  const env = { ...process.env, ...noticed };
  const child = spawn(command, words, { cwd: ROOT, env, stdio: "ignore" });
  const ended = once(child, "exit");
  await eventually(() => manager.count("READY=1") === 1, { withinMs: 10_000 });
  await eventually(() => manager.count("WATCHDOG=1") >= 3);
  process.kill(child.pid ?? 0, "SIGTERM");
  assert.equal(await ended, [0, null]);
  assert.is(manager.count("STOPPING=1"), 1);
  manager.close();
});

test.run();
