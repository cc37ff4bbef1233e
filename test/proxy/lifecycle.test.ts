// timeout: 180s
// exclusive
/** Draining, dying workers, dying backends: what is in flight, and nothing else, may notice. */
import { spawn, spawnSync } from "node:child_process";
import { Agent, request } from "node:http";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { eventually, lapse } from "../support/eventually.ts";
import { type Program, startProgram } from "../support/program.ts";
import { fixedOrigin, rawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
const isWhole = (text: string): boolean => text.endsWith("\r\n\r\nok");

const test = suite("proxy/lifecycle");
test.timeout(120_000);

type Load = { readonly failures: string[]; stop(): Promise<number> };

/** Keeps `clients` connections busy until it is stopped; returns the number of requests. */
function load(port: number, clients: number, limit = Number.POSITIVE_INFINITY): Load {
  const failures: string[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  let count = 0;
  let isOver = false;
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const sent = request(
        { host: "127.0.0.1", port, agent, headers: { host: "web" } },
        (response) => {
          response.resume();
          if (response.statusCode !== 200) failures.push(`status ${response.statusCode}`);
          response.on("close", () => resolve());
          response.on("error", (error) => failures.push(error.message));
        },
      );
      sent.on("error", (error) => {
        failures.push(error.message);
        resolve();
      });
      sent.end();
    });
  const loops = Array.from({ length: clients }, async () => {
    while (!isOver && count < limit) {
      count++;
      await one();
    }
  });
  return {
    failures,
    stop: async () => {
      if (limit === Number.POSITIVE_INFINITY) isOver = true;
      await Promise.all(loops);
      agent.destroy();
      return count;
    },
  };
}

async function counter(program: Program, name: string): Promise<number> {
  const text = await (await program.admin("/metrics")).text();
  return Number(new RegExp(`^${name}(?:{.*})? (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

for (const kind of ["throw", "exit"]) {
  test(`a worker that ${kind}s is replaced within a second, the others notice nothing`, async () => {
    const origin = await fixedOrigin(OK);
    const program = await startProgram([`--upstream=web=127.0.0.1:${origin.port}`, "--workers=2"], {
      OUTRIGGER_FAULTS: "1",
    });
    const running = load(program.port("outbound"), 16);
    for (let round = 1; round <= 3; round++) {
      const response = await program.admin(`/fault?worker=0&kind=${kind}`, { method: "POST" });
      assert.is(response.status, 204);
      await eventually(
        async () => (await counter(program, "outrigger_worker_restarts_total")) === round,
        { withinMs: 2_000 },
      );
      await eventually(
        async () =>
          /worker_state{worker="0",state="ready"} 1/.test(
            await (await program.admin("/metrics")).text(),
          ),
        { withinMs: 2_000 },
      );
    }
    const count = await running.stop();
    // Each death cuts at most the connections that were its own.
    assert.ok(running.failures.length <= 3 * 16, `${running.failures.length} of ${count} failed`);
    assert.is((await send(program.port("outbound"), GET, { until: isWhole })).text, OK);
    assert.is(await counter(program, "outrigger_descriptor_violations_total"), 0);
    await eventually(async () => (await counter(program, "outrigger_endpoint_pending")) === 0);
    assert.is(await program.stop(), 0, program.log());
    await origin.close();
  });
}

test("SIGTERM: what is in flight ends well, idle connections close, the exit code is 0", async () => {
  const waiting: (() => void)[] = [];
  const origin = await rawOrigin((socket, text) => {
    if (text.includes("/slow")) waiting.push(() => socket.write(OK));
    else socket.write(OK);
  });
  const program = await startProgram([`--upstream=web=127.0.0.1:${origin.port}`]);
  const port = program.port("outbound");
  const idle = send(port, GET, { withinMs: 10_000 });
  const slow = send(port, "GET /slow HTTP/1.1\r\nHost: web\r\n\r\n", { withinMs: 10_000 });
  await eventually(() => waiting.length === 1);
  const stopped = program.stop();
  assert.is((await idle).end, "fin");
  await eventually(async () => (await send(port, GET, { withinMs: 500 })).end === "reset");
  for (const answer of waiting) answer();
  const reply = await slow;
  assert.match(
    reply.text,
    /^HTTP\/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok$/,
  );
  assert.is(await stopped, 0);
  await origin.close();
});

test("the grace ends, and so does a second signal", async () => {
  const origin = await rawOrigin(() => {});
  for (const signals of [1, 2]) {
    const grace = signals === 1 ? "1s" : "60s";
    const program = await startProgram([
      `--upstream=web=127.0.0.1:${origin.port}`,
      `--shutdown-grace=${grace}`,
    ]);
    const stuck = send(program.port("outbound"), GET, { withinMs: 10_000 });
    await eventually(
      () => origin.received.filter((text) => text.includes("GET")).length === signals,
    );
    const stopped = program.stop();
    if (signals === 2) {
      await eventually(() => program.log().includes("draining"), { withinMs: 10_000 });
      // Closer together they would be taken for one signal that came twice.
      await lapse(400);
      process.kill(program.child.pid ?? 0, "SIGTERM");
    }
    const code = await stopped;
    assert.ok(signals === 1 ? code === 0 : code === 130, `exit code ${code}`);
    await stuck;
  }
  await origin.close();
});

test("200,000 requests while one of three backends is killed and restarted", async () => {
  const backends = [0, 0, 0].map(() => spawnBackend(0));
  const ports = await Promise.all(backends.map(({ port }) => port));
  const upstream = ports.map((port) => `127.0.0.1:${port}`).join(",");
  const program = await startProgram([`--upstream=web=${upstream}`, "--workers=2"]);
  const running = load(program.port("outbound"), 64, 200_000);
  await eventually(async () => (await counter(program, "outrigger_pool_hit_total")) > 20_000, {
    withinMs: 60_000,
  });
  backends[1]?.kill();
  await eventually(async () => (await counter(program, "outrigger_connect_refused_total")) > 0, {
    withinMs: 10_000,
  });
  const again = spawnBackend(ports[1] ?? 0);
  await again.port;
  const count = await running.stop();
  assert.ok(count >= 200_000);
  // GET is idempotent: one in flight on a reused connection is sent again; others may be cut.
  assert.ok(running.failures.length <= 64, `${running.failures.length}: ${running.failures[0]}`);
  assert.is(await program.stop(), 0);
  for (const backend of [...backends, again]) backend.kill();
});

/** A backend in a process of its own, so that it can be killed. */
function spawnBackend(port: number): { port: Promise<number>; kill(): void } {
  const script = fileURLToPath(new URL("../support/backend.mjs", import.meta.url));
  const child = spawn("node", [script, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  const bound = new Promise<number>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => resolve(Number(chunk.toString())));
  });
  return { port: bound, kill: () => child.kill("SIGKILL") };
}

/** By `ls`, because Deno lets nobody look into /proc without all permissions. */
function descriptorsOf({ child }: Program): number {
  const listed = spawnSync("ls", [`/proc/${child.pid}/fd`], { encoding: "utf8" });
  return listed.stdout.trim().split("\n").length;
}

test("descriptors are back to where they began after a thousand connections", async () => {
  const origin = await fixedOrigin(OK);
  const program = await startProgram([`--upstream=web=127.0.0.1:${origin.port}`]);
  const open = (): number => descriptorsOf(program);
  // What every thread opens once and keeps is there after the first request.
  await send(program.port("outbound"), GET, { until: isWhole });
  const before = open();
  for (let batch = 0; batch < 20; batch++) {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        send(program.port("outbound"), i % 3 === 0 ? "GET / HT" : GET, {
          until: isWhole,
          ...(i % 3 === 0 ? { halfClose: true } : {}),
        }),
      ),
    );
  }
  await eventually(() => open() <= before + 2, { withinMs: 10_000 });
  program.child.kill("SIGKILL");
  await origin.close();
});

test.run();
