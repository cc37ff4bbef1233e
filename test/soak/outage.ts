/**
 * A mesh whose control plane is killed for five minutes (or --seconds) under traffic: nothing may
 * fail, a replica and then the caller's own sidecar are restarted meanwhile, and nothing may fail after
 * that either; --mixed has the replicas of the other runtime.
 */
import { startNginx } from "../conformance/nginx.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { type HttpReport, h2load } from "../support/mesh-load.ts";
import { MemberMesh } from "../support/mesh-members.ts";
import { otherRuntime, thisRuntime } from "../support/program.ts";

function flag(name: string, fallback: string): string {
  const at = process.argv.indexOf(name);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

const seconds = Number(flag("--seconds", "300"));
const rate = Number(flag("--rate", "500"));
const webRuntime = process.argv.includes("--mixed") ? otherRuntime : thisRuntime;

const origin = await startNginx();
const mesh = new MemberMesh("24h");
await mesh.control.start();
const app = `--app=h2:127.0.0.1:${origin.http2Port}`;
const [first] = [
  await mesh.add("web", [app], webRuntime),
  await mesh.add("web", [app], webRuntime),
];
const shop = await mesh.add("shop", []);
const port = shop.program.port("outbound");
await eventually(async () => (await h2load(port, 10, 1, ["--h1"])).ok === 10, { withinMs: 20_000 });

/** Half of the rate in each version; says what came of it. */
async function load(what: string, lengthS: number): Promise<boolean> {
  const reports = await Promise.all([
    h2load(port, rate / 2, lengthS, ["--h1"]),
    h2load(port, rate / 2, lengthS, []),
  ]);
  const isWhole = reports.every(({ ok, sent }) => ok === sent);
  const text = (report: HttpReport): string => `${report.ok} of ${report.sent} (${report.codes})`;
  console.log(`${what}: HTTP/1 ${text(reports[0])}, HTTP/2 ${text(reports[1])}`);
  return isWhole;
}

const results: boolean[] = [];
results.push(await load("before", 5));
await mesh.control.kill();
console.log("the control plane was killed");
const [half] = await Promise.all([
  load("away, a replica is restarted after a third", Math.floor(seconds / 2)),
  lapse((seconds * 1_000) / 6).then(() => first.restart()),
]);
results.push(half);
await shop.restart();
console.log(`shop was restarted: ${await (await shop.program.admin("/ready?verbose")).text()}`);
results.push(await load("away, after the restart", Math.ceil(seconds / 2)));
const [back] = await Promise.all([
  load("the control plane comes back", 15),
  lapse(3_000).then(() => mesh.control.start()),
]);
results.push(back);
console.log(await (await shop.program.admin("/ready?verbose")).text());
await mesh.stop();
await origin.stop();
const isWhole = results.every((each) => each);
console.log(isWhole ? "nothing failed" : "something FAILED");
process.exit(isWhole ? 0 : 1);
