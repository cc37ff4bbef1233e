/**
 * A small mesh of real programs: a control plane, `web` (nginx over HTTP/2 behind it), `db` (a TCP
 * echo behind it) and `shop`, whose sidecar calls both. All join by tokens.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Origin, startNginx } from "../conformance/nginx.ts";
import { eventually } from "./eventually.ts";
import { commandLine, type Program, startProgram } from "./program.ts";
import { ROOT } from "./sources.ts";
import { runTool } from "./tool.ts";

/** The control plane as a process that can be stopped and started again on the same port. */
export class ControlProcess {
  readonly dir = mkdtempSync(join(tmpdir(), "outrigger-control-"));
  readonly #lifetime: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #text = "";
  port = 0;

  constructor(lifetime: string, args: readonly string[] = []) {
    this.#lifetime = lifetime;
    this.#args = args;
    process.on("exit", () => this.#child?.kill("SIGKILL"));
  }

  get log(): string {
    return this.#text;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const [command, flags] = commandLine([
      "control",
      `--dir=${this.dir}`,
      `--listen=127.0.0.1:${this.port}`,
      "--admin=127.0.0.1:0",
      `--certificate-lifetime=${this.#lifetime}`,
      ...this.#args,
    ]);
    const before = this.#text.length;
    const child = spawn(command, flags, { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
    });
    await eventually(() => / ready /.test(this.#text.slice(before)) || child.exitCode !== null, {
      withinMs: 15_000,
      what: "the control plane is ready",
    });
    if (child.exitCode !== null) throw new Error(`the control plane ended: ${this.#text}`);
    this.port = Number(/listening: control \S*:(\d+)/.exec(this.#text)?.[1]);
  }

  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** As a crash would end it. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    const exited = new Promise((resolve) => child.on("exit", resolve));
    process.kill(child.pid ?? 0, signal);
    await exited;
  }

  /** Runs `outrigger control WORDS --dir …` and returns what it printed. Throws when it fails. */
  async do(...words: readonly string[]): Promise<string> {
    const [command, flags] = commandLine(["control", ...words, `--dir=${this.dir}`]);
    const { status, output } = await runTool(command, flags);
    if (status !== 0) throw new Error(output.trim());
    return output.trim();
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export type Mesh = {
  readonly control: ControlProcess;
  readonly web: Program;
  readonly db: Program;
  readonly shop: Program;
  /** Where clients reach `web` over HTTP (Host: web) and `db` over TCP. */
  readonly httpPort: number;
  readonly tcpPort: number;
  stop(): Promise<void>;
};

export async function startMesh(lifetime: string): Promise<Mesh> {
  const control = new ControlProcess(lifetime);
  await control.start();
  const origin: Origin = await startNginx();
  const echo = await startEcho();
  const joined = async (name: string, args: readonly string[]): Promise<Program> => {
    const token = await control.do("token", "create", `--name=${name}`);
    const program = await startProgram([`--name=${name}`, "--workers=2", ...args], {
      OUTRIGGER_TOKEN: token,
    });
    await eventually(async () => (await program.admin("/ready")).status === 200, {
      withinMs: 10_000,
      what: `${name} has a certificate`,
    });
    return program;
  };
  const web = await joined("web", [`--app=h2:127.0.0.1:${origin.http2Port}`]);
  const db = await joined("db", [`--app=127.0.0.1:${echo.port}`]);
  const shop = await joined("shop", [
    `--upstream=web=sidecar:web@127.0.0.1:${web.port("inbound")}`,
    `--upstream=db=sidecar:db:${echo.port}@127.0.0.1:${db.port("inbound")}`,
    "--forward=127.0.0.1:0=db:1",
  ]);
  return {
    control,
    web,
    db,
    shop,
    httpPort: shop.port("outbound"),
    tcpPort: shop.port("forward"),
    stop: async () => {
      const codes = await Promise.all([shop, web, db].map((program) => program.stop()));
      await control.remove();
      await origin.stop();
      echo.server.close();
      if (codes.some((code) => code !== 0)) throw new Error(`exit codes ${codes.join()}`);
    },
  };
}

async function startEcho(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  return { server, port };
}
