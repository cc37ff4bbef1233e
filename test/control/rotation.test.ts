// timeout: 180s
/** The short form of `npm run soak -- rotation`: renewals, another anchor and an outage under load. */
import * as assert from "uvu/assert";
import { runMeshLoad } from "../support/mesh-load.ts";
import { type Mesh, startMesh } from "../support/mesh-rig.ts";
import { rotate } from "../support/mesh-rotation.ts";
import { suite } from "../support/test.ts";

const test = suite("control/rotation");
test.timeout(150_000);

const RATE = 100;

async function carries(lifetime: string, seconds: number, outageS: number): Promise<Mesh> {
  const mesh = await startMesh(lifetime);
  const replacesAnchor = outageS === 0;
  const [{ http1, http2, streams }, events] = await Promise.all([
    runMeshLoad(mesh.httpPort, mesh.tcpPort, RATE, seconds),
    rotate(mesh, { seconds, outageS, replacesAnchor }),
  ]);
  const told = [...events, http1.codes, http2.codes, await complaintsOf(mesh)].join("\n");
  assert.is(http1.ok, (RATE / 2) * seconds, told);
  assert.is(http2.ok, (RATE / 2) * seconds, told);
  assert.equal(streams.failures, []);
  assert.ok(streams.messages > seconds * 100, `${streams.messages}`);
  assert.is(events.length, replacesAnchor ? 3 : 2);
  return mesh;
}

/** What the programs complained of, and the events that they counted. */
async function complaintsOf(mesh: Mesh): Promise<string> {
  const programs = [mesh.shop, mesh.web, mesh.db];
  const metrics = await Promise.all(programs.map((p) => p.admin("/metrics")));
  const counted = (await Promise.all(metrics.map((answer) => answer.text()))).map((text) =>
    text
      .match(/^(outrigger_[a-z0-9_]+_total|response_total\{.*failure.*\}) [1-9].*$/gm)
      ?.join("\n"),
  );
  const logs = programs.map((p) => p.log()).concat(mesh.control.log);
  const warnings = logs.map((text) =>
    text.match(/^.*\b(WARN|ERROR|warn|error)\b.*$/gm)?.join("\n"),
  );
  return [...counted, ...warnings].join("\n---\n");
}

async function refreshesOf(mesh: Mesh): Promise<number[]> {
  const all = await Promise.all([mesh.shop, mesh.web, mesh.db].map((p) => p.admin("/identity")));
  const views = (await Promise.all(all.map((answer) => answer.json()))) as {
    refreshes: { ok: number };
  }[];
  return views.map(({ refreshes }) => refreshes.ok);
}

test("no request and no stream is lost while certificates are renewed and the anchor is replaced", async () => {
  const mesh = await carries("8s", 44, 0);
  for (const count of await refreshesOf(mesh)) assert.ok(count >= 6, `${count} renewals`);
  assert.match(await mesh.control.do("anchor", "list"), /^active {2}sha256 [0-9a-f]{64}$/);
  await mesh.stop();
});

test("nor while the control plane is away for less than certificates are good for", async () => {
  const mesh = await carries("20s", 24, 4);
  for (const count of await refreshesOf(mesh)) assert.ok(count >= 2, `${count} renewals`);
  await mesh.stop();
});

test.run();
