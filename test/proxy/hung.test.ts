// timeout: 60s
// A backend that hangs: what may be done twice goes elsewhere, and what is only slow does not.
import * as assert from "uvu/assert";
import { UNANSWERED_MS } from "../../src/proxy/limits.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { type FailingBackend, FaultRig } from "../support/faults.ts";
import { ask } from "../support/routed-peers.ts";
import { steadyLoad } from "../support/steady-load.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/hung");
test.timeout(30_000);

/** So long the last of them waits: the first trial is sent a second before the first may leave. */
const WITHIN_MS = UNANSWERED_MS * 4;
const RATE = 300;
/** Longer than any request waits at what hangs. */
const REPORT_MS = 4_500;

/** One that is in use: the first answers of a cold program set endpoints aside. */
async function busiest(backends: readonly FailingBackend[]): Promise<FailingBackend> {
  return await eventually(async () => {
    const before = backends.map(({ requests }) => requests);
    await lapse(50);
    return backends.find(({ requests }, i) => requests - (before[i] ?? 0) >= RATE / 100) ?? null;
  });
}

test("one of three stops: all that may be done twice is answered, and a slow report is asked for once", async () => {
  const rig = new FaultRig();
  await rig.start(2);
  const port = rig.program.port("outbound");
  const report = ask("http1", port, "web", {
    path: `/report/${REPORT_MS}`,
    withinMs: 2 * WITHIN_MS,
  });
  await eventually(() => rig.backends.some(({ reports }) => reports === 1));
  const load = steadyLoad(port, "web", RATE);
  const hung = await busiest(rig.backends.filter(({ reports }) => reports === 0));
  hung.signal("SIGSTOP");
  const moved = async (): Promise<number> => {
    const text = await (await rig.program.admin("/metrics")).text();
    return Number(/^outrigger_retried_unanswered_total (\d+)/m.exec(text)?.[1] ?? 0);
  };
  await eventually(async () => (await moved()) > 0, { withinMs: WITHIN_MS });
  const isStuck = (): boolean => load.waiting(1_000).some((method) => method !== "POST");
  await eventually(() => !isStuck(), { withinMs: WITHIN_MS });
  assert.is((await report).status, 200);
  hung.signal("SIGCONT");
  const { failures } = await load.stop();
  assert.equal(failures, []);
  assert.is(
    rig.backends.reduce((sum, { reports }) => sum + reports, 0),
    1,
  );
  await rig.stop();
});

test.run();
