// timeout: 120s
// exclusive
import * as assert from "uvu/assert";
import { RLIMIT_NOFILE } from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";
import { clientHello } from "../support/client-hello.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { Rig } from "./rig.ts";

const test = suite("acceptor/quiet");
test.timeout(40_000);

const SILENT = 1_000;
const LISTENERS = 3;
const QUIET_MS = 2_000;
/** 1 % of one processor. */
const QUIET_CPU_US_MAX = QUIET_MS * 10;
/** Where in the arena the limits are read to, beside the other arguments. */
const LIMITS = 3_072;

test("1,000 clients that fell silent after half a ClientHello cost less than 1 % CPU", async () => {
  const rig = await new Rig({ detectTimeoutMs: 60_000 }).warm();
  const half = clientHello({ sni: "a.example", keyShareBytes: 1_216 }).subarray(0, 300);
  for (let i = 0; i < SILENT; i++) rig.client("outbound").send(half);
  await eventually(() => rig.count("accepted_outbound") === SILENT);
  // Two windows: a runtime may compile or collect garbage in one of them.
  const windowsUs = [quietCpuUs(rig), quietCpuUs(rig)];
  assert.is(rig.table.count(), SILENT);
  assert.is(rig.count("handed_off"), 1, "none of them was decided");
  const end = await rig.stop();
  assert.equal(end, { why: "ended", owned: 0, violations: 0 });
  assert.ok(Math.min(...windowsUs) < QUIET_CPU_US_MAX, `CPU of ${QUIET_MS} ms: ${windowsUs} µs`);
});

test("out of descriptors it pauses, does not spin, and goes on by itself", async () => {
  const rig = await new Rig({}).warm();
  const clients = Array.from({ length: 20 }, () => rig.idleClient());
  const pausedBefore = rig.count("accept_paused");
  const { view } = rig.arena;
  const at = rig.arena.address + LIMITS;
  assert.is(libc.getrlimit(RLIMIT_NOFILE, at), 0);
  const soft = view.getBigUint64(LIMITS, true);
  let cpuUs = 0;
  let paused = 0;
  const startMs = performance.now();
  view.setBigUint64(LIMITS, 3n, true);
  assert.is(libc.setrlimit(RLIMIT_NOFILE, at), 0);
  try {
    for (const client of clients) client.connect(rig.portOf("outbound")).send("GET / HTTP/1.1\r\n");
    await eventually(() => rig.count("accept_paused") > pausedBefore);
    cpuUs = quietCpuUs(rig);
    paused = rig.count("accept_paused") - pausedBefore;
  } finally {
    view.setBigUint64(LIMITS, soft, true);
    libc.setrlimit(RLIMIT_NOFILE, at);
  }
  const elapsedMs = performance.now() - startMs;
  // Nobody connects any more, so only the timer can bring these.
  const taken = await rig.take(clients.length);
  for (const one of taken) rig.close(one);
  const end = await rig.stop();
  assert.equal(end, { why: "ended", owned: 0, violations: 0 });
  // The listeners that nobody calls may pause too: without a descriptor even an empty queue fails.
  const pausesMax = LISTENERS * (elapsedMs / 100 + 1);
  assert.ok(paused >= 3 && paused <= pausesMax, `${paused} pauses in ${elapsedMs} ms`);
  assert.ok(cpuUs < 5 * QUIET_CPU_US_MAX, `CPU of ${QUIET_MS} ms: ${cpuUs} µs`);
});

/** CPU time that the whole process takes while nothing is asked of it; this thread stands still. */
function quietCpuUs(rig: Rig): number {
  const before = process.cpuUsage();
  rig.block(QUIET_MS);
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

test.run();
