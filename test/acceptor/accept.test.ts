import * as assert from "uvu/assert";
import { ListenerHandler } from "../../src/acceptor/accept.ts";
import { Acceptor } from "../../src/acceptor/acceptor.ts";
import { libc } from "../../src/net/libc.ts";
import { listen } from "../../src/net/listener.ts";
import { DescriptorTable } from "../../src/shared/descriptor-table.ts";
import { allocate } from "../../src/shared/memory.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { Client, LOOPBACK } from "./client.ts";

const test = suite("acceptor/accept");

test("a bug met with one connection closes that one, at once or by a timer, and no other", async () => {
  const memory = allocate(1);
  const table = new DescriptorTable(memory);
  const acceptor = new Acceptor({
    memory: memory.words.buffer,
    listeners: [],
    app: null,
    opaquePorts: [],
    detectTimeoutMs: 10_000,
    ownPorts: [],
    policy: { requiresIdentity: false, allowFrom: null },
  });
  const opened = listen(acceptor.arena, { ip: LOOPBACK, port: 0 }, 16);
  if ("error" in opened) throw new Error(opened.error);
  const handler = new ListenerHandler(acceptor, 0, { kind: "forward", ...opened, service: "db:1" });
  const faults: unknown[] = [];
  acceptor.loop.onFault = (error) => faults.push(error);

  // The second connection finds no worker at first, so that its bug comes out of a timer.
  const answers = ["bug", "wait", "bug", "wait"];
  acceptor.dispatcher.dispatch = () => {
    if ((answers.shift() ?? "wait") === "wait") return false;
    throw new Error("staged");
  };
  const clients = [0, 1, 2].map(() => new Client(acceptor.arena).connect(opened.port));
  await eventually(() => {
    acceptor.loop.turn();
    return faults.length === 2;
  });
  assert.is(table.count(), 1);
  assert.is(acceptor.pending.size, 1);
  assert.equal(clients.map((client) => client.isClosed()).filter((isClosed) => isClosed).length, 2);

  for (const pending of [...acceptor.pending]) pending.close();
  assert.is(table.count(), 0);
  assert.is(acceptor.descriptors.violations, 0);
  handler.stop();
  for (const client of clients) client.close();
  libc.close(acceptor.loop.poller.fd);
});

test.run();
