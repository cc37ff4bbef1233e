/**
 * podman with storage, settings and cgroups of its own, so that the machine's containers are neither
 * used nor touched and everything can be taken away again.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandOptions, type Done, ended, output } from "./command.ts";

const CGROUPS = "/sys/fs/cgroup";

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
  readonly #cgroup = `outrigger-${process.pid}`;
  readonly #env: Readonly<Record<string, string>>;

  constructor() {
    for (const name of ["root", "run", "tmp", "networks"]) mkdirSync(join(this.folder, name));
    const settings = join(this.folder, "containers.conf");
    const storage = join(this.folder, "storage.conf");
    writeFileSync(settings, settingsText(this.folder));
    writeFileSync(storage, storageText(this.folder));
    this.#env = { CONTAINERS_CONF: settings, CONTAINERS_STORAGE_CONF: storage };
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

  /** Ends all containers and takes everything away. Also while the process ends, hence in one go. */
  remove(): void {
    if (!existsSync(this.folder)) return;
    const env = { ...process.env, ...this.#env };
    for (const args of [
      ["rm", "--force", "--all", "--volumes", "--time=0"],
      ["rmi", "--force", "--all"],
    ]) {
      spawnSync("podman", args, { env, timeout: 30_000 });
    }
    unmountBelow(this.folder);
    rmSync(this.folder, { recursive: true, force: true });
    removeCgroups(this.#cgroup);
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

/** What containers left mounted, the innermost first. */
function unmountBelow(folder: string): void {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const below = mounts.map((line) => line.split(" ")[1] ?? "");
  for (const mount of below.filter((path) => path.startsWith(`${folder}/`)).reverse()) {
    spawnSync("umount", ["--lazy", mount]);
  }
}

/** In each hierarchy of cgroups v1, or the one of v2; podman leaves those above its containers. */
function removeCgroups(name: string): void {
  for (const each of ["", ...readdirSync(CGROUPS)]) {
    const folder = join(CGROUPS, each, name);
    if (existsSync(folder)) removeCgroup(folder);
  }
}

function removeCgroup(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch {
    // It has gone, or another name for the same hierarchy has been there first.
  }
}
