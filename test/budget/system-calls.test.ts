// timeout: 60s
/**
 * System calls of the real program, counted by strace, for each request, connection or 64 KiB. What the
 * kernel does for a request is most of its price, and one call more or less shows here and hardly
 * anywhere else. The model in bench/README.md explains the figures.
 */
import type { Socket } from "node:net";
import { assertWithin, type Budget } from "../support/budget.ts";
import {
  askOnNewConnections,
  ClosedLoop,
  connected,
  http1Origin,
  listening,
  type Origin,
} from "../support/closed-loop.ts";
import { ClosedLoopHttp2, http2Origin } from "../support/closed-loop-http2.ts";
import { eventually } from "../support/eventually.ts";
import { makeMesh, stopAll } from "../support/mtls-rig.ts";
import { ANSWER, CONTENT, GET, LAST } from "../support/plain-messages.ts";
import { type Program, startProgram } from "../support/program.ts";
import { type Calls, type TracedThread, traced } from "../support/system-calls.ts";
import { suite } from "../support/test.ts";

const MIB = 1_048_576;
const CHUNK_BYTES = 65_536;

/** A runtime wakes itself ten times a second, and a pool grows while it is warmed. */
const OTHERS = [0, 0.25] as const;

const test = suite("budget/system-calls");
test.timeout(20_000);
let web: Origin;
let two: Origin;
let sink: Origin;
let program: Program;
/** The first of two sidecars, and the second. */
let near: Program;
let far: Program;
let receiver: Socket | null = null;

test.before(async () => {
  web = await http1Origin(ANSWER);
  two = await http2Origin(CONTENT);
  sink = await listening((socket) => {
    receiver = socket;
    socket.resume();
  });
  const mesh = await makeMesh();
  far = await startProgram([
    ...["--workers=1", "--name=web", `--identity-dir=${mesh.webDir}`],
    ...[`--app=h1:127.0.0.1:${web.port}`, "--require-identity"],
  ]);
  [program, near] = await Promise.all([
    startProgram([
      "--workers=1",
      `--upstream=web=h1:127.0.0.1:${web.port}`,
      `--upstream=two=h2:127.0.0.1:${two.port}`,
      `--upstream=sink=127.0.0.1:${sink.port}`,
      "--forward=127.0.0.1:0=sink:1",
    ]),
    startProgram([
      ...["--workers=1", "--name=caller", `--identity-dir=${mesh.callerDir}`],
      `--upstream=web=sidecar:web@127.0.0.1:${far.port("inbound")}`,
    ]),
  ]);
});

test.after(async () => {
  await stopAll(program, near, far);
  await Promise.all([web.close(), two.close(), sink.close()]);
});

test("HTTP/1 on one kept connection: two calls and an event each way", async () => {
  const loop = await ClosedLoop.open(program.port("outbound"), 1, GET);
  await loop.run(50);
  const [worker] = await callsOf(program, () => loop.run(400));
  loop.close();
  assertWithin(
    {
      recvfrom: [1.99, 2.02],
      sendto: [1.99, 2.02],
      epoll_wait: [1.95, 2.1],
      runtime: [0, 0.6],
      others: OTHERS,
      bytes: exactly(2 * (GET.length + ANSWER.length)),
    },
    withBytes(worker),
    400,
    "one connection",
  );
});

test("HTTP/1 on 64 kept connections: the same calls, and few events for many", async () => {
  const loop = await ClosedLoop.open(program.port("outbound"), 64, GET);
  await loop.run(1_000);
  const [worker] = await callsOf(program, () => loop.run(1_000));
  loop.close();
  assertWithin(
    {
      recvfrom: [1.99, 2.02],
      sendto: [1.99, 2.02],
      epoll_wait: [0.01, 0.3],
      runtime: [0, 0.3],
      others: OTHERS,
      bytes: exactly(2 * (GET.length + ANSWER.length)),
    },
    withBytes(worker),
    1_000,
    "64 connections",
  );
});

test("HTTP/1, a new connection for each request", async () => {
  const port = program.port("outbound");
  await askOnNewConnections(port, 30, 1, LAST);
  const threads = await callsOf(program, () => askOnNewConnections(port, 150, 1, LAST));
  const acceptor = threads.find(({ calls }) => calls.has("accept4"));
  const worker = threads.find((thread) => thread !== acceptor && thread.calls.has("sendto"));
  assertWithin(
    {
      recvfrom: [1.95, 2.05],
      sendto: [1.95, 2.05],
      // One for what was handed over, one for the response, one for the client's end.
      epoll_wait: [2, 3.2],
      epoll_ctl: [0.95, 1.05],
      close: [0.95, 1.2],
      runtime: [0, 2.5],
      others: OTHERS,
    },
    callsIn(worker),
    150,
    "new connections, worker",
  );
  assertWithin(
    {
      accept4: [0.95, 1.05],
      "accept4 EAGAIN": [0.5, 1.05],
      "getsockopt ENOENT": [0.95, 1.05],
      "recvfrom peek": [0.95, 1.05],
      epoll_wait: [0.9, 2.1],
      write: [0.9, 1.1],
      // Only for what has not said anything when it is accepted.
      "recvfrom peek EAGAIN": [0, 1.05],
      epoll_ctl: [0, 2.1],
      runtime: [0, 2.5],
      others: OTHERS,
    },
    callsIn(acceptor),
    150,
    "new connections, acceptor",
  );
});

test("HTTP/2 on both sides, ten streams: one call for many requests", async () => {
  const loop = await ClosedLoopHttp2.open(program.port("outbound"), 10, "two");
  await loop.run(200);
  const [worker] = await callsOf(program, () => loop.run(2_000));
  loop.close();
  assertWithin(
    {
      recvfrom: [0.15, 0.5],
      sendto: [0.15, 0.5],
      epoll_wait: [0.15, 0.5],
      runtime: [0, 0.6],
      others: OTHERS,
    },
    callsIn(worker),
    2_000,
    "HTTP/2",
  );
});

test("the first of two sidecars with mutual TLS, 64 kept connections of HTTP/1", async () => {
  const loop = await ClosedLoop.open(near.port("outbound"), 64, GET);
  await loop.run(1_000);
  const [worker] = await callsOf(near, () => loop.run(1_000));
  loop.close();
  assertWithin(
    {
      recvfrom: [0.99, 1.02],
      sendto: [0.99, 1.02],
      // OpenSSL's, of records that carry many requests.
      read: [0.02, 0.5],
      write: [0.01, 0.3],
      epoll_wait: [0.01, 0.4],
      runtime: [0, 0.3],
      others: OTHERS,
    },
    callsIn(worker),
    1_000,
    "mTLS chain",
  );
});

test("opaque TCP, for each 64 KiB", async () => {
  const client = await connected(program.port("forward"));
  client.write("\x01");
  await eventually(() => receiver !== null);
  const total = 32 * MIB;
  const [worker] = await callsOf(program, () => upload(client, total));
  client.destroy();
  assertWithin(
    {
      recvfrom: [0.9, 3],
      sendto: [0.9, 3],
      epoll_wait: [0, 3],
      runtime: [0, 1],
      others: OTHERS,
      bytes: [1.99 * CHUNK_BYTES, 2.01 * CHUNK_BYTES],
    },
    withBytes(worker),
    total / CHUNK_BYTES,
    "opaque TCP",
  );
});

function upload(client: Socket, bytes: number): Promise<void> {
  const piece = Buffer.alloc(MIB);
  return new Promise((resolve) => {
    let came = 0;
    receiver?.on("data", (chunk: Buffer) => {
      came += chunk.length;
      if (came >= bytes) resolve();
    });
    for (let sent = 0; sent < bytes; sent += piece.length) client.write(piece);
  });
}

/** The threads that did something while `work` ran, the busiest first: that is the worker. */
function callsOf({ child }: Program, work: () => Promise<void>): Promise<TracedThread[]> {
  return traced(child.pid ?? 0, work);
}

function callsIn(thread: TracedThread | undefined): Calls {
  if (thread === undefined) throw new Error("no such thread made a call");
  return thread.calls;
}

function withBytes(thread: TracedThread | undefined): Calls {
  return new Map([...callsIn(thread), ["bytes", thread?.bytes ?? 0]]);
}

/** Within a hundredth, for what a runtime writes to wake itself. */
function exactly(bytes: number): Budget[string] {
  return [bytes * 0.99, bytes * 1.01];
}

test.run();
