/**
 * Two network namespaces with a wire between them, as two machines: `here` with the sidecar, `there`
 * with whom it talks to. Needs root, iproute2 and util-linux.
 */
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { commandLine } from "../support/program.ts";
import { ROOT } from "../support/sources.ts";

export const HERE = { v4: "10.79.0.1", v6: "fd79::1" } as const;
export const THERE = { v4: "10.79.0.2", v6: "fd79::2" } as const;

/** The user whose traffic `redirect` leaves alone unless told otherwise. */
export const SIDECAR_USER = "65532";

const ORIGIN = fileURLToPath(new URL("origin.mjs", import.meta.url));
/** For users without a home of their own. */
export const USER_ENV = { HOME: "/tmp", XDG_CACHE_HOME: "/tmp", DENO_DIR: "/tmp/outrigger-deno" };

export class TwoHosts {
  readonly here = `outrigger-here-${process.pid}`;
  readonly there = `outrigger-there-${process.pid}`;
  readonly #children: ChildProcess[] = [];

  constructor() {
    const { here, there } = this;
    run("ip", "netns", "add", here);
    run("ip", "netns", "add", there);
    run("ip", "link", "add", "wire", "netns", here, "type", "veth", "peer", "wire", "netns", there);
    for (const [namespace, { v4, v6 }] of [
      [here, HERE],
      [there, THERE],
    ] as const) {
      run("ip", "-n", namespace, "link", "set", "lo", "up");
      run("ip", "-n", namespace, "addr", "add", `${v4}/24`, "dev", "wire");
      run("ip", "-n", namespace, "-6", "addr", "add", `${v6}/64`, "dev", "wire", "nodad");
      run("ip", "-n", namespace, "link", "set", "wire", "up");
    }
  }

  /** Runs something to its end on one of the hosts. */
  tried(host: string, line: readonly string[], env = {}): SpawnSyncReturns<string> {
    const options = { encoding: "utf8", timeout: 20_000, cwd: ROOT } as const;
    return spawnSync("ip", ["netns", "exec", host, ...line], {
      ...options,
      env: { ...process.env, ...env },
    });
  }

  /** The same, and it must succeed. */
  on(host: string, ...line: string[]): string {
    return outputOf(line, this.tried(host, line));
  }

  /** Runs the program `here`, as root. */
  outrigger(...args: string[]): SpawnSyncReturns<string> {
    const [command, flags] = commandLine(args);
    return this.tried(this.here, [command, ...flags]);
  }

  /** Starts something that runs until the end; returns what it has written to stderr so far. */
  start(host: string, line: readonly string[]): () => string {
    const child = spawn("ip", ["netns", "exec", host, ...line], {
      cwd: ROOT,
      env: { ...process.env, ...USER_ENV },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#children.push(child);
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString();
    });
    return () => log;
  }

  /** Servers on ports 8080, 9090 and 7070 of both hosts, see origin.mjs. */
  async startOrigins(): Promise<void> {
    for (const host of [this.here, this.there]) {
      const log = this.start(host, ["node", ORIGIN]);
      await eventually(() => log().includes("listening"), { withinMs: 10_000, what: log() });
    }
    // The first packet to a neighbour may take as long as the sidecar tries to connect, a second.
    const warm = [...asUser(SIDECAR_USER), "curl", "-sS", "-m5", `http://[${THERE.v6}]:8080/`];
    this.on(this.here, ...warm);
  }

  /** Listens on both stacks: a redirected connection comes to an address of its family. */
  async startSidecar(...args: string[]): Promise<void> {
    const listeners = ["--inbound=[::]:4143", "--outbound=[::]:4140", "--admin=[::]:4191"];
    const [command, flags] = commandLine(["run", "--workers=1", ...listeners, ...args]);
    const log = this.start(this.here, [...asUser(SIDECAR_USER), command, ...flags]);
    await eventually(() => / ready /.test(log()), { withinMs: 20_000, what: "the sidecar" });
  }

  metrics(): string {
    return this.on(this.here, "curl", "-sS", "-m5", "http://127.0.0.1:4191/metrics");
  }

  end(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const host of [this.here, this.there]) {
      const { stdout } = spawnSync("ip", ["netns", "pids", host], { encoding: "utf8" });
      for (const pid of stdout.split("\n").filter((line) => line !== "")) {
        spawnSync("kill", ["-KILL", pid]);
      }
      spawnSync("ip", ["netns", "del", host]);
    }
  }
}

/** To be put before a command. */
export function asUser(id: string): string[] {
  return ["setpriv", "--reuid", id, "--regid", id, "--clear-groups"];
}

function run(...line: string[]): string {
  const [command = "", ...args] = line;
  return outputOf(line, spawnSync(command, args, { encoding: "utf8", timeout: 20_000 }));
}

function outputOf(line: readonly string[], done: SpawnSyncReturns<string>): string {
  assert.is(done.status, 0, `${line.join(" ")}: ${done.error?.message ?? done.stderr}`);
  return done.stdout;
}
