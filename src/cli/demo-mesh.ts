/**
 * The demo's mesh: a control plane, a sidecar for each replica of `web`, one for `shop`, which calls
 * it, each a process of its own that joins by a token. Nothing is configured but names: `shop` finds
 * `web` by the control plane.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../control/authority/fault.ts";
import { createToken } from "../control/authority/tokens.ts";
import { readSettings } from "../control/settings.ts";
import { DemoProcess } from "./demo-process.ts";
import { StartError } from "./start-error.ts";

const TOKEN_TTL_MS = 24 * 3_600_000;
/** Until `shop` has reached `web` for the first time. */
const MEET_TIMEOUT_MS = 15_000;
const MEET_EVERY_MS = 50;

/** A replica that is killed takes requests with it; those that may be sent again are. */
const POLICY = `services:
  web:
    retries: { limit: 2, on: [502-504], backoff: 5ms..50ms }
`;

export class DemoMesh {
  readonly #dir: string;
  readonly #apps: readonly number[];
  readonly #control: DemoProcess;
  readonly replicas: DemoProcess[];
  readonly shop: DemoProcess;

  private constructor(
    dir: string,
    apps: readonly number[],
    processes: { control: DemoProcess; replicas: DemoProcess[]; shop: DemoProcess },
  ) {
    this.#dir = dir;
    this.#apps = apps;
    this.#control = processes.control;
    this.replicas = processes.replicas;
    this.shop = processes.shop;
  }

  /** Starts a replica of `web` for each of the applications' ports. `shopArgs`: more flags of `shop`. */
  static async start(apps: readonly number[], shopArgs: readonly string[]): Promise<DemoMesh> {
    const dir = makeFolder();
    process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
    writeFileSync(join(dir, "policy.yaml"), POLICY);
    const control = await DemoProcess.start("control plane", [
      "control",
      `--dir=${dir}/control`,
      `--policy=${dir}/policy.yaml`,
      "--listen=127.0.0.1:0",
      "--admin=127.0.0.1:0",
    ]);
    const [shop, ...replicas] = await Promise.all([
      startSidecar(dir, "shop", "shop", shopArgs),
      ...apps.map((port, index) => startReplica(dir, index, port)),
    ]);
    const mesh = new DemoMesh(dir, apps, { control, replicas, shop });
    await mesh.#untilTheyMeet();
    return mesh;
  }

  get outboundPort(): number {
    return this.shop.port("outbound");
  }

  kill(index: number): void {
    this.replicas[index]?.kill();
  }

  /** Starts a killed replica again; its application never stopped. */
  async revive(index: number): Promise<void> {
    const app = this.#apps[index];
    if (app !== undefined) this.replicas[index] = await startReplica(this.#dir, index, app);
  }

  /** `shop` first, so that nothing is asked of those who leave. */
  async stop(): Promise<void> {
    await this.shop.stop();
    await Promise.all(this.replicas.map((replica) => replica.stop()));
    await this.#control.stop();
  }

  async #untilTheyMeet(): Promise<void> {
    const deadlineMs = performance.now() + MEET_TIMEOUT_MS;
    for (;;) {
      const view = await (await this.shop.admin("/ready"))?.text();
      const status = await statusOf(this.outboundPort);
      if (status === 200) return;
      if (performance.now() > deadlineMs) {
        throw new Error(`shop does not reach web: ${status ?? "no answer"}; ${view ?? ""}`);
      }
      await new Promise((resolve) => setTimeout(resolve, MEET_EVERY_MS));
    }
  }
}

/** For keys, policy and what the sidecars keep; gone when the demo is over. */
function makeFolder(): string {
  const parent = tmpdir();
  try {
    return mkdtempSync(join(parent, "outrigger-demo-"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`the demo needs a folder in ${parent} (TMPDIR names another): ${reason}`);
  }
}

/** The status of one request for `web` through a sidecar; null when none came. */
function statusOf(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, headers: { host: "web" }, agent: false };
    const sent = request({ ...options, timeout: MEET_TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode ?? null);
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => resolve(null));
    sent.end();
  });
}

function startReplica(dir: string, index: number, app: number): Promise<DemoProcess> {
  return startSidecar(dir, "web", `web-${index}`, [`--app=127.0.0.1:${app}`]);
}

async function startSidecar(
  dir: string,
  name: string,
  stateName: string,
  args: readonly string[],
): Promise<DemoProcess> {
  const flags = [
    "run",
    `--name=${name}`,
    "--inbound=127.0.0.1:0",
    "--outbound=127.0.0.1:0",
    "--admin=127.0.0.1:0",
    `--state-dir=${dir}/${stateName}`,
    "--workers=1",
    "--shutdown-grace=2s",
    ...args,
  ];
  return DemoProcess.start(name, flags, { OUTRIGGER_TOKEN: await tokenFor(dir, name) });
}

async function tokenFor(dir: string, name: string): Promise<string> {
  const settings = readSettings(`${dir}/control`);
  if (settings === null || settings instanceof Fault) throw new Error("the demo has no control");
  const { host, port } = settings.address;
  const { trustDomain } = settings;
  const [namespace, ttlMs, nowMs] = ["default", TOKEN_TTL_MS, Date.now()];
  const request = { name, namespace, trustDomain, host, port, ttlMs, nowMs };
  const token = await createToken(`${dir}/control`, request);
  if (token instanceof Fault) throw new Error(token.reason);
  return token;
}
