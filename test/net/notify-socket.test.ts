/** Notices to a service manager's socket, by both kinds of address, and to sockets that are none. */
import { randomUUID } from "node:crypto";
import * as assert from "uvu/assert";
import { Arena } from "../../src/net/arena.ts";
import { NotifySocket } from "../../src/net/notify-socket.ts";
import { ServiceManager } from "../support/service-manager.ts";
import { suite } from "../support/test.ts";

const test = suite("net/notify-socket");

function open(address: string): NotifySocket {
  const socket = NotifySocket.open(new Arena(0), address);
  if ("error" in socket) throw new Error(`${address}: ${socket.error}`);
  return socket;
}

test("a path and an abstract name are both reached, and each notice comes whole", () => {
  const longest = randomUUID().padEnd(107, "x");
  for (const address of [undefined, `@${randomUUID()}`, `@${longest}`]) {
    const manager = new ServiceManager(address).listen();
    const socket = open(manager.address);
    assert.is(socket.send("READY=1\nSTATUS=gut, läuft"), null);
    assert.is(socket.send("STOPPING=1"), null);
    assert.equal(manager.lines(), ["READY=1", "STATUS=gut, läuft", "STOPPING=1"]);
    socket.close();
    manager.close();
  }
});

test("what cannot be a socket's address is refused", () => {
  for (const address of ["", "/", "@", "relative", "vsock:2:1234", `/${"x".repeat(107)}`]) {
    const socket = NotifySocket.open(new Arena(0), address);
    assert.ok("error" in socket, address);
  }
});

test("nobody there, somebody who came later, and somebody who reads nothing", () => {
  const manager = new ServiceManager();
  const socket = open(manager.address);
  assert.is(socket.send("READY=1"), "ENOENT");
  manager.listen();
  assert.is(socket.send("READY=1"), null);
  let failure: string | null = null;
  let sent = 1;
  // The kernel's queue holds net.unix.max_dgram_qlen notices, 512 as Linux has it now.
  for (; failure === null && sent < 100_000; sent++) failure = socket.send("WATCHDOG=1");
  assert.is(failure, "EAGAIN");
  assert.is(manager.lines().length, sent - 1);
  assert.is(socket.send("STOPPING=1"), null);
  socket.close();
  manager.close();
});

test("a text that is longer than a manager reads is cut", () => {
  const manager = new ServiceManager().listen();
  const socket = open(manager.address);
  assert.is(socket.send("x".repeat(10_000)), null);
  assert.is(manager.lines()[0]?.length, 4_096);
  socket.close();
  manager.close();
});

test.run();
