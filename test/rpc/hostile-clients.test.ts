// timeout: 180s
/** What clients can do wrong or too much of, each on a raw connection, and what our server makes of it. */
import { connect } from "node:net";
import * as assert from "uvu/assert";
import { MESSAGE_BYTES_MAX } from "../../src/rpc/limits.ts";
import type { ServerCounts } from "../../src/rpc/server-messages.ts";
import { eventually } from "../support/eventually.ts";
import type { Field } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import type { Http2Stream } from "../support/http2-stream.ts";
import {
  errorOf,
  LOOPBACK,
  pathOf,
  Status,
  startRpcClient,
  startRpcServer,
} from "../support/rpc.ts";
import { suite } from "../support/test.ts";

const test = suite("rpc/hostile-clients");
test.timeout(30_000);

const rig = await startRpcServer({
  limits: { requestTimeoutMs: 400, handlerTimeoutMs: 400, handshakeTimeoutMs: 400, callsMax: 150 },
});
test.after(async () => {
  await rig.stop();
  assert.equal(rig.faults, []);
});

function head(name: string, more: readonly Field[] = [], type = "application/grpc"): Field[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", pathOf(name)],
    [":authority", "web"],
    ["content-type", type],
    ["te", "trailers"],
    ...more,
  ];
}

function message(text: string, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(text.length, 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}

async function withPeer<T>(work: (peer: Http2Peer) => Promise<T>): Promise<T> {
  const peer = await Http2Peer.connect(rig.port);
  try {
    const result = await work(peer);
    assert.equal(peer.link.violations, []);
    return result;
  } finally {
    peer.close();
  }
}

const ask = (fields: readonly Field[], body: Uint8Array | string = message("hi")) =>
  withPeer((peer) => peer.ask(fields, body));

/** The status, wherever in the response it is. */
function statusOf(stream: Http2Stream): number {
  return Number(stream.trailer("grpc-status") ?? stream.value("grpc-status") ?? -1);
}

async function counted(name: keyof ServerCounts, atLeast: number): Promise<void> {
  await eventually(() => rig.server.counts[name] >= atLeast, { what: `${name} >= ${atLeast}` });
}

test("an honest call is answered with head, message and trailers", async () => {
  const stream = await ask(head("Echo"));
  assert.is(stream.status, 200);
  assert.is(stream.value("content-type"), "application/grpc");
  assert.is(stream.body, "\0\0\0\0\x02hi");
  assert.is(stream.trailer("grpc-status"), "0");
  assert.is(stream.trailer("grpc-message"), null);
});

test("what is not gRPC is answered in HTTP: 415 and 405", async () => {
  for (const type of [
    "application/json",
    "text/plain",
    "application/grpc-web",
    "application/grpcx",
  ]) {
    const stream = await ask(head("Echo", [], type));
    assert.equal([stream.status, stream.value("grpc-status")], [415, null], type);
  }
  const bare = head("Echo").filter(([name]) => name !== "content-type");
  assert.is((await ask(bare)).status, 415);
  const get = head("Echo").map(
    (field): Field => (field[0] === ":method" ? [":method", "GET"] : field),
  );
  const stream = await ask(get, "");
  assert.equal([stream.status, stream.value("allow")], [405, "POST"]);
});

test("application/grpc may have a suffix and parameters", async () => {
  for (const type of [
    "application/grpc+proto",
    "application/grpc;charset=utf-8",
    "Application/gRPC",
  ]) {
    assert.is(statusOf(await ask(head("Echo", [], type))), Status.ok, type);
  }
});

test("a compressed message is UNIMPLEMENTED, a flag that means nothing INTERNAL", async () => {
  const compressed = await ask(head("Echo", [["grpc-encoding", "gzip"]]), message("x", 1));
  assert.is(statusOf(compressed), Status.unimplemented);
  assert.is(compressed.value("grpc-accept-encoding"), "identity");
  assert.is(statusOf(await ask(head("Echo"), message("x", 2))), Status.internal);
});

test("no message, half of one, and more than one are INTERNAL", async () => {
  const table: [string, Uint8Array | string][] = [
    ["none", ""],
    ["a part of the prefix", message("hello").subarray(0, 3)],
    ["the prefix alone", message("hello").subarray(0, 5)],
    ["half", message("hello").subarray(0, 8)],
    ["two", Buffer.concat([message("one"), message("two")])],
    ["one and a half", Buffer.concat([message("one"), message("two").subarray(0, 6)])],
  ];
  const before = rig.calls.length;
  for (const [title, body] of table) {
    assert.is(statusOf(await ask(head("Echo"), body)), Status.internal, title);
  }
  assert.is(rig.calls.length, before);
});

test("a message that is announced as too large is refused before it comes", async () => {
  const prefix = Buffer.alloc(5);
  for (const length of [MESSAGE_BYTES_MAX + 1, 0xffff_ffff]) {
    prefix.writeUInt32BE(length, 1);
    await withPeer(async (peer) => {
      const stream = await peer.ask(head("Echo"), prefix, "open");
      assert.is(statusOf(stream), Status.resourceExhausted);
    });
  }
});

test("a message in frames of one byte is the same message", async () => {
  await withPeer(async (peer) => {
    const id = peer.request(head("Echo"), "", "open");
    for (const byte of message("piecemeal")) peer.link.write(f.data(id, Buffer.of(byte)));
    peer.link.write(f.data(id, "", f.Flag.endStream));
    const stream = await peer.over(id);
    assert.is(stream.body, message("piecemeal").toString("latin1"));
  });
});

test("a request may end with trailers, which mean nothing", async () => {
  const stream = await withPeer((peer) =>
    peer.ask(head("Echo"), message("hi"), [["x-trailer", "1"]]),
  );
  assert.equal([statusOf(stream), stream.body], [Status.ok, "\0\0\0\0\x02hi"]);
});

test("a grpc-timeout that is none is INTERNAL, one of zero DEADLINE_EXCEEDED", async () => {
  for (const timeout of ["1", "5x", "123456789m", "-1S", ""]) {
    const stream = await ask(head("Echo", [["grpc-timeout", timeout]]));
    assert.is(statusOf(stream), Status.internal, timeout);
  }
  const late = await ask(head("Hang", [["grpc-timeout", "0m"]]));
  assert.is(statusOf(late), Status.deadlineExceeded);
});

test("a request that does not come to its end is given up", async () => {
  await withPeer(async (peer) => {
    const stream = await peer.ask(head("Echo"), message("hello").subarray(0, 7), "open");
    assert.is(statusOf(stream), Status.deadlineExceeded);
    assert.is(stream.value("grpc-message"), "the request did not come in time");
  });
});

test("a handler that never answers is DEADLINE_EXCEEDED though no deadline was named", async () => {
  const before = rig.calls.length;
  const stream = await ask(head("Hang"));
  assert.is(statusOf(stream), Status.deadlineExceeded);
  await eventually(() => rig.calls[before]?.signal.aborted === true);
});

test("a stream that somebody works on may be silent for as long as it likes", async () => {
  await withPeer(async (peer) => {
    const id = peer.request(head("HangStream"), message(""));
    const late = await peer.ask(head("Hang"), message(""));
    assert.is(statusOf(late), Status.deadlineExceeded);
    assert.is(peer.link.stream(id).isOver, false);
  });
});

test("a call that is reset in the same breath never reaches a handler", async () => {
  await withPeer(async (peer) => {
    await peer.settled();
    const before = rig.calls.length;
    const frames: Buffer[] = [];
    const { link } = peer;
    const write = link.write.bind(link);
    link.write = (bytes) => frames.push(Buffer.from(bytes)) > 0;
    for (let i = 0; i < 50; i++) {
      const id = peer.request(head("Echo"), "", "open");
      frames.push(f.data(id, message("x"), f.Flag.endStream), f.rstStream(id, 8));
    }
    link.write = write;
    link.socket.write(Buffer.concat(frames));
    const after = peer.nextId();
    link.headers(after, head("Echo"), "open");
    link.body(after, message("last"), "end");
    assert.is(statusOf(await peer.over(after)), Status.ok);
    assert.is(rig.calls.length, before + 1);
  });
});

test("rapid resets end the connection", async () => {
  const before = rig.server.counts.floods;
  const peer = await Http2Peer.connect(rig.port);
  for (let i = 0; i < 3_000 && peer.link.end === null; i++) {
    const id = peer.request(head("Echo"), "", "open");
    peer.link.write(f.rstStream(id, 8));
    if (i % 200 === 0) await peer.settled();
  }
  assert.is(await peer.closed(), f.ErrorCode.enhanceYourCalm);
  peer.close();
  await counted("floods", before + 1);
});

test("all connections together have no more calls than the limit", async () => {
  const first = await Http2Peer.connect(rig.port);
  const second = await Http2Peer.connect(rig.port);
  const before = rig.server.counts.calls_refused;
  const hundred = (peer: Http2Peer): number[] =>
    Array.from({ length: 100 }, () => peer.request(head("HangStream"), message("")));
  try {
    hundred(first);
    await eventually(() => rig.server.callCount === 100);
    const ids = hundred(second);
    const refused = await eventually(() => {
      const ended = ids.map((id) => second.link.stream(id)).filter(({ isOver }) => isOver);
      return ended.length === 50 && ended;
    });
    assert.ok(refused.every((stream) => statusOf(stream) === Status.resourceExhausted));
    await counted("calls_refused", before + 50);
  } finally {
    first.close();
    second.close();
  }
  // Gone clients take their calls with them.
  await eventually(() => rig.server.callCount === 0);
  assert.is(statusOf(await ask(head("Echo"))), Status.ok);
});

test("a client that does not read holds little, and is let go of when it goes", async () => {
  const peer = await Http2Peer.connect(rig.port, { givesWindow: false });
  const before = rig.yielded();
  const id = peer.request(head("Produce"), message("100000 1000"));
  await eventually(() => peer.link.stream(id).bodyBytes === 65_535);
  assert.ok((rig.yielded() - before) * 1_005 < 4 * 65_536 + 65_535, `${rig.yielded() - before}`);
  peer.link.reset(id, 8);
  await eventually(() => rig.server.callCount === 0);
  peer.close();
});

test("a silent connection is closed, and so is one that says nonsense", async () => {
  const ends = await Promise.all(
    ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX", "\x16\x03\x01"].map(
      (text) =>
        new Promise<string>((resolve) => {
          const socket = connect({ port: rig.port, host: "127.0.0.1" });
          socket.on("connect", () => socket.write(Buffer.from(text, "latin1")));
          socket.on("data", () => {});
          socket.on("error", () => resolve("closed"));
          socket.on("close", () => resolve("closed"));
        }),
    ),
  );
  assert.equal(ends, Array(4).fill("closed"));
  // It has no credentials, so it speaks no TLS.
  await counted("refused_tls", 1);
  await counted("failed_handshakes", 1);
});

test("when much waits those make room who take nothing, and no others", async () => {
  const tight = await startRpcServer({ limits: { queuedPressedBytes: 100_000 } });
  const peer = await Http2Peer.connect(tight.port, { givesWindow: false });
  try {
    const ids = Array.from({ length: 20 }, () =>
      peer.request(head("Produce"), message("99 20000")),
    );
    await eventually(() => tight.server.counts.calls === ids.length);
    const { client } = await startRpcClient();
    const channel = await client.open({ address: { ip: LOOPBACK, port: tight.port }, tls: null });
    let count = 0;
    const request = Buffer.from("400 20000");
    for await (const _ of channel.stream(pathOf("Produce"), request, { timeoutMs: 9_000 })) count++;
    assert.is(count, 400);
    // Well within the minute that each has while there is room.
    await eventually(() => tight.server.counts.calls <= 5, { withinMs: 6_000 });
    await client.stop();
  } finally {
    peer.close();
    await tight.stop();
    assert.equal(tight.faults, []);
  }
});

test("the limit on connections holds, and frees what is closed", async () => {
  const small = await startRpcServer({ limits: { connectionsMax: 3 } });
  try {
    const peers = await Promise.all([1, 2, 3].map(() => Http2Peer.connect(small.port)));
    for (const peer of peers) await peer.settled();
    const fourth = await Http2Peer.connect(small.port);
    assert.is(await fourth.closed(), null);
    peers[0]?.close();
    const { client } = await startRpcClient();
    const address = { ip: LOOPBACK, port: small.port };
    const channel = await eventually(() => client.open({ address, tls: null }));
    const error = await errorOf(
      channel.call(pathOf("Fail"), Buffer.from("5"), { timeoutMs: 2_000 }),
    );
    assert.is(error.status, Status.notFound);
    await client.stop();
    for (const peer of peers) peer.close();
  } finally {
    await small.stop();
  }
});

test("an idle connection is told to go", async () => {
  const idle = await startRpcServer({ limits: { idleMs: 300 } });
  const peer = await Http2Peer.connect(idle.port);
  assert.is(statusOf(await peer.ask(head("Echo"), message("hi"))), Status.ok);
  assert.is(await peer.closed(), f.ErrorCode.noError);
  peer.close();
  await idle.stop();
});

test.run();
