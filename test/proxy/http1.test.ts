// timeout: 120s
/** HTTP/1 through the real program: hostile clients, hostile backends, and what must pass intact. */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { later } from "../support/later.ts";
import { type Program, startProgram } from "../support/program.ts";
import { fixedOrigin, type RawOrigin, rawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const isWhole = (text: string): boolean => text.endsWith("\r\n\r\nok");

/** Runs `work` with a program whose upstream `web` is `origin`. */
async function through(
  origin: RawOrigin,
  work: (port: number, program: Program) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  const program = await startProgram([
    `--upstream=web=127.0.0.1:${origin.port}`,
    "--workers=1",
    ...args,
  ]);
  try {
    await work(program.port("outbound"), program);
    assert.equal(program.child.exitCode, null, `the program died: ${program.log()}`);
    assert.not.match(program.log(), /a connection failed/);
  } finally {
    program.child.kill("SIGKILL");
    await program.exited;
    await origin.close();
  }
}

const test = suite("proxy/http1");
test.timeout(60_000);

test("a request is written anew, in order and case, without hop-by-hop fields", async () => {
  await through(await fixedOrigin(OK), async (port) => {
    const head =
      "GET /a?b=%20 HTTP/1.1\r\nHost: web\r\nX-CaSe: 1\r\nConnection: keep-alive, X-Drop\r\n" +
      "x-drop: 2\r\nKeep-Alive: 5\r\nAccept:  */*  \r\n\r\n";
    const reply = await send(port, head, { until: isWhole });
    assert.is(reply.text, OK);
  });
});

test("the backend sees exactly the rebuilt request", async () => {
  const origin = await fixedOrigin(OK);
  await through(origin, async (port) => {
    await send(
      port,
      "GET http://web/x HTTP/1.1\r\nHost: other\r\nA:b\r\nl5d-client-id: me\r\n\r\n",
      {
        until: isWhole,
      },
    );
    assert.is(origin.received[0], "GET /x HTTP/1.1\r\nHost: web\r\nA: b\r\n\r\n");
  });
});

test("pipelined requests are answered in order, whole or byte by byte", async () => {
  const origin = await rawOrigin((socket, text) => {
    const paths = [...text.matchAll(/GET \/(\d+) /g)];
    const last = paths.at(-1)?.[1] ?? "";
    if (text.endsWith("\r\n\r\n")) {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${last.length}\r\n\r\n${last}`);
    }
  });
  await through(origin, async (port) => {
    const requests = [1, 22, 333].map((n) => `GET /${n} HTTP/1.1\r\nHost: web\r\n\r\n`).join("");
    for (const pieces of [100_000, 1, 7]) {
      const reply = await send(port, requests, { pieces, until: (text) => text.endsWith("333") });
      const bodies = reply.text.split("\r\n\r\n").map((part) => part.replace(/HTTP[\s\S]*/, ""));
      assert.equal(
        bodies.filter((body) => body !== ""),
        ["1", "22", "333"],
      );
    }
  });
});

test("malformed requests get their status, a close, and never reach the backend", async () => {
  const origin = await fixedOrigin(OK);
  const cases: readonly (readonly [string, number])[] = [
    [
      "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
      400,
    ],
    ["POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400],
    ["POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501],
    ["POST / HTTP/1.0\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400],
    ["POST / HTTP/1.1\r\nHost: web\r\nContent-Length: +5\r\n\r\nhello", 400],
    ["GET / HTTP/1.1\r\nHost: web\r\nA: b\nC: d\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: web\r\n folded: x\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost : web\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: web\r\nA: x\0y\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: web\r\nHost: web\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a, web\r\n\r\n", 400],
    ["GET / HTTP/2.0\r\nHost: web\r\n\r\n", 505],
    ["GET / HTTP/1.1\r\nHost: web\r\nExpect: x\r\n\r\n", 417],
    ["TRACE / HTTP/1.1\r\nHost: web\r\n\r\n", 405],
    [
      "GET / HTTP/1.1\r\nHost: web\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 3\r\n\r\nabc",
      400,
    ],
    [`GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: web\r\n\r\n`, 414],
    [`GET / HTTP/1.1\r\nHost: web\r\n${"a: b\r\n".repeat(101)}\r\n`, 431],
    [`GET / HTTP/1.1\r\nHost: web\r\na: ${"b".repeat(70_000)}\r\n\r\n`, 431],
  ];
  await through(origin, async (port) => {
    for (const [bytes, status] of cases) {
      const reply = await send(port, bytes);
      const seen = `${bytes.slice(0, 90)} -> ${reply.text.slice(0, 60)}`;
      assert.ok(reply.text.startsWith(`HTTP/1.1 ${status} `), seen);
      assert.match(reply.text, /Connection: close/);
      assert.match(reply.text, /Proxy-Status: outrigger; error=http_request_error/);
    }
    assert.is(origin.connections(), 0);
  });
});

test("a broken chunk aborts the upstream request and is never taken for its end", async () => {
  const origin = await rawOrigin(() => {});
  await through(origin, async (port) => {
    const head = "POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    const pending = send(port, head, { withinMs: 300 });
    await eventually(() => (origin.received[0] ?? "").includes("hello"));
    await pending;
    const reply = await send(port, `${head}zz\r\n`);
    assert.match(reply.text, /^HTTP\/1.1 400 /);
    for (const text of origin.received) assert.not.match(text, /\r\n0\r\n\r\n/);
  });
});

test("chunked bodies and trailers pass in both directions, coded anew", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (!text.endsWith("0\r\nX-T: 1\r\n\r\n")) return;
    socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n");
    socket.write("0\r\nX-R: 2\r\nContent-Length: 9\r\n\r\n");
  });
  await through(origin, async (port) => {
    const reply = await send(
      port,
      "POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n0003;e\r\nabc\r\n0\r\nX-T: 1\r\nHost: no\r\n\r\n",
      { until: (text) => text.endsWith("X-R: 2\r\n\r\n") },
    );
    assert.is(reply.end, "open", reply.text);
    assert.match(origin.received[0] ?? "", /\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n$/);
    assert.match(reply.text, /\r\n\r\n5\r\nhello\r\n0\r\nX-R: 2\r\n\r\n$/);
  });
});

test("hostile responses become 502 and their connection is never used again", async () => {
  for (const response of [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "HTTP/1.1 0 OK\r\n\r\n",
    "HTTP/1.1 99 OK\r\n\r\n",
    "HTTP/1.1 1000 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "garbage\r\n\r\n",
    `HTTP/1.1 200 ${"r".repeat(1_000_000)}\r\n\r\n`,
    "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000),
  ]) {
    await through(await fixedOrigin(response), async (port) => {
      const reply = await send(port, "GET / HTTP/1.1\r\nHost: web\r\n\r\n", {
        until: (text) => text.endsWith("\r\n\r\n"),
      });
      assert.match(reply.text, /^HTTP\/1.1 502 /, response.slice(0, 60));
    });
  }
});

test("bytes after a response are seen by nobody", async () => {
  const origin = await fixedOrigin(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
  await through(origin, async (port) => {
    for (let i = 0; i < 3; i++) {
      const reply = await send(port, "GET / HTTP/1.1\r\nHost: web\r\n\r\n", { until: isWhole });
      assert.is(reply.text, OK);
    }
    assert.is(origin.connections(), 3);
  });
});

test("a response that breaks off is seen to break off", async () => {
  const cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
  await through(await fixedOrigin(cut, true), async (port) => {
    const reply = await send(port, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
    assert.is(reply.end, "reset");
  });
  const closed = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
  await through(await fixedOrigin(closed, true), async (port) => {
    const reply = await send(port, "GET / HTTP/1.1\r\nHost: web\r\n\r\n", {
      until: (text) => text.endsWith("0\r\n\r\n"),
    });
    assert.match(reply.text, /Transfer-Encoding: chunked\r\n\r\nd\r\nuntil the end\r\n0\r\n\r\n$/);
  });
});

test("HEAD, 204 and 304 have no body, HTTP/1.0 is answered in its own terms", async () => {
  await through(
    await fixedOrigin("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
    async (port) => {
      const request = "HEAD / HTTP/1.1\r\nHost: web\r\n\r\n";
      const twice = await send(port, request + request, {
        until: (text) => text.split("Content-Length: 500\r\n\r\n").length === 3,
      });
      assert.is(twice.end, "open");
    },
  );
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  await through(await fixedOrigin(chunked), async (port) => {
    const reply = await send(port, "GET / HTTP/1.0\r\nHost: web\r\n\r\n");
    assert.is(reply.end, "fin");
    assert.match(reply.text, /Connection: close\r\n\r\nhello$/);
  });
});

test("100-continue is passed on when the backend says so, and its body follows", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text.endsWith("\r\n\r\n")) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (text.endsWith("hello")) socket.write(OK);
  });
  await through(origin, async (port) => {
    const head =
      "POST / HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    const reply = await send(port, head, { until: (text) => text.includes("100 Continue") });
    assert.match(reply.text, /^HTTP\/1.1 100 Continue\r\n\r\n$/);
    const whole = await send(port, `${head}hello`, { until: isWhole });
    assert.match(whole.text, /200 OK/);
  });
});

test("no byte after an Upgrade request flows before its 101", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text.includes("early")) socket.write("echo:early");
    else if (text.endsWith("\r\n\r\n")) {
      later(100, () => {
        assert.not.match(origin.received[0] ?? "", /early/);
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        );
      });
    }
  });
  await through(origin, async (port) => {
    const reply = await send(
      port,
      "GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly",
      { until: (text) => text.endsWith("echo:early") },
    );
    assert.is(reply.end, "open", reply.text);
    assert.match(reply.text, /^HTTP\/1.1 101 [\s\S]*Upgrade: echo/);
  });
  const refused = await fixedOrigin(OK);
  await through(refused, async (port) => {
    const request = "GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    const reply = await send(port, `${request}GET /smuggled HTTP/1.1\r\nHost: web\r\n\r\n`);
    assert.match(reply.text, /Connection: close/);
    assert.not.match(refused.received.join(""), /smuggled/);
  });
});

test("CONNECT opens a tunnel, early bytes included; not to ourselves, not to link-local", async () => {
  const origin = await rawOrigin((socket, text) => socket.write(`echo:${text}`));
  await through(origin, async (port, program) => {
    const target = `127.0.0.1:${origin.port}`;
    const reply = await send(port, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\nhi`, {
      until: (text) => text.endsWith("echo:hi"),
    });
    assert.is(reply.text, "HTTP/1.1 200 OK\r\n\r\necho:hi");
    const admin = `127.0.0.1:${program.port("admin")}`;
    const own = await send(port, `CONNECT ${admin} HTTP/1.1\r\nHost: ${admin}\r\n\r\n`);
    assert.match(own.text, /^HTTP\/1.1 508 /);
    const metadata = "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n";
    assert.match((await send(port, metadata)).text, /^HTTP\/1.1 403 /);
  });
});

test("a reused connection that died is replaced for idempotent requests only", async () => {
  let drops = 0;
  const origin = await rawOrigin((socket, text) => {
    const requests = text.split("\r\n\r\n").length - 1;
    if (requests === 1) socket.write(OK);
    else {
      drops++;
      socket.destroy();
    }
  });
  await through(origin, async (port) => {
    const get = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
    for (let i = 0; i < 4; i++) assert.is((await send(port, get, { until: isWhole })).text, OK);
    assert.ok(drops > 0);
    const post = "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi";
    const reply = await send(port, post, { until: (text) => text.includes("\r\n\r\n") });
    assert.match(reply.text, /^HTTP\/1.1 502 [\s\S]*connection_terminated/);
  });
});

test("a refused endpoint is passed over, and all refused are waited for before it is 504", async () => {
  const origin = await fixedOrigin(OK);
  const dead = await fixedOrigin(OK);
  await dead.close();
  await through(
    origin,
    async (port) => {
      for (let i = 0; i < 30; i++) {
        const reply = await send(port, "GET / HTTP/1.1\r\nHost: two\r\n\r\n", { until: isWhole });
        assert.is(reply.text, OK);
      }
      const reply = await send(port, "GET / HTTP/1.1\r\nHost: gone\r\n\r\n", {
        until: (text) => text.endsWith("\r\n\r\n"),
        withinMs: 8_000,
      });
      assert.match(reply.text, /^HTTP\/1.1 504 [\s\S]*service in fail-fast/);
      const unknown = await send(port, "GET / HTTP/1.1\r\nHost: no.such.invalid\r\n\r\n", {
        until: (text) => text.endsWith("\r\n\r\n"),
      });
      assert.match(unknown.text, /^HTTP\/1.1 50[24] [\s\S]*error=(dns_|destination_unavailable)/);
    },
    [
      `--upstream=two=127.0.0.1:${dead.port},127.0.0.1:${origin.port}`,
      `--upstream=gone=127.0.0.1:${dead.port}`,
    ],
  );
});

test.run();
