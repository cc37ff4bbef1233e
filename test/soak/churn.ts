/**
 * 500 requests a second for a minute (or --seconds) while replicas join and leave ten times a second,
 * and real sidecars of the same service are restarted one after the other: nothing may fail; --mixed
 * has these of the other runtime.
 */
import { startNginx } from "../conformance/nginx.ts";
import { churn } from "../support/churn.ts";
import { GrpcCaller, joinMesh } from "../support/control-caller.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { type HttpReport, h2load } from "../support/mesh-load.ts";
import { MemberMesh } from "../support/mesh-members.ts";
import { otherRuntime, thisRuntime } from "../support/program.ts";

function flag(name: string, fallback: string): string {
  const at = process.argv.indexOf(name);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

const seconds = Number(flag("--seconds", "60"));
const rate = Number(flag("--rate", "500"));
const perSecond = Number(flag("--events", "10"));
const webRuntime = process.argv.includes("--mixed") ? otherRuntime : thisRuntime;

const origin = await startNginx();
const mesh = new MemberMesh("24h");
await mesh.control.start();
const app = `--app=h2:127.0.0.1:${origin.http2Port}`;
const stays = await mesh.add("web", [app], webRuntime);
const restarted = await mesh.add(
  "web",
  [app, "--advertise=127.0.0.2", "--inbound=127.0.0.2:0"],
  webRuntime,
);
const shop = await mesh.add("shop", []);
const port = shop.program.port("outbound");
await eventually(async () => (await h2load(port, 10, 1, ["--h1"])).ok === 10, { withinMs: 20_000 });
const token = await mesh.control.do("token", "create", "--name=web");
const caller = new GrpcCaller(mesh.control.port, await joinMesh(token, "web"));

const untilMs = performance.now() + seconds * 1_000;
let restarts = 0;
async function restartInTurns(): Promise<void> {
  while (performance.now() < untilMs - 3_000) {
    await lapse(1_000);
    await restarted.restart();
    restarts++;
  }
}
const sidecar = { inboundPort: stays.program.port("inbound"), appPort: origin.http2Port };
const [http1, http2, report] = await Promise.all([
  h2load(port, rate / 2, seconds, ["--h1"]),
  h2load(port, rate / 2, seconds, []),
  churn(caller, sidecar, perSecond, untilMs),
  restartInTurns(),
]);
const text = ({ ok, sent, codes }: HttpReport): string => `${ok} of ${sent} (${codes})`;
console.log(`HTTP/1 ${text(http1)}, HTTP/2 ${text(http2)}`);
console.log(`${JSON.stringify(report)}, ${restarts} sidecars restarted`);
const metrics = await (await shop.program.admin("/metrics")).text();
const counters = metrics.match(/^outrigger_(?!endpoint|worker)\w+_total [1-9].*$/gm) ?? [];
console.log(counters.map((line) => line.slice("outrigger_".length)).join(", "));
await caller.stop();
await mesh.stop();
await origin.stop();
const isWhole = http1.ok === http1.sent && http2.ok === http2.sent && report.refused === 0;
console.log(isWhole ? "nothing failed" : "something FAILED");
process.exit(isWhole ? 0 : 1);
