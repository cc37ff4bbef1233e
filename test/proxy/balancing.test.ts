/** The balancer in the data path: a real sidecar's threads, real backends, one of them unwell. */
import * as assert from "uvu/assert";
import { ask, type Origin, originOf } from "../support/routed-peers.ts";
import { type RoutedRig, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/balancing");
const REQUESTS = 150;
/** Two until it is set aside, and a trial a second; this takes less than three seconds. */
const BAD_MAX = 8;

let rig: RoutedRig;
const origins: Origin[] = [];

test.before(async () => {
  rig = await startRouted();
});
test.after(async () => {
  await rig.stop();
  await Promise.all(origins.map((origin) => origin.close()));
});

test("an endpoint that answers 503 at once gets hardly a request, though it is the fastest", async () => {
  for (let i = 0; i < 4; i++) origins.push(await originOf("http1", () => (i === 0 ? 503 : 200)));
  const name = "balanced";
  await rig.publish([{ name, at: origins }]);
  let failed = 0;
  for (let i = 0; i < REQUESTS; i++) {
    const { status } = await ask("http1", rig.port, name);
    if (status !== 200) failed++;
  }
  const [bad = -1, ...good] = origins.map(({ requests }) => requests.length);
  assert.ok(failed <= bad, "a GET is repeated elsewhere");
  assert.ok(bad > 0 && bad <= BAD_MAX, `${bad} of ${REQUESTS}`);
  // One after the other they go to whoever was a little faster: how many to each is not told here.
  for (const count of good) assert.ok(count > 0, `${good}`);
});

test.run();
