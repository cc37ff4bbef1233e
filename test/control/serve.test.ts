// timeout: 60s
/** A control plane within this process, from its start to its end, with a sidecar that watches it. */
import { randomBytes } from "node:crypto";
import * as assert from "uvu/assert";
import { createToken } from "../../src/control/authority/tokens.ts";
import { ControlClient } from "../../src/control/control-client.ts";
import { ControlLink } from "../../src/control/link.ts";
import { type Control, startControl } from "../../src/control/serve.ts";
import { watchTrust } from "../../src/control/trust-watch.ts";
import { JoinSource } from "../../src/identity/join.ts";
import { parseJoinToken } from "../../src/identity/join-token.ts";
import { setRuntimeTimer } from "../../src/identity/source.ts";
import { Logger } from "../../src/lib/log.ts";
import { parseIp } from "../../src/mesh/address.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import { Arena } from "../../src/net/arena.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { newFolder, ok, workload } from "./authority-rig.ts";

const test = suite("control/serve");
test.timeout(30_000);

/** So long that a stop which waits for it does not pass. */
const GRACE_MS = 3_600_000;
const HOUR_MS = 3_600_000;
const ANYWHERE = { host: "127.0.0.1", port: 0 };
const log = new Logger({ level: "error", format: "text" });
const random = (): number => randomBytes(4).readUInt32LE();

function start(dir: string): Promise<Control> {
  const own = { dir, listen: ANYWHERE, advertise: null, admin: ANYWHERE, policyFile: null };
  const times = { lifetimeMs: HOUR_MS, shutdownGraceMs: GRACE_MS };
  return startControl({ ...own, ...times, trustDomain: "cluster.local", logFormat: "text" }, log);
}

function portOf(control: Control, kind: "control" | "admin"): number {
  const line = control.bound.find((each) => each.startsWith(kind));
  return Number(line?.split(":").at(-1));
}

/** A sidecar's side, which finds the control plane by a name with these addresses. */
class Sidecar {
  readonly client: ControlClient;
  readonly link: ControlLink;
  readonly join: JoinSource;
  #credentials: Credentials | null = null;

  constructor(tokenText: string, port: number, ips: readonly string[]) {
    const token = parseJoinToken(tokenText) ?? { refused: "no token" };
    this.client = new ControlClient({
      arena: new Arena(1),
      log,
      resolveHost: async () => ips.flatMap((ip) => parseIp(ip) ?? []),
      address: { host: "control.example", port },
      trustDomain: "cluster.local",
      current: () => this.#credentials,
    });
    this.link = new ControlLink({
      connect: (credentials) => this.client.connect(credentials),
      current: () => this.#credentials,
      awayMs: 0,
      contact: () => {},
      nowMs: () => performance.now(),
      random,
      setTimer: setRuntimeTimer,
      log: { info: () => {}, warn: () => {} },
    });
    this.join = new JoinSource({
      use: (credentials) => {
        this.#credentials = credentials;
      },
      changed: () => {},
      wallMs: Date.now,
      setTimer: setRuntimeTimer,
      log: { info: () => {}, warn: () => {}, error: () => {} },
      identity: workload("web"),
      certify: (request) => this.client.certify(request),
      readToken: () => token,
      nowMs: () => performance.now(),
      random,
      startTimeoutMs: 10_000,
    });
  }

  async stop(): Promise<void> {
    this.join.stop();
    this.link.stop();
    await this.client.stop();
  }
}

async function tokenIn(dir: string): Promise<string> {
  const at = { host: "127.0.0.1", port: 1, trustDomain: "cluster.local" };
  const whose = { name: "web", namespace: "default", ttlMs: HOUR_MS, nowMs: Date.now() };
  return ok(await createToken(dir, { ...at, ...whose }));
}

test("a control plane that stops sends its watchers away instead of waiting for them", async () => {
  const dir = newFolder();
  const control = await start(dir);
  const sidecar = new Sidecar(await tokenIn(dir), portOf(control, "control"), ["127.0.0.1"]);
  await sidecar.join.start();
  sidecar.link.start();
  watchTrust(
    sidecar.link,
    () => [],
    () => {},
  );
  await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${portOf(control, "admin")}/metrics`);
    return (await answer.text()).includes("\noutrigger_control_calls 1\n");
  });
  await control.stop();
  await eventually(() => sidecar.link.state === "away");
  await sidecar.stop();
});

test("a sidecar tries all addresses of a name, and says which name failed", async () => {
  const dir = newFolder();
  const control = await start(dir);
  const port = portOf(control, "control");
  const sidecar = new Sidecar(await tokenIn(dir), port, ["127.0.0.2", "127.0.0.1"]);
  const started = sidecar.join.start();
  await eventually(() => sidecar.join.status.lastError !== null);
  assert.is(sidecar.join.status.lastError, `control.example:${port}: connecting failed: refused`);
  await started;
  assert.equal(sidecar.join.status.refreshes, { ok: 1, failed: 1 });
  await sidecar.stop();
  await control.stop();
});

test.run();
