// timeout: 60s
/**
 * Bytes that the real program allocates for each request or connection, once its code is compiled. A
 * string, closure or object more for each request shows here, and as pauses long after.
 */
import { CountedProgram } from "../support/allocations.ts";
import { assertWithin, type Budget } from "../support/budget.ts";
import {
  askOnNewConnections,
  ClosedLoop,
  http1Origin,
  type Origin,
} from "../support/closed-loop.ts";
import { ClosedLoopHttp2, http2Origin } from "../support/closed-loop-http2.ts";
import { stopAll } from "../support/mtls-rig.ts";
import { ANSWER, CONTENT, GET, LAST } from "../support/plain-messages.ts";
import { thisRuntime } from "../support/program.ts";
import { suite } from "../support/test.ts";

const test = suite("budget/allocations");
test.timeout(30_000);
let web: Origin;
let two: Origin;
let counted: CountedProgram;

test.before(async () => {
  web = await http1Origin(ANSWER);
  two = await http2Origin(CONTENT);
  counted = await CountedProgram.start([
    "--workers=1",
    `--upstream=web=h1:127.0.0.1:${web.port}`,
    `--upstream=two=h2:127.0.0.1:${two.port}`,
  ]);
});

test.after(async () => {
  await stopAll(counted.program);
  await Promise.all([web.close(), two.close()]);
});

test("a request on a kept connection of HTTP/1", async () => {
  // Next to nothing on Bun, and most of it goes uncounted: see allocations.ts.
  const loop = await ClosedLoop.open(counted.program.port("outbound"), 64, GET);
  await loop.run(20_000);
  const bytes = await counted.bytesEach(
    () => loop.answered,
    () => loop.run(24_000),
  );
  loop.close();
  assertBytes({ bun: [0, 60], deno: [50, 230] }, bytes, "HTTP/1");
});

test("a request of HTTP/2", async () => {
  // Streams are in a table that is not made anew, and what serves them serves again.
  const loop = await ClosedLoopHttp2.open(counted.program.port("outbound"), 10, "two");
  await loop.run(20_000);
  const bytes = await counted.bytesEach(
    () => loop.answered,
    () => loop.run(12_000),
  );
  loop.close();
  assertBytes({ bun: [0, 60], deno: [80, 330] }, bytes, "HTTP/2");
});

test("a connection, and its one request", async () => {
  const port = counted.program.port("outbound");
  let answered = 0;
  const ask = (): Promise<void> => askOnNewConnections(port, 1, 1, LAST);
  const run = async (count: number): Promise<void> => {
    const lane = async (): Promise<void> => {
      for (let i = 0; i < count / 8; i++) await ask().then(() => answered++);
    };
    await Promise.all(Array.from({ length: 8 }, lane));
  };
  await run(1_500);
  const bytes = await counted.bytesEach(
    () => answered,
    () => run(2_000),
  );
  assertBytes({ bun: [3_000, 5_800], deno: [5_900, 9_000] }, bytes, "new connection");
});

function assertBytes(
  bounds: Readonly<Record<"bun" | "deno", Budget[string]>>,
  bytes: number,
  what: string,
): void {
  assertWithin({ bytes: bounds[thisRuntime] }, new Map([["bytes", bytes]]), 1, what);
}

test.run();
