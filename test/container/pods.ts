/** A mesh of containers: a control plane, and pods with an init container and a sidecar each. */
import { type StdioOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";
import { output } from "./command.ts";
import { IMAGE } from "./image.ts";
import { type Made, removeLeftovers } from "./leftovers.ts";
import { inside, type Namespace, Network } from "./network.ts";
import { Podman } from "./podman.ts";

/** As a container is to be run: it may write where its state is, and nowhere else. */
export const LOCKED: readonly string[] = [
  "--read-only",
  "--read-only-tmpfs=false",
  "--cap-drop=all",
];

/** In a session of its own, so that whoever ends this process and its group does not end that too. */
function startReaper({ folder, label }: Made): void {
  const path = fileURLToPath(new URL("reaper.ts", import.meta.url));
  const stdio: StdioOptions = ["pipe", "ignore", "ignore"];
  spawn(process.execPath, [path, folder, label], { detached: true, stdio }).unref();
}

export class Pods {
  readonly podman: Podman;
  readonly network: Network;
  readonly #made: Made;

  constructor() {
    const label = `outrigger-${process.pid}`;
    this.network = new Network(label);
    this.podman = new Podman(label);
    this.#made = { folder: this.podman.folder, label };
    startReaper(this.#made);
  }

  /** Ends all containers and takes everything away. */
  remove(): void {
    removeLeftovers(this.#made);
  }

  /** Starts the image with flags of `podman run` and arguments of its own. */
  async start(
    name: string,
    to: Namespace,
    flags: readonly string[],
    args: readonly string[],
  ): Promise<void> {
    const named = ["--detach", `--name=${name}`, "--security-opt=no-new-privileges"];
    await this.podman.do([
      ...this.podman.runArgs(to.name),
      ...named,
      ...LOCKED,
      ...flags,
      IMAGE,
      ...args,
    ]);
  }

  async startControl(to: Namespace): Promise<void> {
    const flags = ["--env=OUTRIGGER_ADMIN=127.0.0.1:4192"];
    await this.start("control", to, flags, ["control", `--advertise=${to.ip}:4142`]);
    await this.logged("control", / ready/);
  }

  /** The init container redirects, then the sidecar runs. */
  async startPod(
    name: string,
    to: Namespace,
    flags: readonly string[],
    args: readonly string[],
  ): Promise<void> {
    const init = ["--rm", "--user=0", ...LOCKED, "--cap-add=NET_ADMIN", IMAGE];
    await this.podman.do([...this.podman.runArgs(to.name), ...init, "redirect", "--apply"]);
    const create = ["/outrigger", "control", "token", "create", `--name=${name}`];
    const token = (await this.podman.do(["exec", "control", ...create])).trim();
    const joined = [`--env=OUTRIGGER_TOKEN=${token}`, ...flags];
    await this.start(name, to, joined, ["run", `--name=${name}`, ...args]);
  }

  /** Waits until a container has written what is looked for; returns all it has written. */
  logged(name: string, pattern: RegExp): Promise<string> {
    const look = async (): Promise<string> => {
      const log = await this.podman.log(name);
      if (!pattern.test(log)) throw new Error(`${name} has written only: ${log}`);
      return log;
    };
    return eventually(look, { withinMs: 20_000, what: `${name} writes ${pattern}` });
  }

  /** Runs curl in a namespace, as one of the applications there. */
  curl(from: Namespace, ...args: readonly string[]): Promise<string> {
    return output(inside(from, "curl", "-sS", "-m10", ...args));
  }

  /** Of the sidecar in a namespace. */
  metrics(of: Namespace): Promise<string> {
    return this.curl(of, "http://127.0.0.1:4191/metrics");
  }

  /** `0 healthy`: what the health check exits with, and what that makes of the container. */
  async health(name: string): Promise<string> {
    const { status } = await this.podman.ended(["healthcheck", "run", name]);
    return `${status} ${(await this.podman.inspect(name)).State.Health?.Status}`;
  }

  /** Ends a container as its users do; returns its exit status. */
  async stop(name: string): Promise<number> {
    await this.podman.do(["stop", "--time=30", name], { withinMs: 40_000 });
    return (await this.podman.inspect(name)).State.ExitCode;
  }
}
