// timeout: 120s
/** Opaque TCP, servers that speak first, half-close, resets, and a gigabyte with flat memory. */
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { Arena, OUTPUT } from "../../src/net/arena.ts";
import { MSG_DONTWAIT } from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";
import { Client } from "../acceptor/client.ts";
import { eventually, patient } from "../support/eventually.ts";
import { later } from "../support/later.ts";
import { type Program, startProgram } from "../support/program.ts";
import { rawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";

const MSG_OOB = 0x1;
/** Well below the time that is waited for more of what is too little to tell the protocol by. */
const AT_ONCE_MS = 5_000;

const test = suite("proxy/tcp");
test.timeout(60_000);

async function withProgram(
  args: readonly string[],
  work: (program: Program) => Promise<void>,
): Promise<void> {
  const program = await startProgram(["--workers=1", ...args]);
  try {
    await work(program);
    assert.equal(program.child.exitCode, null, program.log());
  } finally {
    program.child.kill("SIGKILL");
    await program.exited;
  }
}

function forwardTo(origin: { port: number }): readonly string[] {
  return [`--upstream=db=127.0.0.1:${origin.port}`, "--forward=127.0.0.1:0=db:3306"];
}

/** A server that greets, as MySQL does. */
async function greeter(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write("J\0\0\0\x0a8.0.36\0");
    socket.on("data", (chunk) => socket.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

test("a server that speaks first is reached through --forward at once", async () => {
  const origin = await greeter();
  await withProgram(forwardTo(origin), async (program) => {
    const startedMs = performance.now();
    const reply = await send(program.port("forward"), "", { until: (t) => t.includes("8.0.36") });
    assert.is(reply.end, "open");
    assert.ok(
      performance.now() - startedMs < patient(500),
      `took ${performance.now() - startedMs} ms`,
    );
  });
  origin.close();
});

test("a silent client of --app is joined to a server that speaks first, twice as fast again", async () => {
  const origin = await greeter();
  await withProgram([`--app=127.0.0.1:${origin.port}`], async (program) => {
    for (const limitMs of [1_000, 500]) {
      const startedMs = performance.now();
      const port = program.port("inbound");
      const reply = await send(port, "", { until: (t) => t.includes("8.0.36") });
      assert.is(reply.end, "open");
      assert.ok(performance.now() - startedMs < patient(limitMs));
    }
    const metrics = await (await program.admin("/metrics")).text();
    assert.match(metrics, /outrigger_server_spoke_first_total 2/);
  });
  origin.close();
});

test("a client that is silent first and then speaks HTTP is served as HTTP", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text.endsWith("\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  await withProgram([`--app=127.0.0.1:${origin.port}`], async (program) => {
    const text = await new Promise<string>((resolve) => {
      const socket = connect(program.port("inbound"), "127.0.0.1", () => {
        later(300, () => socket.write("GET / HTTP/1.1\r\nHost: a\r\nA:  b\r\n\r\n"));
      });
      socket.on("data", (chunk) => {
        socket.destroy();
        resolve(chunk.toString());
      });
    });
    assert.match(text, /ok$/);
    assert.match(origin.received.join(""), /Host: a\r\nA: b\r\n/);
  });
  await origin.close();
});

test("a client that was silent first, then says a word and ends, is served at once", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text === "ruok") socket.end("imok");
  });
  await withProgram([`--app=127.0.0.1:${origin.port}`], async (program) => {
    const socket = connect({ port: program.port("inbound"), host: "127.0.0.1" });
    const answer = new Promise<string>((resolve) => {
      socket.on("data", (chunk) => resolve(chunk.toString()));
      later(AT_ONCE_MS, () => resolve("nothing"));
    });
    // It was silent for so long that its server has been dialled.
    await eventually(() => assert.is(origin.connections(), 1));
    socket.end("ruok");
    assert.is(await answer, "imok");
    socket.destroy();
  });
  await origin.close();
});

test("a read that stops at an urgent byte is not taken for the last", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text.endsWith("after")) socket.write(text);
  });
  await withProgram(forwardTo(origin), async (program) => {
    const arena = new Arena(1);
    const client = new Client(arena).connect(program.port("forward"));
    client.send("first ");
    await eventually(() => assert.is(origin.received[0], "first "));
    // All of it is there before any of it is read.
    process.kill(program.child.pid ?? 0, "SIGSTOP");
    client.send("before ");
    libc.send(client.fd, arena.address + OUTPUT, 1, MSG_OOB);
    client.send("after");
    process.kill(program.child.pid ?? 0, "SIGCONT");
    await eventually(() => {
      const count = libc.recv(client.fd, arena.address + OUTPUT, 100, MSG_DONTWAIT);
      const text = Buffer.from(arena.bytes.subarray(OUTPUT, OUTPUT + Math.max(count, 0)));
      assert.is(text.toString(), "first before after");
    });
    client.close();
  });
  await origin.close();
});

test("half-close is kept in each direction", async () => {
  const origin = await rawOrigin((socket) => {
    socket.removeAllListeners("end");
    socket.on("end", () => {
      socket.write("after your end");
      socket.end();
    });
  });
  await withProgram(forwardTo(origin), async (program) => {
    const reply = await send(program.port("forward"), "all of it", { halfClose: true });
    assert.is(reply.end, "fin");
    assert.is(reply.text, "after your end");
    assert.is(origin.received[0], "all of it");
  });
  await origin.close();
});

test("a reset is passed on as a reset", async () => {
  const origin = await rawOrigin((socket) => socket.resetAndDestroy());
  await withProgram(forwardTo(origin), async (program) => {
    const reply = await send(program.port("forward"), "hello");
    assert.is(reply.end, "reset");
  });
  await origin.close();
});

test("a gigabyte up and down through HTTP and TCP leaves memory flat", async () => {
  const bytes = 1 << 30;
  const origin = await sink(bytes);
  await withProgram(
    [...forwardTo(origin), `--upstream=web=127.0.0.1:${origin.port}`],
    async (program) => {
      const before = residentMiB(program);
      const head = `POST / HTTP/1.1\r\nHost: web\r\nContent-Length: ${bytes}\r\n\r\n`;
      assert.is(await pushAndPull(program.port("outbound"), head, bytes), bytes);
      assert.is(await pushAndPull(program.port("forward"), head, bytes), bytes);
      const grownMiB = residentMiB(program) - before;
      assert.ok(grownMiB < 64, `grew by ${grownMiB} MiB`);
    },
  );
  origin.close();
});

/** Swallows a request of `bytes` and then sends as many back. */
async function sink(bytes: number): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => {
    let left = -1;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const headEnd = left === -1 ? chunk.indexOf("\r\n\r\n") + 4 : 0;
      if (left === -1) left = bytes;
      left -= chunk.length - headEnd;
      if (left > 0) return;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
      pour(socket, bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

/** Writes `bytes` bytes, 1 MiB at a time, no faster than the socket takes them. */
function pour(socket: Socket, bytes: number): void {
  const piece = Buffer.alloc(1 << 20, 0x61);
  let sent = 0;
  const more = (): void => {
    while (sent < bytes) {
      sent += piece.length;
      if (!socket.write(piece)) {
        socket.once("drain", more);
        return;
      }
    }
  };
  more();
}

/** Sends head and body, and returns how many body bytes came back. */
function pushAndPull(port: number, head: string, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let received = -1;
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(head);
      pour(socket, bytes);
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
    socket.on("data", (chunk: Buffer) => {
      received =
        received === -1 ? chunk.length - chunk.indexOf("\r\n\r\n") - 4 : received + chunk.length;
      if (received === bytes) socket.destroy();
    });
  });
}

function residentMiB({ child }: Program): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

test.run();
