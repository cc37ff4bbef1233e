/**
 * 10,000 endpoints and 1,000 watching sidecars at one control plane: ten changes a second for a minute
 * (or --seconds), half of them of a service that everybody watches. The sidecars are connections of
 * Node's own HTTP/2, with two certificates between them. Prints the control plane's memory (500 MB are
 * the limit), how long a change takes to be told, and its longest stall.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { joinMesh, writeCredentials } from "../support/control-caller.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { ControlProcess } from "../support/mesh-rig.ts";

function flag(name: string, fallback: number): number {
  const at = process.argv.indexOf(name);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
}

const seconds = flag("--seconds", 60);
const endpoints = flag("--endpoints", 10_000);
const sidecars = flag("--sidecars", 1_000);
const services = flag("--services", 100);
const watchedEach = flag("--watched", 5);
const changesPerSecond = flag("--changes", 10);
const RSS_BYTES_MAX = 500e6;
const WATCHER_PROCESSES = 2;
/** As many announcing identities as keep each below what one may announce. */
const ANNOUNCERS = ["announcer-a", "announcer-b", "announcer-c"];
const NAME = "control.outrigger.serviceaccount.identity.outrigger.cluster.local";
const START_WITHIN_MS = 240_000;
/** After the last change. */
const SETTLE_MS = 2_000;

type Fact = Readonly<Record<string, unknown>>;

/** A fixture on Node, its lines, and what it is told. */
class Fixture {
  readonly facts: Fact[] = [];
  readonly #child: ChildProcess;

  constructor(file: string, args: readonly (string | number)[]) {
    const path = fileURLToPath(new URL(`fixtures/${file}`, import.meta.url));
    const child = spawn("node", ["--max-old-space-size=4096", path, ...args.map(String)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    process.on("exit", () => child.kill("SIGKILL"));
    createInterface({ input: child.stdout }).on("line", (line) =>
      this.facts.push(JSON.parse(line)),
    );
    this.#child = child;
  }

  say(line: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  end(): void {
    this.#child.stdin?.end();
  }

  find(key: string): Promise<Fact> {
    const find = (): Fact | null => this.facts.find((fact) => fact[key] !== undefined) ?? null;
    return eventually(find, { withinMs: START_WITHIN_MS, what: key });
  }
}

const control = new ControlProcess("24h");
const policy = Array.from(
  { length: services },
  (_, i) => `  s${i}: { announcers: [${ANNOUNCERS.join(", ")}] }\n`,
);
writeFileSync(join(control.dir, "policy.yaml"), `services:\n${policy.join("")}`);
await control.start();
const statusOf = (key: string): number => {
  const text = readFileSync(`/proc/${control.pid}/status`, "utf8");
  return Number(new RegExp(`${key}:\\s+(\\d+)`).exec(text)?.[1]) * 1_024;
};
/** Of all its threads so far, in seconds; the kernel counts hundredths. */
const cpuSeconds = (): number => {
  const fields = readFileSync(`/proc/${control.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
console.log(`control plane: ${megabytes(statusOf("VmRSS"))} at its start`);

const folders = await Promise.all(
  [...ANNOUNCERS, "shop"].map(async (name) => {
    const token = await control.do("token", "create", `--name=${name}`);
    const folder = mkdtempSync(join(tmpdir(), "outrigger-scale-"));
    process.on("exit", () => rmSync(folder, { recursive: true }));
    writeCredentials(folder, await joinMesh(token, name));
    return folder;
  }),
);
let startMs = performance.now();
let startCpu = cpuSeconds();
const took = (): string => {
  const text = `${((performance.now() - startMs) / 1e3).toFixed(1)} s (CPU ${(cpuSeconds() - startCpu).toFixed(1)} s)`;
  [startMs, startCpu] = [performance.now(), cpuSeconds()];
  return text;
};
const announcers = new Fixture("announcers.mjs", [
  control.port,
  NAME,
  endpoints,
  services,
  ...folders.slice(0, -1),
]);
const { announced } = await announcers.find("announced");
console.log(`${announced} endpoints announced in ${took()}: ${megabytes(statusOf("VmRSS"))}`);
const expected = Math.floor(endpoints / services);
const watchers = Array.from({ length: WATCHER_PROCESSES }, () => {
  const count = sidecars / WATCHER_PROCESSES;
  const args = [control.port, NAME, count, services, watchedEach, folders.at(-1) ?? "", expected];
  return new Fixture("watchers.mjs", args);
});
await Promise.all(watchers.map((watcher) => watcher.find("lists")));
console.log(`${sidecars} sidecars have their lists in ${took()}: ${megabytes(statusOf("VmRSS"))}`);

const cpuBefore = cpuSeconds();
const beginMs = performance.now();
for (let change = 1; change <= seconds * changesPerSecond; change++) {
  announcers.say({ change, service: change % 2 === 0 ? 0 : null });
  const dueMs = beginMs + (change * 1e3) / changesPerSecond;
  await lapse(Math.max(0, dueMs - performance.now()));
}
const cpu = (cpuSeconds() - cpuBefore) / ((performance.now() - beginMs) / 1e3);
await lapse(SETTLE_MS);
for (const each of [announcers, ...watchers]) each.end();
const { longestMs, failed } = await announcers.find("longestMs");
const reports = await Promise.all(watchers.map((watcher) => watcher.find("told")));

type Change = { address: number; isThere: boolean; service: number; atMs: number };
type Told = [address: number, isThere: boolean, atMs: number];
const changes = announcers.facts.filter((fact) => fact["change"] !== undefined) as Change[];
const lags: number[] = [];
const told = reports.flatMap((report) => report["told"] as Told[]);
const byAddress = Map.groupBy(changes, ({ address, isThere }) => `${address} ${isThere}`);
for (const [address, isThere, atMs] of told) {
  const before = (byAddress.get(`${address} ${isThere}`) ?? []).filter((c) => c.atMs <= atMs);
  const latest = before.at(-1);
  if (latest === undefined) throw new Error(`${address}: told of what was no change`);
  lags.push(atMs - latest.atMs);
}
lags.sort((a, b) => a - b);
const at = (share: number): string =>
  `${(lags[Math.min(lags.length - 1, Math.floor(lags.length * share))] ?? Number.NaN).toFixed(1)} ms`;
const held = reports.map((report) => report["held"] as Record<string, [number, number]>);
const differing = Object.keys(held[0] ?? {}).filter((service) => {
  const ranges = held.flatMap((each) => each[service] ?? []);
  return Math.min(...ranges) !== Math.max(...ranges);
});
const ends = reports.reduce((sum, report) => sum + Number(report["ends"]), 0);
console.log(
  `${changes.length} changes, told ${told.length} times, CPU ${(cpu * 100).toFixed(0)} %`,
);
console.log(`p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}`);
console.log(`longest stall: ${Number(longestMs).toFixed(1)} ms`);
console.log(`memory: ${megabytes(statusOf("VmRSS"))}, at most ${megabytes(statusOf("VmHWM"))}`);
console.log(`streams ended: ${ends} ${reports[0]?.["end"] ?? ""}, announcements failed: ${failed}`);
if (differing.length > 0) console.log(`watchers DIFFER about ${differing.join(", ")}`);
const isGood =
  ends === 0 && failed === 0 && differing.length === 0 && statusOf("VmHWM") < RSS_BYTES_MAX;
for (const line of control.log.split("\n").filter((each) => / (warn|error) /.test(each))) {
  console.log(line);
}
await control.remove();
console.log(isGood ? "all is well" : "something is WRONG");
process.exit(isGood ? 0 : 1);
