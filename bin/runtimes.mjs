// What every command here needs: packages installed, the two runtimes found, a child run to its end.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * What the program may do on Deno, from a checkout, as a bundle and compiled alike. Files, hosts and
 * commands are for its user to name, and an application is given the whole environment. FFI cannot be
 * narrowed to libc and OpenSSL: with a list of libraries Deno refuses callbacks (ALPN is one) and views
 * of memory. What is left out: /proc, /sys and /dev, code from elsewhere, and most of what `sys` tells.
 */
export const denoPermissions = [
  ...["--no-prompt", "--deny-import", "--allow-ffi", "--allow-net", "--allow-env", "--allow-run"],
  ...["--allow-read", "--allow-write", "--allow-sys=networkInterfaces,uid"],
];

/** Tests look into /proc themselves. */
const denoTestPermissions = ["--no-prompt", "--allow-all"];

/** Installs what package.json lists when something is missing; `dev` asks for the tools too. */
export function ensureInstalled({ dev = false } = {}) {
  if (isInstalled(dev)) return;
  withLock(() => isInstalled(dev) || install());
}

function isInstalled(dev) {
  const { dependencies, devDependencies } = manifest(root);
  const wanted = Object.entries({ ...dependencies, ...(dev ? devDependencies : {}) });
  return wanted.every(
    ([name, version]) => manifest(join(root, "node_modules", name))?.version === version,
  );
}

/** Two commands that are started at once must not both run npm. Whoever held the lock may be dead. */
function withLock(work) {
  const path = join(root, ".installing");
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (!isAlive(path)) rmSync(path, { force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  process.on("exit", () => rmSync(path, { force: true }));
  work();
  rmSync(path, { force: true });
}

function isAlive(path) {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    // Empty for the moment between making and writing it.
    return pid === 0 || process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

function install() {
  const hasLock = existsSync(join(root, "package-lock.json"));
  console.error("outrigger: installing packages");
  let npm = npmRun(hasLock ? "ci" : "install");
  // npm writes a lock file without the packages of other platforms that it could not see, and then
  // refuses it as incomplete. `install` keeps what is locked and adds the rest.
  if (hasLock && /\bEUSAGE\b/.test(npm.stderr)) npm = npmRun("install", "--no-save");
  if (npm.status === 0) return;
  fail(`npm failed\n${npm.error?.message ?? `${npm.stdout}${npm.stderr}`}`);
}

function npmRun(...args) {
  return spawnSync("npm", [...args, "--loglevel=error"], { cwd: root, encoding: "utf8" });
}

/**
 * The native Bun. npm 11 runs no install scripts, so the binary is taken from its own package, of
 * which npm installs the one that fits the machine.
 */
export function bunPath() {
  const name = `bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}`;
  return find("bun", [name, `${name}-musl`], "@oven", "bin/bun");
}

/** The native Deno, which has no musl build. */
export function denoPath() {
  const libc = process.platform === "linux" ? "-glibc" : "";
  return find("deno", [`${process.platform}-${process.arch}${libc}`], "@deno", "deno");
}

/** The command line that runs the program, or a file of its kind, on a runtime, "bun" or "deno". */
export function commandFor(runtime, file, args = [], permissions = denoPermissions) {
  if (runtime === "bun") return [bunPath(), [file, ...args]];
  if (runtime === "deno") return [denoPath(), ["run", ...permissions, file, ...args]];
  return fail(`unknown runtime ${JSON.stringify(runtime)}: expected bun or deno`);
}

/** The same for a test. */
export function testCommandFor(runtime, file, args = []) {
  return commandFor(runtime, file, args, denoTestPermissions);
}

/** Takes `--NAME VALUE` or `--NAME=VALUE` out of the arguments. */
export function takeFlag(args, name, fallback) {
  const at = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  if (at === -1) return fallback;
  const [flag] = args.splice(at, 1);
  if (flag !== name) return flag.slice(name.length + 1);
  const [value] = args.splice(at, 1);
  return value ?? fail(`${name}: expected a value`);
}

/** Runs a child on this terminal, passes signals on, and ends as it ends. */
export function run([command, args]) {
  const child = spawn(command, args, { stdio: "inherit", env: childEnv });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]) {
    let lastMs = Number.NEGATIVE_INFINITY;
    process.on(signal, () => {
      // On a terminal Ctrl-C, or Ctrl-\, reaches the whole group, the child too; npm then passes it
      // on again.
      // A second signal means "at once" to outrigger, so an echo must not become one.
      const isTyped = signal === "SIGINT" || signal === "SIGQUIT";
      if (isTyped && process.stdin.isTTY) return;
      if (performance.now() - lastMs < 300) return;
      lastMs = performance.now();
      child.kill(signal);
    });
  }
  child.on("error", (error) => fail(`${command}: ${error.message}`));
  child.on("exit", (status, signal) => process.exit(status ?? 128 + constants.signals[signal]));
}

export const childEnv = { ...process.env, DENO_NO_UPDATE_CHECK: "1" };

export function fail(message) {
  console.error(`outrigger: ${message}`);
  process.exit(1);
}

function find(name, packages, scope, inside) {
  const candidates = [
    ...packages.map((folder) => join(root, "node_modules", scope, folder, inside)),
    join(root, "node_modules/.bin", name),
    ...(process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)),
  ];
  return candidates.find(existsSync) ?? fail(`${name} was not found; run npm ci`);
}

function manifest(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  } catch {
    return null;
  }
}
