import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { ANSWERS, BODY_BYTES, type Origin, SINK_PATH, startOrigin } from "../../bench/origin.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";

const test = suite("bench/origin");
const directory = mkdtempSync(join(tmpdir(), "origin-"));
let origin: Origin;

test.before(async () => {
  origin = await startOrigin(directory);
});
test.after(async () => {
  await origin.stop();
  rmSync(directory, { recursive: true });
});

class Client {
  received = "";
  isClosed = false;
  readonly #socket = net.connect({ host: "127.0.0.1", port: origin.port });

  constructor() {
    this.#socket.setEncoding("latin1").on("data", (text: string) => {
      this.received += text;
    });
    this.#socket.on("error", () => {}); // `close` follows
    this.#socket.on("close", () => {
      this.isClosed = true;
    });
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  /** The next answer, of a 200 whose body has so many bytes. */
  async answer(bodyBytes: number): Promise<void> {
    await eventually(() => {
      const [head = "", body = ""] = this.received.split("\r\n\r\n");
      assert.match(head, /^HTTP\/1.1 200 /);
      assert.is(body.length, bodyBytes);
    });
    assert.not.ok(this.isClosed);
    this.received = "";
  }

  end(): void {
    this.#socket.destroy();
  }
}

test("answers have the sizes they are named after", async () => {
  const client = new Client();
  for (const { path, bytes } of [
    { path: "/", bytes: BODY_BYTES["/"] },
    ...Object.values(ANSWERS),
  ]) {
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.answer(bytes);
  }
  client.end();
});

test("a POST is answered when its body was read, and the connection kept", async () => {
  const client = new Client();
  const other = new Client();
  for (const { bytes } of Object.values(ANSWERS)) {
    client.send(`POST ${SINK_PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
    client.send("x".repeat(bytes - 1));
    // The origin is one process: when it has answered this it had what was sent before.
    for (let i = 0; i < 3; i++) {
      other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await other.answer(BODY_BYTES["/"]);
    }
    assert.is(client.received, "");
    client.send("x");
    await client.answer(BODY_BYTES["/"]);
  }
  client.end();
  other.end();
});

test.run();
