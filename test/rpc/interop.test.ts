// timeout: 240s
/** gRPC's own client (on Node) with our server, our client with gRPC's own server, and curl. */
import * as assert from "uvu/assert";
import type { RpcChannel, RpcClientHandle } from "../../src/rpc/client-handle.ts";
import { type GrpcServer, runCase, startClient, startServer } from "../grpc/peers.ts";
import { eventually } from "../support/eventually.ts";
import { seeded } from "../support/random.ts";
import {
  bytesOf,
  collect,
  errorOf,
  LOOPBACK,
  pathOf,
  type RpcRig,
  Status,
  startRpcClient,
  startRpcServer,
  textOf,
} from "../support/rpc.ts";
import { suite } from "../support/test.ts";
import { findTool, runTool } from "../support/tool.ts";

const test = suite("rpc/interop");
test.timeout(60_000);

const WITHIN = { timeoutMs: 10_000 };
const LARGE_BYTES = 4 << 20;
const STREAM_BYTES = 64 << 20;
const STREAM_MESSAGE_BYTES = 65_536;

let rig: RpcRig;
let server: GrpcServer;
let client: RpcClientHandle;
let channel: RpcChannel;

test.before(async () => {
  rig = await startRpcServer();
  server = await startServer();
  ({ client } = await startRpcClient());
  channel = await client.open({ address: { ip: LOOPBACK, port: server.port }, tls: null });
});
test.after(async () => {
  server.child.kill("SIGKILL");
  await server.exited;
  await client.stop();
  await rig.stop();
  assert.equal(rig.faults, []);
});

for (const [title, name, facts] of [
  ["a unary call", "unary", { code: 0, isSame: true }],
  ["an empty message", "empty", { code: 0, isSame: true }],
  ["four megabytes both ways", "large", { code: 0, isSame: true }],
  ["a stream from the server", "serverStream", { code: 0, count: 1_000, size: 777_000 }],
  [
    "an error with details and trailing metadata",
    "fail",
    {
      code: 9,
      details: "details with 100% \u00fcnicode: 9",
      why: { text: ["asked for"], bytes: ["0001feff"] },
    },
  ],
  [
    "an error after messages",
    "failLate",
    {
      code: 10,
      details: "details with 100% \u00fcnicode: 10",
      messages: ["one", "two"],
      why: ["0001feff"],
    },
  ],
  ["a stream from the client is UNIMPLEMENTED", "clientStream", { code: 12 }],
  ["two hundred calls at a time on one channel", "concurrent", { count: 200, good: 200 }],
] as const) {
  test(`gRPC's client at our server: ${title}`, async () => {
    const { response: _, ...got } = await runCase(rig.port, name);
    assert.equal(got, { case: name, ...facts });
  });
}

test("gRPC's client at our server: a failure without a message is trailers only", async () => {
  const facts = await runCase(rig.port, "bare");
  const headers = facts["headers"] as Record<string, unknown>;
  assert.is(headers[":status"], 200);
  assert.is(headers["grpc-status"], "9");
  assert.match(String(headers["content-type"]), /^application\/grpc/);
  assert.equal([facts["endsThere"], facts["bodyBytes"], facts["hasTrailers"]], [true, 0, false]);
});

test("gRPC's client at our server: a deadline and a cancel reach the handler", async () => {
  assert.is((await runCase(rig.port, "deadline"))["code"], Status.deadlineExceeded);
  const late = rig.calls.at(-1);
  assert.ok((late?.timeoutMs ?? 0) > 0 && (late?.timeoutMs ?? 0) <= 500);
  await eventually(() => late?.signal.aborted === true);
  assert.is((await runCase(rig.port, "cancel"))["code"], Status.cancelled);
  await eventually(() => rig.calls.at(-1)?.signal.aborted === true);
});

test("gRPC's client at our server: one that does not read stops the handler", async () => {
  const before = rig.yielded();
  const slow = startClient(rig.port, "web", "slow");
  await slow.find("the client stopped reading", (fact) => fact["paused"] === true);
  let last = -1;
  await eventually(
    async () => {
      const now = rig.yielded();
      const isSame = now === last;
      last = now;
      // Other calls take their time meanwhile.
      await runCase(rig.port, "unary");
      return isSame;
    },
    { withinMs: 20_000 },
  );
  assert.ok((last - before) * STREAM_MESSAGE_BYTES < STREAM_BYTES / 4, `${last - before} messages`);
  slow.child.stdin?.write("go on\n");
  const facts = await slow.find("the whole stream", (fact) => fact["case"] === "slow");
  assert.equal(facts, { case: "slow", code: 0, size: STREAM_BYTES });
  await slow.exited;
});

test("our client at gRPC's server: unary calls of every size", async () => {
  const random = seeded("rpc/interop");
  for (const size of [0, 5, 70_000, LARGE_BYTES]) {
    const message = random.bytes(size);
    const answer = await channel.call(pathOf("Echo"), message, WITHIN);
    assert.is(Buffer.compare(answer, message), 0, `${size} bytes`);
  }
});

test("our client at gRPC's server: streams, and errors early and late", async () => {
  const messages = await collect(channel.stream(pathOf("Produce"), bytesOf("1000 777"), WITHIN));
  assert.equal([messages.length, messages.at(-1)?.length], [1_000, 777]);
  const early = await errorOf(channel.call(pathOf("Fail"), bytesOf("9"), WITHIN));
  assert.is(early.status, 9);
  assert.is(early.message, "details with 100% \u00fcnicode: 9");
  assert.equal(new Map(early.metadata).get("x-why-bin"), "AAH+/w==");
  const texts: string[] = [];
  const late = await errorOf(
    (async () => {
      const stream = channel.stream(pathOf("FailLate"), bytesOf("10"), WITHIN);
      for await (const message of stream) texts.push(textOf(message));
    })(),
  );
  assert.equal([late.status, ...texts], [10, "one", "two"]);
  const unknown = await errorOf(channel.call(pathOf("None"), bytesOf(""), WITHIN));
  assert.is(unknown.status, Status.unimplemented);
});

test("our client at gRPC's server: a deadline and a cancel reach it", async () => {
  const hang = channel.call(pathOf("Hang"), bytesOf(""), { timeoutMs: 300 });
  assert.is((await errorOf(hang)).status, Status.deadlineExceeded);
  const { deadlineMs } = await server.find("Hang began", (fact) => fact["began"] === "Hang");
  assert.ok(Number(deadlineMs) > 0 && Number(deadlineMs) <= 300, `${deadlineMs}`);
  await server.find("Hang was cancelled", (fact) => fact["cancelled"] === "Hang");
  for await (const _ of channel.stream(pathOf("HangLate"), bytesOf(""), WITHIN)) break;
  await server.find("HangLate was cancelled", (fact) => fact["cancelled"] === "HangLate");
});

test("our client at gRPC's server: 300 calls at a time", async () => {
  const texts = Array.from({ length: 300 }, (_, i) => `call ${i}`);
  const answers = await Promise.all(
    texts.map((text) => channel.call(pathOf("Echo"), bytesOf(text), WITHIN)),
  );
  assert.equal(answers.map(textOf), texts);
});

test("our client at gRPC's server: its death is UNAVAILABLE", async () => {
  const stream = channel.stream(pathOf("HangLate"), bytesOf(""), { timeoutMs: null });
  await stream.next();
  server.child.kill("SIGKILL");
  assert.is((await errorOf(stream.next())).status, Status.unavailable);
  await channel.closed;
  assert.is(channel.isOpen, false);
});

test("curl sees grpc-status in the trailers, and in the head where there is nothing else", async () => {
  const curl = findTool("curl");
  if (curl === null) throw new Error("curl is not installed");
  const ask = (name: string, body: string): Promise<{ output: string }> =>
    runTool(
      curl,
      [
        ...["--silent", "--include", "--http2-prior-knowledge"],
        ...["--header", "content-type: application/grpc"],
        ...["--data-binary", "@-", "--output", "-", "--max-time", "10"],
        `http://127.0.0.1:${rig.port}${pathOf(name)}`,
      ],
      body,
    );
  const good = await ask("Echo", "\0\0\0\0\x02hi");
  assert.match(good.output, /^HTTP\/2 200.*content-type: application\/grpc.*\0\0\0\0\x02hi/s);
  assert.match(good.output, /\0\0\0\0\x02hi.*grpc-status: 0/s);
  // Not a method that does not exist: curl 7.88 waits for ever when the answer comes while it sends.
  const bad = await ask("Fail", "\0\0\0\0\x013");
  assert.match(bad.output, /^HTTP\/2 200.*grpc-status: 3\r\n.*grpc-message: details with 100%25/s);
});

test.run();
