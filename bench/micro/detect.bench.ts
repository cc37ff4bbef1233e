/** What it costs to decide the protocol of a connection: ns per call of detect(), by kind of start. */
import { detect } from "../../src/protocol/detect.ts";
import { capturedHello, clientHello, latin1 } from "../../test/support/client-hello.ts";
import { measure } from "./measure.ts";

const NAMES = { sni: "orders.shop.serviceaccount.identity.outrigger.local", alpn: ["h2"] };
const GET = "GET /orders/42?full=1 HTTP/1.1\r\nHost: orders\r\nAccept: */*\r\n\r\n";

const inputs: readonly (readonly [string, number, Uint8Array])[] = [
  ["GET / HTTP/1.1", 100_000, latin1("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")],
  ["request of 61 bytes", 100_000, latin1(GET)],
  ["HTTP/2 preface", 100_000, latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
  ["opaque at the first byte", 100_000, Uint8Array.of(0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f)],
  ["hello of 517 bytes", 10_000, clientHello({ ...NAMES, wireBytes: 517 })],
  ["hello of 517 bytes, curl's own", 10_000, capturedHello("curl-h2")],
  ["hello of 517 bytes, no names", 10_000, clientHello({ wireBytes: 517 })],
  [
    "hello of 1.7 KB, post-quantum",
    10_000,
    clientHello({ ...NAMES, keyShareBytes: 1216, wireBytes: 1700 }),
  ],
  [
    "go's post-quantum hello, first 1400 bytes",
    10_000,
    capturedHello("go-post-quantum").subarray(0, 1400),
  ],
  ["hello of 1.7 KB in two records", 10_000, clientHello({ ...NAMES, wireBytes: 1700 }, [900])],
  ["hello of 24 KB in 4000 records", 50, clientHello({ ...NAMES, wireBytes: 4005 }, [1])],
];

for (const [name, batch, bytes] of inputs) {
  const buffer = new Uint8Array(65_536);
  buffer.set(bytes);
  measure(name, batch, () => detect(buffer, 0, bytes.length, false));
}
