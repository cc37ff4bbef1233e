/**
 * podman with storage, settings and cgroups of its own, so that the machine's containers are neither
 * used nor touched and everything can be taken away again.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandOptions, type Done, ended, output } from "./command.ts";
import { podmanEnv } from "./leftovers.ts";

export type Inspected = {
  readonly State: {
    readonly Pid: number;
    readonly ExitCode: number;
    readonly StartedAt: string;
    readonly Health?: { readonly Status: string };
  };
};

export class Podman {
  /** For whatever else belongs to these containers. Short: sockets are in it. */
  readonly folder = mkdtempSync(join(tmpdir(), "outrigger-pod-"));
  readonly #cgroup: string;
  readonly #env: ReturnType<typeof podmanEnv>;

  constructor(label: string) {
    this.#cgroup = label;
    this.#env = podmanEnv(this.folder);
    for (const name of ["root", "run", "tmp", "networks"]) mkdirSync(join(this.folder, name));
    writeFileSync(this.#env.CONTAINERS_CONF, settingsText(this.folder));
    writeFileSync(this.#env.CONTAINERS_STORAGE_CONF, storageText(this.folder));
  }

  /** Returns what `podman ARGS` printed; rejects when it fails. */
  do(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return output(["podman", ...args], { ...options, env: this.#env });
  }

  /** As `do`, however it ends. */
  ended(args: readonly string[]): Promise<Done> {
    return ended(["podman", ...args], { env: this.#env });
  }

  /** The arguments of `podman run` for the network namespace of that name. */
  runArgs(namespace: string): readonly string[] {
    const network = `ns:/var/run/netns/${namespace}`;
    return ["run", `--cgroup-parent=/${this.#cgroup}`, `--network=${network}`];
  }

  async inspect(name: string): Promise<Inspected> {
    const [inspected] = JSON.parse(await this.do(["inspect", name])) as Inspected[];
    if (inspected === undefined) throw new Error(`there is no ${name}`);
    return inspected;
  }

  /** What a container has written to stdout and stderr. */
  async log(name: string): Promise<string> {
    const { stdout, stderr } = await this.ended(["logs", name]);
    return stdout + stderr;
  }
}

/** As containers get it: podman's own default is more than some machines let anybody have. */
const PROCESSES_MAX = 4_096;

/** runc, as crun refuses machines that have both versions of cgroups. */
function settingsText(folder: string): string {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const files = /^Max open files +\S+ +(\d+)/m.exec(limits)?.[1] ?? "1024";
  const ulimits = [`nofile=${files}:${files}`, `nproc=${PROCESSES_MAX}:${PROCESSES_MAX}`];
  return `
    [containers]
    default_ulimits = ${JSON.stringify(ulimits)}
    log_driver = "k8s-file"
    [engine]
    runtime = "runc"
    cgroup_manager = "cgroupfs"
    events_logger = "none"
    lock_type = "file"
    static_dir = "${folder}/root/libpod"
    volume_path = "${folder}/root/volumes"
    tmp_dir = "${folder}/tmp"
    image_copy_tmp_dir = "${folder}/tmp"
    [network]
    network_config_dir = "${folder}/networks"
  `;
}

function storageText(folder: string): string {
  return `
    [storage]
    driver = "overlay"
    graphroot = "${folder}/root"
    runroot = "${folder}/run"
  `;
}
