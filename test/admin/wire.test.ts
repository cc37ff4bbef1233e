import { createConnection } from "node:net";
import * as assert from "uvu/assert";
import { adminApp } from "../../src/admin/app.ts";
import { runtime } from "../../src/net/runtime.ts";
import { answers, depsOf } from "../support/admin.ts";
import { suite } from "../support/test.ts";

const test = suite("admin/wire");

/** Sends bytes as they are and returns the status line and the head that came back. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = createConnection(port, "127.0.0.1");
  let answer = "";
  const head = new Promise<string>((resolve, reject) => {
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      answer += chunk;
      if (answer.includes("\r\n\r\n")) resolve(answer.toLowerCase());
    });
    socket.on("error", reject).on("close", () => resolve(answer.toLowerCase()));
  });
  socket.write(bytes);
  return await head.finally(() => socket.destroy());
}

test("odd heads on the wire get an answer and no secret", async () => {
  const failures: string[] = [];
  const log = { error: (message: string) => void failures.push(message), info: () => {} };
  const app = adminApp({ ...depsOf(), log, config: () => "secret" });
  const server = await runtime.serveHttp({ host: "127.0.0.1", port: 0, fetch: app.fetch });
  try {
    const refused = [
      "GET /config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET /config HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
      "GET http://localhost/config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET /x/../config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET //config HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /config HTTP/1.1\r\nHost: \r\n\r\n",
      "GET /config HTTP/1.1\r\nHost: a b@@[\r\n\r\n",
      "GET /config/../../config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ];
    for (const bytes of refused) {
      assert.match(await raw(server.port, bytes), /^http\/1\.1 40[034] (?![\s\S]*secret)/, bytes);
    }
    const health = "GET /live HTTP/1.0\r\n\r\n";
    assert.match(await raw(server.port, health), /^http\/1\.[01] 200 /);
    const head = "HEAD /live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert.match(await raw(server.port, head), /content-length: 5\r\n/);
    assert.equal(failures, []);
  } finally {
    await server.close();
  }
});

test("it serves over a socket, with the peer that the kernel saw", async () => {
  const app = adminApp(depsOf());
  const server = await runtime.serveHttp({ host: "127.0.0.1", port: 0, fetch: app.fetch });
  try {
    const base = `http://127.0.0.1:${server.port}`;
    await answers(await fetch(`${base}/live`), 200, "live\n");
    await answers(await fetch(`${base}/log-level`), 200, "info\n");
    await answers(await fetch(`${base}/log-level`, { method: "PUT", body: "debug" }), 204);
    await answers(await fetch(`${base}/log-level`, { method: "PUT", body: "x".repeat(1e6) }), 400);
    await answers(await fetch(`${base}/nothing`), 404, "");
    await answers(await fetch(`${base}/live`, { method: "HEAD" }), 200, "");
  } finally {
    await server.close();
  }
});

test.run();
