/** Our client and our server with each other, in plaintext on loopback: what calls can come to. */
import * as assert from "uvu/assert";
import type { RpcChannel, RpcClientHandle } from "../../src/rpc/client-handle.ts";
import { MESSAGE_BYTES_MAX, STREAMS_MAX } from "../../src/rpc/limits.ts";
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

const test = suite("rpc/calls");
test.timeout(20_000);

const WHY = [
  ["x-why", "asked for"],
  ["x-why-bin", "AAH+/w=="],
];
const WITHIN = { timeoutMs: 5_000 };

let rig: RpcRig;
let client: RpcClientHandle;
let faults: string[];
let channel: RpcChannel;

test.before(async () => {
  rig = await startRpcServer();
  ({ client, faults } = await startRpcClient());
  channel = await client.open({ address: { ip: LOOPBACK, port: rig.port }, tls: null });
});
test.after(async () => {
  await client.stop();
  await rig.stop();
  assert.equal([await client.ended, await rig.server.ended], [null, null]);
});

test("a unary call is answered, whatever the size of its message", async () => {
  const random = seeded("rpc/calls sizes");
  for (const size of [0, 1, 5, 16_379, 16_384, 65_531, 65_536, 1_000_000, MESSAGE_BYTES_MAX]) {
    const message = random.bytes(size);
    const answer = await channel.call(pathOf("Echo"), message, WITHIN);
    assert.is(Buffer.compare(answer, message), 0, `${size} bytes`);
  }
});

test("the handler learns who calls, with what, and how long the client waits", async () => {
  const metadata = [
    ["x-one", "1"],
    ["x-two-bin", "AAEC"],
    ["authorization", "Bearer x"],
  ] as const;
  await channel.call(pathOf("Echo"), bytesOf("hello"), { timeoutMs: 4_000, metadata });
  const call = rig.calls.at(-1);
  assert.is(textOf(call?.request ?? new Uint8Array(0)), "hello");
  assert.equal(call?.metadata, metadata);
  assert.is(call?.peer.isTls, false);
  assert.is(call?.peer.identity, null);
  assert.match(call?.peer.address ?? "", /^127\.0\.0\.1:[0-9]+$/);
  assert.ok((call?.timeoutMs ?? 0) > 3_000 && (call?.timeoutMs ?? 0) <= 4_000);
  await channel.call(pathOf("Echo"), bytesOf(""), { timeoutMs: null });
  assert.is(rig.calls.at(-1)?.timeoutMs, null);
});

test("one channel carries as many calls as a sidecar watches, begun at once", async () => {
  const own = await client.open({ address: { ip: LOOPBACK, port: rig.port }, tls: null });
  const streams = Array.from({ length: STREAMS_MAX }, () =>
    own.stream(pathOf("HangLate"), bytesOf(""), { timeoutMs: null }),
  );
  const firsts = await Promise.all(streams.map((stream) => stream.next()));
  assert.ok(firsts.every(({ value }) => textOf(value) === "one"));
  assert.is(rig.server.callCount, STREAMS_MAX);
  own.close();
  await eventually(() => rig.server.callCount === 0);
});

test("an error comes with its status, its text and its metadata", async () => {
  for (const code of [1, 3, 5, 7, 9, 13, 14, 16]) {
    const error = await errorOf(channel.call(pathOf("Fail"), bytesOf(String(code)), WITHIN));
    assert.is(error.status, code);
    assert.is(error.message, `details with 100% \u00fcnicode: ${code}`);
    assert.equal(error.metadata, WHY);
  }
});

test("what a handler throws by mistake is told here and not there", async () => {
  const error = await errorOf(channel.call(pathOf("Throw"), bytesOf(""), WITHIN));
  assert.is(error.status, Status.internal);
  assert.is(error.message, "internal error");
  assert.match(rig.faults.splice(0).join("\n"), /Throw: .*a secret of the server/);
});

test("a method that does not exist is UNIMPLEMENTED", async () => {
  for (const path of [pathOf("Nothing"), "/a/B", "/", `${pathOf("Echo")}/`]) {
    const error = await errorOf(channel.call(path, bytesOf(""), WITHIN));
    assert.is(error.status, Status.unimplemented, path);
  }
});

test("a stream brings its messages in order, and then its end", async () => {
  const messages = await collect(channel.stream(pathOf("Produce"), bytesOf("1000 777"), WITHIN));
  assert.is(messages.length, 1_000);
  assert.ok(messages.every((message) => message.length === 777));
  assert.equal(await collect(channel.stream(pathOf("Produce"), bytesOf("0 1"), WITHIN)), []);
});

test("a stream of large messages comes whole", async () => {
  const request = bytesOf(`5 ${MESSAGE_BYTES_MAX}`);
  const sizes: number[] = [];
  for await (const message of channel.stream(pathOf("Produce"), request, { timeoutMs: 15_000 })) {
    sizes.push(message.length);
  }
  assert.equal(sizes, Array(5).fill(MESSAGE_BYTES_MAX));
});

test("a stream that fails brings its messages before its error", async () => {
  const texts: string[] = [];
  const work = async (): Promise<void> => {
    for await (const message of channel.stream(pathOf("FailLate"), bytesOf("10"), WITHIN)) {
      texts.push(textOf(message));
    }
  };
  const error = await errorOf(work());
  assert.equal([error.status, ...texts], [Status.aborted, "one", "two"]);
  assert.equal(error.metadata, WHY);
});

test("a deadline ends a call at both ends", async () => {
  for (const name of ["Hang", "HangLate", "HangStream"]) {
    const before = rig.calls.length;
    const stream = channel.stream(pathOf(name), bytesOf(""), { timeoutMs: 200 });
    const error = await errorOf(collect(stream));
    assert.is(error.status, Status.deadlineExceeded, name);
    await eventually(() => rig.calls[before]?.signal.aborted === true);
  }
  await eventually(() => rig.server.callCount === 0);
});

test("a call that is cancelled ends at both ends", async () => {
  for (const name of ["Hang", "HangLate", "HangStream"]) {
    const before = rig.calls.length;
    const abort = new AbortController();
    const options = { timeoutMs: null, signal: abort.signal };
    const work = errorOf(collect(channel.stream(pathOf(name), bytesOf(""), options)));
    await eventually(() => rig.calls.length > before);
    abort.abort();
    assert.is((await work).status, Status.cancelled, name);
    await eventually(() => rig.calls[before]?.signal.aborted === true);
  }
  const error = await errorOf(
    channel.call(pathOf("Echo"), bytesOf(""), { timeoutMs: null, signal: AbortSignal.abort() }),
  );
  assert.is(error.status, Status.cancelled);
  await eventually(() => rig.server.callCount === 0);
});

test("leaving the loop over a stream cancels it", async () => {
  const before = rig.calls.length;
  for await (const message of channel.stream(pathOf("HangLate"), bytesOf(""), WITHIN)) {
    assert.is(textOf(message), "one");
    break;
  }
  await eventually(() => rig.calls[before]?.signal.aborted === true);
});

test("a client that does not read stops the handler, and nothing is lost", async () => {
  const size = 10_000;
  const count = 2_000;
  const before = rig.yielded();
  const stream = channel.stream(pathOf("Produce"), bytesOf(`${count} ${size}`), {
    timeoutMs: 15_000,
  });
  await stream.next();
  let last = -1;
  // It has come to a halt when two looks that are apart see the same.
  const halted = await eventually(async () => {
    const now = rig.yielded() - before;
    const isSame = now === last;
    last = now;
    await channel.call(pathOf("Echo"), bytesOf("meanwhile"), WITHIN);
    await channel.call(pathOf("Echo"), bytesOf("meanwhile"), WITHIN);
    return isSame && now > 1 ? now : null;
  });
  assert.ok(halted * size < 2 << 20, `${halted} messages`);
  let rest = 1;
  for await (const message of stream) rest += message.length === size ? 1 : 0;
  assert.is(rest, count);
});

test("a thousand calls at a time on one connection are all answered", async () => {
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, i) =>
      channel.call(pathOf("Echo"), bytesOf(`call ${i}`), { timeoutMs: 15_000 }),
    ),
  );
  answers.forEach((answer, i) => {
    assert.is(textOf(answer), `call ${i}`);
  });
});

test("a request that is too large is refused before it is sent", async () => {
  const large = new Uint8Array(MESSAGE_BYTES_MAX + 1);
  const error = await errorOf(channel.call(pathOf("Echo"), large, WITHIN));
  assert.is(error.status, Status.resourceExhausted);
});

test("an answer that is too large is RESOURCE_EXHAUSTED, and never held", async () => {
  for (const size of [MESSAGE_BYTES_MAX + 1, 2 * MESSAGE_BYTES_MAX + 100]) {
    const work = collect(channel.stream(pathOf("Produce"), bytesOf(`1 ${size}`), WITHIN));
    assert.is((await errorOf(work)).status, Status.resourceExhausted, `${size} bytes`);
  }
  await eventually(() => rig.server.counts.calls_overflowed === 1);
  await eventually(() => rig.server.callCount === 0);
});

test("nobody listens: UNAVAILABLE, with the reason", async () => {
  const other = await startRpcServer();
  await other.stop();
  const address = { ip: LOOPBACK, port: other.port };
  const error = await errorOf(client.open({ address, tls: null }));
  assert.is(error.status, Status.unavailable);
  assert.match(error.message, /refused/);
});

test("a channel that is closed says so to its calls and to those that come later", async () => {
  const other = await client.open({ address: { ip: LOOPBACK, port: rig.port }, tls: null });
  const before = rig.calls.length;
  const work = errorOf(other.call(pathOf("Hang"), bytesOf(""), { timeoutMs: null }));
  await eventually(() => rig.calls.length > before);
  other.close();
  assert.is((await work).status, Status.unavailable);
  assert.is(await other.closed, "the channel was closed");
  assert.is(other.isOpen, false);
  const later = await errorOf(other.call(pathOf("Echo"), bytesOf(""), WITHIN));
  assert.is(later.status, Status.unavailable);
  await eventually(() => rig.calls[before]?.signal.aborted === true);
});

test("nothing went wrong in the threads", () => {
  assert.equal([...faults, ...rig.faults], []);
});

test.run();
