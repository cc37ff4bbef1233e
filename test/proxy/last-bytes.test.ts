/** A response that ends its connection leaves in one packet with the FIN. */
import * as assert from "uvu/assert";
import { Arena, OUTPUT } from "../../src/net/arena.ts";
import { SOL_TCP } from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";
import { ADDRESS_LENGTH } from "../../src/net/socket-address.ts";
import { Client } from "../acceptor/client.ts";
import { eventually } from "../support/eventually.ts";
import { startProgram } from "../support/program.ts";
import { fixedOrigin } from "../support/raw.ts";
import { suite } from "../support/test.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TCP_INFO = 11;
const INFO_BYTES = 192;
/** In `struct tcp_info` (linux/tcp.h). */
const SEGMENTS_IN = 140;
const CLOSE_WAIT = 8;
/** SYN and ACK, the ACK of the request, the response with the FIN. */
const SEGMENTS_MAX = 3;

const test = suite("proxy/last-bytes");
const arena = new Arena(1);

test("a response that ends its connection leaves in one packet with the FIN", async () => {
  const origin = await fixedOrigin(OK);
  const program = await startProgram([`--upstream=web=127.0.0.1:${origin.port}`, "--workers=1"]);
  try {
    for (let round = 0; round < 5; round++) {
      const client = new Client(arena).connect(program.port("outbound"));
      client.send("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
      await eventually(() => assert.is(info(client.fd).state, CLOSE_WAIT));
      const { segments } = info(client.fd);
      assert.ok(segments <= SEGMENTS_MAX, `${segments} segments`);
      const count = libc.recv(client.fd, arena.address + OUTPUT, 4_096, 0);
      const text = Buffer.from(arena.bytes.subarray(OUTPUT, OUTPUT + count)).toString("latin1");
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nok$/);
      assert.is(libc.recv(client.fd, arena.address + OUTPUT, 1, 0), 0, "its end");
      client.close();
    }
  } finally {
    program.child.kill("SIGKILL");
    await program.exited;
    await origin.close();
  }
});

function info(fd: number): { readonly state: number; readonly segments: number } {
  const { address, view } = arena;
  view.setUint32(ADDRESS_LENGTH, INFO_BYTES, true);
  const at = address + OUTPUT;
  assert.is(libc.getsockopt(fd, SOL_TCP, TCP_INFO, at, address + ADDRESS_LENGTH), 0);
  return { state: view.getUint8(OUTPUT), segments: view.getUint32(OUTPUT + SEGMENTS_IN, true) };
}

test.run();
