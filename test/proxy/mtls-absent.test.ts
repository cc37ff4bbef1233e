// timeout: 60s
// An application that is not there beside a sidecar that is: nobody but who asks for it alone learns
// of it, whatever the request is.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as assert from "uvu/assert";
import { patient } from "../support/eventually.ts";
import { makeMesh, stopAll } from "../support/mtls-rig.ts";
import { type Program, startProgram } from "../support/program.ts";
import { parseMetrics } from "../support/prometheus.ts";
import { rawOrigin } from "../support/raw.ts";
import { ask, VERSIONS } from "../support/routed-peers.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/mtls-absent");

/** Nobody listens there. */
const ABSENT = 1;

async function counter(program: Program, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${program.port("admin")}/metrics`)).text();
  return parseMetrics(text).get(`outrigger_${name}_total`)?.samples[0]?.value ?? -1;
}

/** An application that says 200 to everything. */
async function application() {
  const methods: string[] = [];
  const server = createServer((request, response) => {
    methods.push(request.method ?? "");
    request.resume().on("end", () => response.end("ok"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { port, methods, close };
}

async function startAll(apps: readonly number[]) {
  const mesh = await makeMesh();
  const far = await Promise.all(
    apps.map((port) =>
      startProgram([
        "--workers=1",
        "--name=web",
        `--identity-dir=${mesh.webDir}`,
        `--app=h1:127.0.0.1:${port}`,
      ]),
    ),
  );
  const at = (of: readonly Program[]): string =>
    of.map((each) => `sidecar:web@127.0.0.1:${each.port("inbound")}`).join(",");
  const near = await startProgram([
    "--workers=1",
    "--name=caller",
    `--identity-dir=${mesh.callerDir}`,
    `--upstream=web=${at(far)}`,
    `--upstream=alone=${at(far.slice(0, 1))}`,
  ]);
  return { near, far, stop: () => stopAll(near, ...far) };
}

test("without the application of one replica every request is served by the other", async () => {
  const origin = await application();
  const { near, far, stop } = await startAll([ABSENT, origin.port]);
  const port = near.port("outbound");
  for (let i = 0; i < 20; i++) {
    for (const client of VERSIONS) {
      const told = await ask(client, port, "web", { method: "POST", path: `/${i}`, body: "once" });
      assert.is(told.status, 200);
    }
  }
  assert.is(origin.methods.length, 40, "each of them once");
  const refused = await counter(near, "retried_refused");
  assert.ok(refused >= 1 && refused < 20, `${refused}: who is absent is left alone for a while`);
  // Alone it is told as it is, in a bounded time.
  const told = await ask("http1", port, "alone", { method: "POST", body: "once" });
  // It is refused too often, or waits too long, whichever is first.
  assert.ok(told.status === 502 || told.status === 504, `${told.status}`);
  assert.match(told.error ?? "", /request refused by the endpoint|service in fail-fast/);
  assert.ok(told.tookMs < patient(4_500), `${told.tookMs} ms`);
  const after = await ask("http2", port, "alone", { method: "POST", body: "once" });
  assert.ok(
    after.status >= 502 && after.tookMs < patient(2_000),
    `${after.status}, ${after.tookMs} ms`,
  );
  // Who is not of the mesh gets a status.
  for (const client of VERSIONS) {
    const told = await ask(client, far[0]?.port("inbound") ?? 0, "web");
    assert.is(told.status, 502);
    assert.is(told.error, "connection refused");
  }
  await stop();
  origin.close();
});

test("an application that breaks off loses nothing that may be repeated, and repeats nothing else", async () => {
  let broken = 0;
  const breaking = await rawOrigin((socket, text) => {
    if (!text.includes("\r\n\r\n")) return;
    broken++;
    socket.destroy();
  });
  const origin = await application();
  const { near, stop } = await startAll([breaking.port, origin.port]);
  const port = near.port("outbound");
  let lost = 0;
  for (let i = 0; i < 10; i++) {
    for (const client of VERSIONS) {
      assert.is((await ask(client, port, "web")).status, 200);
      const told = await ask(client, port, "web", { method: "POST", body: "once" });
      if (told.status === 200) continue;
      lost++;
      assert.is(told.status, 502);
      assert.is(told.error, "closed before a response");
    }
  }
  assert.is(origin.methods.filter((method) => method === "POST").length + lost, 20);
  // Told of by the sidecar before it, as the caller's own connection would be: once more, and no more.
  broken = 0;
  for (const client of VERSIONS) assert.is((await ask(client, port, "alone")).status, 502);
  assert.is(broken, 4);
  await stop();
  origin.close();
  await breaking.close();
});

test.run();
