// timeout: 60s
/** `/tap`, `tap`, `/stats` and `stat` with the real program and real requests. */
import { spawn } from "node:child_process";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { statLines } from "../../src/cli/stat-figures.ts";
import type { SidecarStat } from "../../src/cli/stat-view.ts";
import { TAPPERS_MAX, type TapEvent } from "../../src/mesh/tap.ts";
import { eventually } from "../support/eventually.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { type MtlsPair, startMtlsPair } from "../support/mtls-pair.ts";
import { CALLER, WEB } from "../support/mtls-rig.ts";
import { commandLine, type Program, startProgram } from "../support/program.ts";
import { parseMetrics } from "../support/prometheus.ts";
import { send } from "../support/raw.ts";
import { flood, statsOf, type Tapping, openTap as tapOf } from "../support/tapping.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/tap");
test.timeout(30_000);

/** Keeps nothing of what came, for floods. */
function startOrigin(): Promise<Server> {
  const server = createServer((socket) => {
    let rest = "";
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const heads = `${rest}${chunk.toString("latin1")}`.split("\r\n\r\n");
      rest = heads.pop() ?? "";
      for (const head of heads) {
        const line = head.includes("/status/5") ? "503 Away" : "200 OK";
        socket.write(`HTTP/1.1 ${line}\r\nContent-Length: 2\r\n\r\nok`);
      }
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

let origin: Server;
let originPort = 0;
let program: Program;
let pair: MtlsPair;

test.before(async () => {
  origin = await startOrigin();
  originPort = (origin.address() as AddressInfo).port;
  const args = [
    `--upstream=web=h1:127.0.0.1:${originPort}`,
    "--forward=127.0.0.1:0=web:1",
    "--workers=1",
  ];
  program = await startProgram(args, { OUTRIGGER_FAULTS: "1" });
  pair = await startMtlsPair(originPort);
});

test.after.each(closeTaps);

test.after(async () => {
  await pair.stop();
  origin.close();
});

type Ask = { readonly method?: string; readonly host?: string };

async function ask(port: number, path: string, { method = "GET", host = "web" }: Ask = {}) {
  const reply = await send(port, `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, {
    until: (text) => text.includes("\r\n\r\n"),
  });
  return Number(reply.text.slice(9, 12));
}

const pathsOf = (events: readonly TapEvent[]): string[] => events.map(({ path }) => path).sort();

/** Whoever taps goes away; a moment later the sidecars know. */
async function closeTaps(): Promise<void> {
  for (const tap of open.splice(0)) tap.close();
  for (const socket of leaving.splice(0)) socket.destroy();
  for (const each of [program, pair.near, pair.far]) {
    if (each.child.exitCode !== null) continue;
    await eventually(async () => (await statsOf(each)).taps === 0, { what: "the end of all taps" });
  }
}

const open: Tapping[] = [];
const leaving: Socket[] = [];

async function openTap(of: Program, query = ""): Promise<Tapping> {
  const tap = await tapOf(of, query);
  open.push(tap);
  return tap;
}

async function droppedBy(of: Program): Promise<number> {
  const text = await (await of.admin("/metrics")).text();
  const family = parseMetrics(text).get("outrigger_tap_dropped_total");
  return family?.samples[0]?.value ?? Number.NaN;
}

type Ended = { readonly status: number | null; readonly out: string; readonly err: string };

/** Runs a command of the program; `signal` sends it a signal. */
function command(words: readonly string[]): { ended: Promise<Ended>; stop(): void; out(): string } {
  const [file, args] = commandLine(words);
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (status) => resolve({ status, out, err })),
  );
  return { ended, stop: () => void process.kill(child.pid ?? 0, "SIGINT"), out: () => out };
}

const adminOf = (of: Program): string => `--admin=127.0.0.1:${of.port("admin")}`;

test("both sidecars tell of a request, who sent it and by what", async () => {
  const [near, far] = await Promise.all([openTap(pair.near), openTap(pair.far)]);
  assert.is(await ask(pair.port, "/status/5?token=secret"), 503);
  await eventually(() => near.events.length === 1 && far.events.length === 1);
  const [out, into] = [near.events[0], far.events[0]];
  assert.ok(out && into);
  assert.ok(Math.abs(Date.now() - out.time_ms) < 10_000);
  assert.ok(out.latency_us > 0 && into.latency_us > 0 && into.latency_us < out.latency_us);
  const shared = { method: "GET", authority: "web", path: "/status/5", status: 503, mtls: true };
  const rest = { ...shared, sends: 1, read_bytes: null, written_bytes: null };
  assert.equal(out, {
    ...rest,
    time_ms: out.time_ms,
    latency_us: out.latency_us,
    direction: "outbound",
    protocol: "http1",
    client: out.client,
    client_id: null,
    endpoint: `127.0.0.1:${pair.recorder.port}`,
    server_id: WEB.dns,
  });
  assert.equal(into, {
    ...rest,
    time_ms: into.time_ms,
    latency_us: into.latency_us,
    direction: "inbound",
    protocol: "http2",
    client: into.client,
    client_id: CALLER.dns,
    endpoint: `127.0.0.1:${originPort}`,
    server_id: null,
  });
});

test("HTTP/2, refusals and opaque connections are told, a CONNECT as what it opens", async () => {
  const port = program.port("outbound");
  const tap = await openTap(program, "query=1");
  const peer = await Http2Peer.connect(port);
  assert.is((await peer.over(peer.get("/h2?x=1"))).status, 200);
  peer.close();
  assert.is(await ask(port, "/nowhere", { host: "169.254.169.254" }), 403);
  const bytes = "\x01GET / HTTP/1.1\r\n\r\n";
  const raw = await send(program.port("forward"), bytes, { until: (text) => text.endsWith("ok") });
  const through = `CONNECT web:1 HTTP/1.1\r\nHost: web:1\r\n\r\n${bytes}`;
  await send(port, through, { until: (text) => text.endsWith("ok") });
  await eventually(() => tap.events.length === 4);
  const told = tap.events.map((event) => [
    event.protocol,
    event.method,
    event.authority,
    event.path,
    event.status,
    event.read_bytes,
  ]);
  assert.equal(told[0], ["http2", "GET", "web", "/h2?x=1", 200, null]);
  assert.equal(told[1], ["http1", "GET", "169.254.169.254", "/nowhere", 403, null]);
  assert.equal(told[2], ["opaque", "", "web:1", "", 0, bytes.length]);
  assert.equal(told[3], ["opaque", "", "web", "", 0, through.length]);
  assert.is(tap.events[2]?.written_bytes, raw.text.length);
  assert.is(tap.events[1]?.endpoint, null);
});

test("workers choose by what was asked for", async () => {
  const port = program.port("outbound");
  const ports = [port, program.port("forward")];
  for (const [queries, expected] of [
    [
      ["path=/a", "method=POST", "status=5xx", "to=other"],
      [["/a/1", "/a/2"], ["/b"], ["/status/5"], []],
    ],
    [
      ["from=127.0.0.1", "from=shop", "to=WEB&path=/b&method=POST&status=200", "status=503"],
      [["", "/a/1", "/a/2", "/b", "/status/5"], [], ["/b"], ["/status/5"]],
    ],
  ] as const) {
    const taps = await Promise.all(queries.map((query) => openTap(program, query)));
    const refused = await openTap(program).catch((error: Error) => error);
    assert.ok(refused instanceof Error && refused.message === "HTTP 503");
    await ask(port, "/a/1");
    await ask(port, "/a/2?status/5");
    await ask(port, "/b", { method: "POST" });
    await ask(port, "/status/5");
    await send(ports[1] ?? 0, "\x01GET / HTTP/1.1\r\n\r\n", {
      until: (text) => text.endsWith("ok"),
    });
    const all = (): string[][] => taps.map(({ events }) => pathsOf(events));
    await eventually(() => assert.equal(all(), expected));
    await closeTaps();
  }
});

test("a sample is about one in so many", async () => {
  const tap = await openTap(program, "sample=5&path=/sample");
  await flood(program.port("outbound"), "/sample", 1_000);
  // Eight times the deviation on either side of 200; the last ones come within a batch.
  await eventually(() => tap.events.length > 100);
  assert.ok(tap.events.length < 300, `${tap.events.length}`);
  assert.is(tap.dropped(), 0);
});

test("a worker that is replaced takes up the tap", async () => {
  const tap = await openTap(program);
  const response = await program.admin("/fault?worker=0&kind=throw", { method: "POST" });
  assert.is(response.status, 204);
  await eventually(() => program.log().includes("a worker ended"));
  await eventually(async () => (await ask(program.port("outbound"), "/again")) === 200);
  await eventually(() => tap.events.some(({ path }) => path === "/again"));
});

test("of a flood before a tap that is not read only some is kept, and the rest is counted", async () => {
  // Twice as long as JSON.
  const path = `/${'"'.repeat(510)}`;
  const port = program.port("outbound");
  const stuck = connect({ port: program.port("admin"), host: "127.0.0.1" });
  leaving.push(stuck);
  stuck.pause();
  stuck.write("GET /tap HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  await eventually(async () => (await statsOf(program)).taps === 1);
  const before = await droppedBy(program);
  await flood(port, path, 7_000);
  const dropped = (await droppedBy(program)) - before;
  // The kernel takes up to 5 MB of what is told, 1,300 bytes for each; here it is four batches.
  assert.ok(dropped > 1_500, `${dropped} of 7000 dropped`);
  await closeTaps();
  // Nobody looks: nothing is told, and so nothing is dropped.
  const after = await droppedBy(program);
  await flood(port, path, 1_000);
  assert.is(await droppedBy(program), after);
});

test("one that reads is told how many it was not told", async () => {
  const tap = await openTap(program, "path=/many");
  const before = await droppedBy(program);
  await flood(program.port("outbound"), "/many", 3_000);
  await eventually(() => assert.is(tap.events.length + tap.dropped(), 3_000));
  assert.is((await droppedBy(program)) - before, tap.dropped());
});

test("tap prints a line for each, escapes what is hostile, and ends after --max", async () => {
  const admins = [adminOf(pair.near), adminOf(pair.far)];
  const text = command(["tap", ...admins, "--max=4"]);
  const json = command(["tap", ...admins, "--json", "--query"]);
  await eventually(async () => (await statsOf(pair.far)).taps === 2, { withinMs: 10_000 });
  await eventually(async () => (await statsOf(pair.near)).taps === 2, { withinMs: 10_000 });
  await ask(pair.port, "/a?token=secret");
  // Raw, as no client of a browser sends them: C1 controls, and what turns a line round.
  await send(pair.port, "GET /\x9b31m\xe2\x80\xae HTTP/1.1\r\nHost: web\r\n\r\n", {
    until: (reply) => reply.includes("\r\n\r\n"),
  });
  await ask(pair.port, "/%1b%5b31m");
  const { out, status } = await text.ended;
  assert.is(status, 0);
  assert.is(out.trimEnd().split("\n").length, 4);
  assert.not.match(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  assert.not.match(out, /secret/);
  assert.ok(out.includes(` GET web/a 200 `) && out.includes(` ${CALLER.dns}@`), out);
  json.stop();
  const ended = await json.ended;
  assert.is(ended.status, 0, ended.err);
  const lines = ended.out.trimEnd().split("\n");
  const events = lines.map((line) => JSON.parse(line) as TapEvent & { admin: string });
  assert.ok(
    events.some(
      ({ admin, path }) =>
        admin.endsWith(`:${pair.far.port("admin")}`) && path === "/a?token=secret",
    ),
  );
});

test("sidecars that cannot be tapped or asked are a line each, and the exit status tells", async () => {
  const nobody = "--admin=127.0.0.1:1";
  await Promise.all(Array.from({ length: TAPPERS_MAX }, () => openTap(program)));
  const [tap, stat] = [
    command(["tap", nobody, adminOf(program), "--duration=5s"]),
    command(["stat", nobody, adminOf(program), "--window=100ms", "--json"]),
  ];
  const ended = await tap.ended;
  assert.is(ended.status, 1);
  assert.is(ended.out, "");
  assert.match(ended.err, /^outrigger: http:\/\/127\.0\.0\.1:1: no sidecar listens there$/m);
  assert.match(ended.err, /HTTP 503: 4 taps are open already$/m);
  const asked = await stat.ended;
  assert.is(asked.status, 1);
  const { sidecars } = JSON.parse(asked.out) as { sidecars: SidecarStat[] };
  assert.is(sidecars[0]?.error, "http://127.0.0.1:1: no sidecar listens there");
  assert.is(sidecars[1]?.error, null);
  assert.ok(sidecars[1]?.lines.some(({ service }) => service === "web"));
});

test("stat's figures are those of what was sent", async () => {
  const [near, far] = [await statsOf(pair.near), await statsOf(pair.far)];
  for (let i = 0; i < 30; i++) await ask(pair.port, i % 3 === 0 ? "/status/5" : "/ok");
  const [nearNow, farNow] = [await statsOf(pair.near), await statsOf(pair.far)];
  const seconds = (nearNow.now_ms - near.now_ms) / 1e3;
  const service = statLines(near, nearNow).find(({ kind }) => kind === "service");
  assert.ok(service);
  assert.is(Math.round(service.requests_per_s * seconds), 30);
  assert.is(Math.round(service.success === null ? 0 : service.success * 30), 20);
  assert.equal([service.mtls, service.protocol, service.state], [true, "sidecar", "ok"]);
  assert.ok((service.p50_ms ?? 0) > 0 && (service.p50_ms ?? 0) <= (service.p99_ms ?? 0));
  const client = statLines(far, farNow).find(({ peer }) => peer === CALLER.dns);
  const farSeconds = (farNow.now_ms - far.now_ms) / 1e3;
  assert.is(Math.round((client?.requests_per_s ?? 0) * farSeconds), 30);
  assert.is(client?.kind, "client");
  assert.is(client?.mtls, true);
});

test("top goes on until a signal", async () => {
  const top = command(["top", adminOf(pair.near), "--window=100ms"]);
  await eventually(() => top.out().split("to web").length > 2, { withinMs: 10_000 });
  top.stop();
  const { out, status } = await top.ended;
  assert.is(status, 0);
  assert.not.match(out, /\x1b/);
});

test("a sidecar that stops ends its taps, and is not kept by them", async () => {
  const tap = command(["tap", adminOf(program), adminOf(pair.near), "--json"]);
  for (const each of [program, pair.near]) {
    await eventually(async () => (await statsOf(each)).taps === 1, { withinMs: 10_000 });
  }
  assert.is(await program.stop(), 0);
  // The other one is tapped on.
  await ask(pair.port, "/on");
  await eventually(() => tap.out().includes('"path":"/on"'));
  tap.stop();
  const { err, status } = await tap.ended;
  assert.is(status, 1);
  assert.match(err, /^outrigger: http:\/\/127\.0\.0\.1:\d+: the sidecar has ended\n$/);
});

test.run();
