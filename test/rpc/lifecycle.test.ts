// timeout: 180s
/** From start to end: drains, the death of a thread, a thousand clients, what is left behind. */
import { readdirSync } from "node:fs";
import * as assert from "uvu/assert";
import { listen, raiseDescriptorLimit } from "../../src/net/listener.ts";
import type { RpcChannel } from "../../src/rpc/client-handle.ts";
import { RpcClientHandle } from "../../src/rpc/client-handle.ts";
import { RpcServerHandle } from "../../src/rpc/server-handle.ts";
import { eventually, lapse } from "../support/eventually.ts";
import * as f from "../support/http2-frames.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import {
  arena,
  bytesOf,
  errorOf,
  LOOPBACK,
  pathOf,
  Status,
  startRpcClient,
  startRpcServer,
  textOf,
} from "../support/rpc.ts";
import { suite } from "../support/test.ts";

const test = suite("rpc/lifecycle");
test.timeout(60_000);

const WITHIN = { timeoutMs: 10_000 };
const CLIENTS = 1_000;

raiseDescriptorLimit(arena);

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Threads of this process by the kernel's numbers. */
function threads(): Set<string> {
  return new Set(readdirSync("/proc/self/task"));
}

test("a drain lets calls end, takes no new ones, and then nothing is left", async () => {
  const rig = await startRpcServer();
  const { client } = await startRpcClient();
  const address = { ip: LOOPBACK, port: rig.port };
  const channel = await client.open({ address, tls: null });
  const stream = channel.stream(pathOf("Produce"), bytesOf("400 65536"), WITHIN);
  await stream.next();
  const stopped = rig.server.stop(10_000);
  assert.is(await channel.closed, "the server goes away");
  const refused = await errorOf(client.open({ address, tls: null }));
  assert.is(refused.status, Status.unavailable);
  let count = 1;
  for await (const _ of stream) count++;
  assert.is(count, 400);
  await stopped;
  assert.is(await rig.server.ended, null);
  await client.stop();
});

test("a drain tells HTTP/2 clients twice: first that it comes, then what counts", async () => {
  const rig = await startRpcServer();
  const peer = await Http2Peer.connect(rig.port);
  await peer.settled();
  const stopped = rig.server.stop(10_000);
  await peer.closed();
  assert.equal(
    peer.link.state.goAways.map(({ code }) => code),
    [f.ErrorCode.noError, f.ErrorCode.noError],
  );
  await stopped;
});

test("a call that does not end is cut when the grace is over", async () => {
  const rig = await startRpcServer();
  const { client } = await startRpcClient();
  const address = { ip: LOOPBACK, port: rig.port };
  const channel = await client.open({ address, tls: null });
  const hang = errorOf(channel.call(pathOf("Hang"), bytesOf(""), { timeoutMs: null }));
  await eventually(() => rig.calls.length === 1);
  await rig.server.stop(200);
  assert.is((await hang).status, Status.unavailable);
  assert.is(rig.calls[0]?.signal.aborted, true);
  await client.stop();
});

test("a client that is stopped ends its calls and its channels", async () => {
  const rig = await startRpcServer();
  const { client } = await startRpcClient();
  const address = { ip: LOOPBACK, port: rig.port };
  const channel = await client.open({ address, tls: null });
  const hang = errorOf(channel.call(pathOf("Hang"), bytesOf(""), { timeoutMs: null }));
  await eventually(() => rig.calls.length === 1);
  await client.stop();
  assert.is((await hang).status, Status.unavailable);
  assert.is(channel.isOpen, false);
  assert.is((await errorOf(client.open({ address, tls: null }))).status, Status.unavailable);
  await eventually(() => rig.calls[0]?.signal.aborted === true);
  await rig.stop();
});

test("a server's thread that dies: calls are aborted, clients cut, and it is told", async () => {
  const faults: string[] = [];
  const opened = listen(arena, { ip: LOOPBACK, port: 0 }, 16);
  if ("error" in opened) throw new Error(opened.error);
  let signal: AbortSignal | null = null;
  const server = await RpcServerHandle.start({
    arena,
    listenFds: [opened.fd],
    methods: [
      {
        kind: "unary",
        path: pathOf("Hang"),
        handler: (_, call) => {
          signal = call.signal;
          return new Promise(() => {});
        },
      },
    ],
    credentials: null,
    onFault: (text) => faults.push(text),
  });
  const { client } = await startRpcClient();
  const channel = await client.open({ address: { ip: LOOPBACK, port: opened.port }, tls: null });
  const hang = errorOf(channel.call(pathOf("Hang"), bytesOf(""), { timeoutMs: null }));
  await eventually(() => signal !== null);
  // Credentials that OpenSSL does not take are a bug of whoever made them, and not the thread's end.
  server.present({
    certificates: [Uint8Array.of(1)],
    key: Uint8Array.of(2),
    roots: [],
    identity: { dns: null, uri: null },
    notBeforeMs: 0,
    notAfterMs: 0,
  });
  await eventually(() => faults.length === 1);
  assert.match(faults[0] ?? "", /OpenSSL does not take/);
  server.stageDeath();
  assert.match((await server.ended) ?? "", /./);
  assert.is((await hang).status, Status.unavailable);
  assert.is((signal as AbortSignal | null)?.aborted, true);
  // Nobody waits in the queue of a server that is dead.
  const address = { ip: LOOPBACK, port: opened.port };
  assert.match((await errorOf(client.open({ address, tls: null }))).message, /refused/);
  await client.stop();
});

test("a client's thread that dies: calls and channels end, and it is told", async () => {
  const rig = await startRpcServer();
  const { client } = await startRpcClient();
  const address = { ip: LOOPBACK, port: rig.port };
  const channel = await client.open({ address, tls: null });
  const hang = errorOf(channel.call(pathOf("Hang"), bytesOf(""), { timeoutMs: null }));
  await eventually(() => rig.calls.length === 1);
  client.stageDeath();
  assert.match((await client.ended) ?? "", /./);
  assert.is((await hang).status, Status.unavailable);
  assert.is(channel.isOpen, false);
  assert.is((await errorOf(client.open({ address, tls: null }))).status, Status.unavailable);
  // Its connection was closed for it.
  await eventually(() => rig.calls[0]?.signal.aborted === true);
  await rig.stop();
});

test("a thousand clients with a stream each: all hear, and when they go all is free", async () => {
  const rig = await startRpcServer();
  const peers: Http2Peer[] = [];
  for (let i = 0; i < CLIENTS; i++) peers.push(await Http2Peer.connect(rig.port));
  const prefix = Buffer.from([0, 0, 0, 0, 1, 0x78]);
  const head = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", pathOf("HangLate")],
    [":authority", "web"],
    ["content-type", "application/grpc"],
  ] as const;
  const ids = peers.map((peer) => peer.request(head, prefix));
  await eventually(
    () => peers.every((peer, i) => peer.link.stream(ids[i] ?? 0).body === "\0\0\0\0\x03one"),
    { withinMs: 20_000 },
  );
  await eventually(() => rig.server.counts.connections === CLIENTS);
  assert.is(rig.server.callCount, CLIENTS);
  for (const peer of peers) peer.close();
  await eventually(() => rig.server.callCount === 0, { withinMs: 10_000 });
  await eventually(() => rig.server.counts.connections === 0, { withinMs: 10_000 });
  assert.equal(rig.faults, []);
  await rig.stop();
});

test("a connection that ends without a call is counted no longer", async () => {
  const rig = await startRpcServer();
  const peer = await Http2Peer.connect(rig.port);
  await eventually(() => rig.server.counts.connections === 1);
  peer.close();
  await eventually(() => rig.server.counts.connections === 0);
  await rig.stop();
});

test("starting and stopping leaves no descriptor and no thread behind", async () => {
  const round = async (): Promise<void> => {
    const rig = await startRpcServer();
    const { client } = await startRpcClient();
    const channel: RpcChannel = await client.open({
      address: { ip: LOOPBACK, port: rig.port },
      tls: null,
    });
    assert.is(textOf(await channel.call(pathOf("Echo"), bytesOf("x"), WITHIN)), "x");
    await client.stop();
    await rig.stop();
  };
  await round();
  await lapse(200);
  const before = [descriptors(), threads().size];
  for (let i = 0; i < 5; i++) await round();
  // What the runtime itself keeps for a thread goes a little later.
  await eventually(() => descriptors() <= (before[0] ?? 0) + 2, { withinMs: 5_000 });
  await eventually(() => threads().size <= (before[1] ?? 0) + 2, { withinMs: 5_000 });
});

test("a server that cannot start says so", async () => {
  const opened = listen(arena, { ip: LOOPBACK, port: 0 }, 16);
  if ("error" in opened) throw new Error(opened.error);
  const start = RpcServerHandle.start({
    arena,
    listenFds: [opened.fd],
    methods: [],
    credentials: {
      certificates: [Uint8Array.of(1)],
      key: Uint8Array.of(2),
      roots: [],
      identity: { dns: null, uri: null },
      notBeforeMs: 0,
      notAfterMs: 0,
    },
    onFault: () => {},
  });
  const error = await start.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.instance(error, Error);
  assert.match(String(error), /OpenSSL does not take/);
});

test("a client can be started any number of times", async () => {
  const clients = await Promise.all(
    [1, 2, 3].map(() => RpcClientHandle.start({ arena, onFault: () => {} })),
  );
  for (const client of clients) await client.stop();
  assert.equal(await Promise.all(clients.map(({ ended }) => ended)), [null, null, null]);
});

test.run();
