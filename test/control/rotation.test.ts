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
  assert.is(http1.ok, (RATE / 2) * seconds);
  assert.is(http2.ok, (RATE / 2) * seconds);
  assert.equal(streams.failures, []);
  assert.ok(streams.messages > seconds * 100, `${streams.messages}`);
  assert.is(events.length, replacesAnchor ? 3 : 2);
  return mesh;
}

async function refreshesOf(mesh: Mesh): Promise<number[]> {
  const all = await Promise.all([mesh.shop, mesh.web, mesh.db].map((p) => p.admin("/identity")));
  const views = (await Promise.all(all.map((answer) => answer.json()))) as {
    refreshes: { ok: number };
  }[];
  return views.map(({ refreshes }) => refreshes.ok);
}

test("no request and no stream is lost while certificates are renewed and the anchor is replaced", async () => {
  const mesh = await carries("5s", 36, 0);
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
