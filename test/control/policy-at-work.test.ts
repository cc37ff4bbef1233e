// timeout: 120s
/**
 * Policy in a mesh of both runtimes, as the file of the control plane says it and while everything
 * lives: who may call whom over HTTP, gRPC and TCP, timeouts, retries, splits. And replicas that come and
 * go ten times a second meanwhile, which is the short form of the soak `churn`.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { churn } from "../support/churn.ts";
import { GrpcCaller, joinMesh } from "../support/control-caller.ts";
import { eventually } from "../support/eventually.ts";
import { later } from "../support/later.ts";
import { h2load } from "../support/mesh-load.ts";
import { type Member, MemberMesh } from "../support/mesh-members.ts";
import { otherRuntime } from "../support/program.ts";
import { suite } from "../support/test.ts";
import { runTool } from "../support/tool.ts";

const test = suite("control/policy-at-work");
test.timeout(60_000);

const SLOW_MS = 1_000;
const folder = mkdtempSync(join(tmpdir(), "outrigger-policy-"));
const file = join(folder, "policy.yaml");
const mesh = new MemberMesh("1h", [`--policy=${file}`]);
const apps: Server[] = [];
const echo = createTcp((socket) => socket.on("error", () => {}).pipe(socket));
let flaky = 0;
let web: Member;
let shop: Member;
let db: Member;

/** By rename, as an editor or a deployment does. */
function writePolicy(text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

function startApp(name: string): Promise<number> {
  const app = createServer((request: IncomingMessage, response: ServerResponse) => {
    const answer = (): void => void response.end(name);
    if (request.url === "/slow") later(SLOW_MS, answer);
    else if (request.url === "/flaky" && ++flaky % 3 !== 0) response.writeHead(503).end("flaky");
    else answer();
  });
  apps.push(app);
  return new Promise((resolve) => {
    app.listen(0, "127.0.0.1", () => resolve((app.address() as AddressInfo).port));
  });
}

test.before(async () => {
  writePolicy("services: {}\n");
  await mesh.control.start();
  const ports = await Promise.all([startApp("one"), startApp("two")]);
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", () => resolve()));
  [web, , shop, db] = await Promise.all([
    mesh.add("web", [`--app=h1:127.0.0.1:${ports[0]}`], otherRuntime),
    mesh.add("web-v2", [`--app=h1:127.0.0.1:${ports[1]}`]),
    mesh.add("shop", ["--forward=127.0.0.1:0=db:1"]),
    mesh.add("db", [`--app=127.0.0.1:${(echo.address() as AddressInfo).port}`]),
  ]);
});
test.after(async () => {
  await mesh.stop();
  for (const app of apps) app.closeAllConnections();
  for (const app of [...apps, echo]) app.close();
  rmSync(folder, { recursive: true, force: true });
});

type Answer = { readonly status: string; readonly body: string; readonly head: string };

async function ask(path: string, ...flags: readonly string[]): Promise<Answer> {
  const url = `http://127.0.0.1:${shop.program.port("outbound")}${path}`;
  const { output } = await runTool("curl", ["-sS", "-i", "-m5", "-H", "Host: web", ...flags, url]);
  const [head = "", body = ""] = output.replaceAll("\r", "").split("\n\n");
  return { status: /^HTTP\/\S+ (\d+)/.exec(head)?.[1] ?? output, body, head };
}

/** A call of gRPC as far as it matters: what the client is told in the end. */
async function grpcStatus(): Promise<string> {
  const flags = ["--http2-prior-knowledge", "-H", "Content-Type: application/grpc", "-d", ""];
  return /^grpc-status: (\d+)$/m.exec((await ask("/a.B/C", ...flags)).head)?.[1] ?? "";
}

function openTcp(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(shop.program.port("forward"), "127.0.0.1");
    socket.on("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

test("by default whoever is of the mesh is let in", async () => {
  const { status, body } = await ask("/");
  assert.equal([status, body], ["200", "one"]);
});

test("who may no longer call is refused while his connections live, and is let in again", async () => {
  const tunnel = await openTcp();
  let isClosed = false;
  tunnel.on("close", () => {
    isClosed = true;
  });
  tunnel.write("\u0001hello");
  await new Promise((resolve) => tunnel.once("data", resolve));
  assert.not.ok(isClosed);
  writePolicy("services:\n  web: { allow: [ops] }\n  db: { allow: [ops] }\n");
  const denied = await eventually(
    async () => {
      const answer = await ask("/");
      return answer.status === "403" && answer;
    },
    { withinMs: 5_000 },
  );
  assert.match(denied.head, /l5d-proxy-error: not allowed by policy/);
  assert.is(await grpcStatus(), "7", "PERMISSION_DENIED");
  await eventually(() => isClosed, { what: "the tunnel is closed" });
  const again = await openTcp();
  again.write("\u0001hello");
  again.on("data", () => assert.unreachable("nothing comes back"));
  await new Promise((resolve) => again.on("close", resolve));
  const metrics = await (await db.program.admin("/metrics")).text();
  assert.match(metrics, /\noutrigger_policy_cut_total 1\n/);
  writePolicy("services:\n  web: { allow: [shop] }\n");
  await eventually(async () => (await ask("/")).status === "200", { withinMs: 5_000 });
});

test("a bad file changes nothing, and is told with its line", async () => {
  writePolicy("services:\n  web:\n    alow: [ops]\n");
  await eventually(() => mesh.control.log.includes(`${file}:3: `), { withinMs: 5_000 });
  assert.is((await ask("/")).status, "200");
});

test("routes bring timeouts, retries and splits", async () => {
  writePolicy(`services:
  web:
    split: { web: 50, web-v2: 50 }
    routes:
      - { path: /slow, timeout: 300ms }
      - { path: /flaky, split: { web: 1 }, retries: { limit: 2, on: [503], backoff: 1ms..5ms } }
`);
  await eventually(async () => (await ask("/slow")).status === "504", { withinMs: 5_000 });
  flaky = 0;
  const answer = await ask("/flaky");
  assert.equal([answer.status, answer.body, flaky], ["200", "one", 3]);
  flaky = 0;
  assert.is((await ask("/flaky", "-X", "POST")).status, "503", "a POST may not be sent twice");
  const url = `http://127.0.0.1:${shop.program.port("outbound")}/`;
  const forty = Array.from({ length: 40 }, () => url);
  const { output: said } = await runTool("curl", ["-sS", "-m5", "-H", "Host: web", ...forty]);
  // 40 fair coins fall within these bounds but for one time in 100,000.
  const twos = said.split("two").length - 1;
  assert.ok(/^(?:one|two){40}$/.test(said) && twos > 6 && twos < 34, said);
});

test("replicas of another runtime that come and go cost no request", async () => {
  writePolicy("services: {}\n");
  await eventually(async () => (await ask("/slow")).status === "200", { withinMs: 10_000 });
  const token = await mesh.control.do("token", "create", "--name=web");
  const caller = new GrpcCaller(mesh.control.port, await joinMesh(token, "web"));
  const [app] = apps;
  assert.ok(app);
  const appPort = (app.address() as AddressInfo).port;
  const sidecar = { inboundPort: web.program.port("inbound"), appPort };
  const seconds = 3;
  const untilMs = performance.now() + seconds * 1_000;
  const [report, left] = await Promise.all([
    h2load(shop.program.port("outbound"), 200, seconds, ["--h1"]),
    churn(caller, sidecar, 10, untilMs),
  ]);
  await caller.stop();
  assert.equal([report.ok, left.refused], [report.sent, 0], report.codes);
  assert.ok(left.joined > 8, JSON.stringify(left));
});

test.run();
