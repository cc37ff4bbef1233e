import { execFileSync } from "node:child_process";
import * as assert from "uvu/assert";
import { Arena, INPUT, INPUT_BYTES } from "../../src/net/arena.ts";
import {
  RLIMIT_NOFILE,
  SO_KEEPALIVE,
  SO_RCVLOWAT,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";
import {
  accept,
  type Listening,
  listen,
  localAddress,
  originalDestination,
  peek,
  raiseDescriptorLimit,
  setReceiveLowWater,
} from "../../src/net/listener.ts";
import { type Pollable, Poller } from "../../src/net/poller.ts";
import { ADDRESS_LENGTH, OPTION, readIp, readPort } from "../../src/net/socket-address.ts";
import { createWake, wake } from "../../src/net/wake.ts";
import { Client, LOOPBACK } from "../acceptor/client.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";

const test = suite("net/listener");
const arena = new Arena(1);
const ANY_V6 = new Uint8Array(16);
const LIMITS = 3_072;

function open(ip: Uint8Array, port = 0): Listening {
  const opened = listen(arena, { ip, port }, 16);
  if ("error" in opened) throw new Error(opened.error);
  return opened;
}

/** A client and the descriptor of its accepted end. */
async function pair(listening: Listening): Promise<{ client: Client; fd: number }> {
  const client = new Client(arena).connect(listening.port);
  const fd = await eventually(() => {
    const accepted = accept(arena, listening.fd);
    return accepted >= 0 && accepted;
  });
  return { client, fd };
}

function option(fd: number, level: number, name: number): number {
  const { view, address } = arena;
  view.setUint32(ADDRESS_LENGTH, 4, true);
  assert.is(libc.getsockopt(fd, level, name, address + OPTION, address + ADDRESS_LENGTH), 0);
  return view.getInt32(OPTION, true);
}

test("port 0 picks one, and accept leaves the peer's address", async () => {
  const listening = open(LOOPBACK);
  assert.ok(listening.port > 0);
  assert.is(accept(arena, listening.fd), -1, "nobody there, and it did not block");
  const { client, fd } = await pair(listening);
  const ip = new Uint8Array(16);
  assert.is(readIp(arena, ip), 4);
  const port = readPort(arena);
  assert.equal(ip.slice(0, 4), LOOPBACK);
  assert.is(port, client.port);
  assert.equal(localAddress(arena, fd), { ip: LOOPBACK, port: listening.port });
  client.close();
  libc.close(fd);
  libc.close(listening.fd);
});

test("an address that is taken or not ours is an error with its name", () => {
  const first = open(LOOPBACK);
  const taken = listen(arena, { ip: LOOPBACK, port: first.port }, 16);
  assert.equal(taken, { error: `bind 127.0.0.1:${first.port}: EADDRINUSE` });
  const foreign = listen(arena, { ip: Uint8Array.of(192, 0, 2, 1), port: 0 }, 16);
  assert.equal(foreign, { error: "bind 192.0.2.1:0: EADDRNOTAVAIL" });
  libc.close(first.fd);
});

test("accepted sockets inherit their options and do not block or leak", async () => {
  const listening = open(LOOPBACK);
  const { client, fd } = await pair(listening);
  assert.is(option(fd, SOL_TCP, TCP_NODELAY), 1);
  assert.is(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  assert.is(option(fd, SOL_TCP, TCP_KEEPIDLE), 10);
  assert.is(option(fd, SOL_TCP, TCP_KEEPINTVL), 10);
  assert.is(option(fd, SOL_TCP, TCP_KEEPCNT), 3);
  assert.is(option(fd, SOL_TCP, TCP_USER_TIMEOUT), 30_000);
  assert.is(libc.recv(fd, arena.address + INPUT, 1, 0), -1, "a plain recv does not block");
  const info = execFileSync("cat", [`/proc/${process.pid}/fdinfo/${fd}`], { encoding: "utf8" });
  const flags = /^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? "";
  assert.is(Number.parseInt(flags, 8) & 0o2004000, 0o2004000, "CLOEXEC and NONBLOCK");
  client.close();
  libc.close(fd);
  libc.close(listening.fd);
});

test("`::` takes IPv4 clients, whose address is unwrapped", async () => {
  const listening = open(ANY_V6);
  const { client, fd } = await pair(listening);
  const ip = new Uint8Array(16);
  assert.is(readIp(arena, ip), 4);
  assert.equal(ip.slice(0, 4), LOOPBACK);
  assert.equal(localAddress(arena, fd), { ip: LOOPBACK, port: listening.port });
  client.close();
  libc.close(fd);
  libc.close(listening.fd);
});

test("a direct connection has no original destination but its own", async () => {
  const listening = open(LOOPBACK);
  const { client, fd } = await pair(listening);
  const original = originalDestination(arena, fd, 4);
  if (original !== null) assert.equal(original, { ip: LOOPBACK, port: listening.port });
  assert.is(originalDestination(arena, fd, 6), null);
  client.close();
  libc.close(fd);
  libc.close(listening.fd);
});

test("peek() shows the bytes again and again, then the end", async () => {
  const listening = open(LOOPBACK);
  const { client, fd } = await pair(listening);
  assert.is(peek(arena, fd), -1);
  client.send("hello");
  for (let round = 0; round < 3; round++) {
    assert.is(await eventually(() => peek(arena, fd) === 5 && 5), 5);
    assert.is(Buffer.from(arena.bytes.subarray(INPUT, INPUT + 5)).toString(), "hello");
  }
  client.close();
  assert.is(libc.recv(fd, arena.address + INPUT, INPUT_BYTES, 0), 5);
  await eventually(() => peek(arena, fd) === 0);
  libc.close(fd);
  libc.close(listening.fd);
});

test("the low-water mark is set and put back", async () => {
  const listening = open(LOOPBACK);
  const { client, fd } = await pair(listening);
  setReceiveLowWater(arena, fd, 1_500);
  assert.is(option(fd, SOL_SOCKET, SO_RCVLOWAT), 1_500);
  setReceiveLowWater(arena, fd, 1);
  assert.is(option(fd, SOL_SOCKET, SO_RCVLOWAT), 1);
  client.close();
  libc.close(fd);
  libc.close(listening.fd);
});

test("the limit on descriptors is raised to the hard one", () => {
  const at = arena.address + LIMITS;
  assert.is(libc.getrlimit(RLIMIT_NOFILE, at), 0);
  const hard = arena.view.getBigUint64(LIMITS + 8, true);
  const lowered = hard < 512n ? hard : 512n;
  arena.view.setBigUint64(LIMITS, lowered, true);
  assert.is(libc.setrlimit(RLIMIT_NOFILE, at), 0);
  assert.is(raiseDescriptorLimit(arena), Number(hard));
  assert.is(libc.getrlimit(RLIMIT_NOFILE, at), 0);
  assert.is(arena.view.getBigUint64(LIMITS, true), hard);
});

test("many wake-ups are one event, and the next is another though none was read", () => {
  const fd = createWake();
  const poller = new Poller(arena);
  const handler: Pollable = { onEvents: () => {}, onFault: () => {} };
  wake(arena, fd);
  assert.ok(poller.add(fd, handler, true) >= 0);
  assert.is(poller.wait(1_000), 1, "what was sent before is seen");
  assert.is(poller.wait(0), 0);
  for (let round = 0; round < 3; round++) {
    wake(arena, fd);
    wake(arena, fd);
    assert.is(poller.wait(1_000), 1);
    assert.is(poller.handler(0), handler);
    assert.is(poller.wait(0), 0);
  }
  libc.close(fd);
  libc.close(poller.fd);
});

test.run();
