/** Takes away all that a mesh of containers has made, whatever state it is in. All that fails is let be. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const CGROUPS = "/sys/fs/cgroup";
/** Containers are killed, so this is for disks. */
const WITHIN_MS = 30_000;

export type Made = {
  /** podman's storage and settings, and whatever else is in there. */
  readonly folder: string;
  /** What the names of namespaces and the cgroup begin with. */
  readonly label: string;
};

/** What leads podman to its settings in a folder. */
export function podmanEnv(folder: string) {
  return {
    CONTAINERS_CONF: join(folder, "containers.conf"),
    CONTAINERS_STORAGE_CONF: join(folder, "storage.conf"),
  };
}

export function removeLeftovers({ folder, label }: Made): void {
  removeNamespaces(label);
  // Without the folder podman would take the machine's own containers for them.
  if (existsSync(folder)) {
    podman(folder, ["rm", "--force", "--all", "--volumes", "--time=0"]);
    podman(folder, ["rmi", "--force", "--all"]);
    unmountBelow(folder);
    rmSync(folder, { recursive: true, force: true });
  }
  removeCgroups(label);
}

function podman(folder: string, args: readonly string[]): void {
  const settings = podmanEnv(folder);
  if (!Object.values(settings).every((path) => existsSync(path))) return;
  const env = { ...process.env, ...settings };
  spawnSync("podman", args, { env, timeout: WITHIN_MS });
}

/** And what runs in them. */
function removeNamespaces(label: string): void {
  for (const line of output("ip", "netns", "list")) {
    const name = line.split(" ")[0] ?? "";
    if (!name.startsWith(`${label}-`)) continue;
    for (const pid of output("ip", "netns", "pids", name)) spawnSync("kill", ["-KILL", pid]);
    spawnSync("ip", ["netns", "del", name]);
  }
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

function output(command: string, ...args: readonly string[]): readonly string[] {
  const { stdout } = spawnSync(command, args, { encoding: "utf8", timeout: WITHIN_MS });
  return (stdout ?? "").split("\n").filter((line) => line !== "");
}
