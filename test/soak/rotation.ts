/**
 * Certificates of 10 s (or --lifetime) for ten minutes (or --seconds) at 500 requests a second and 20
 * opaque streams: nothing may fail while they are renewed and the trust anchor is replaced; --outage
 * SECONDS also stops the control plane for so long, which needs certificates that outlive it.
 */
import { runMeshLoad } from "../support/mesh-load.ts";
import { startMesh } from "../support/mesh-rig.ts";
import { rotate } from "../support/mesh-rotation.ts";

function flag(name: string, fallback: string): string {
  const at = process.argv.indexOf(name);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

const seconds = Number(flag("--seconds", "600"));
const lifetime = flag("--lifetime", "10s");
const outageS = Number(flag("--outage", "0"));
const mesh = await startMesh(lifetime);
const [report, events] = await Promise.all([
  runMeshLoad(mesh.httpPort, mesh.tcpPort, 500, seconds),
  rotate(mesh, { seconds, outageS, replacesAnchor: outageS === 0 }),
]);
const statuses = await Promise.all(
  [mesh.shop, mesh.web, mesh.db].map(async (program) => {
    const { refreshes, last_error: error } = (await (await program.admin("/identity")).json()) as {
      refreshes: unknown;
      last_error: unknown;
    };
    return { refreshes, error };
  }),
);
for (const event of events) console.log(event);
console.log(JSON.stringify({ ...report, statuses }, null, 2));
for (const [name, program] of Object.entries({ shop: mesh.shop, web: mesh.web, db: mesh.db })) {
  const metrics = await (await program.admin("/metrics")).text();
  const counters = metrics.match(/^outrigger_(?!endpoint|worker)\w+_total [1-9].*$/gm) ?? [];
  console.log(`${name}: ${counters.map((line) => line.slice("outrigger_".length)).join(", ")}`);
  const said = program.log().split("\n");
  for (const line of said.filter((each) => / (warn|error) /.test(each))) console.log(line);
}
await mesh.stop();
const { http1, http2, streams } = report;
const isWhole = http1.ok === http1.sent && http2.ok === http2.sent && streams.failures.length === 0;
console.log(isWhole ? "nothing failed" : "something FAILED");
process.exit(isWhole ? 0 : 1);
