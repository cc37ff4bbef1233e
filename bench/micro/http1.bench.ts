/** What a head costs: ns to parse it, and to parse it and write it anew, in one buffer. */
import { BodyKind } from "../../src/codec/http1/framing.ts";
import { RequestHead } from "../../src/codec/http1/request-head.ts";
import { ResponseHead } from "../../src/codec/http1/response-head.ts";
import { writeRequestHead } from "../../src/codec/http1/write-request.ts";
import { ConnectionChoice, writeResponseHead } from "../../src/codec/http1/write-response.ts";
import { latin1 } from "../../test/support/read-http1.ts";
import { measure } from "./measure.ts";

const BATCH = 20_000;
/** Where the input and the output lie. */
const BASE = 16_384;
const OUT = 81_920;

const WRK = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

const BROWSER = [
  "GET /assets/app.4f9c1b2e.js?v=20240611&lang=en HTTP/1.1",
  "Host: shop.example.com",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Referer: https://shop.example.com/catalogue/shoes",
  "Connection: keep-alive",
  "Cookie: session=9f86d081884c7d659a2feaa0c55ad015; theme=dark; consent=yes",
  "Upgrade-Insecure-Requests: 1",
  "Sec-Fetch-Dest: script",
  "Sec-Fetch-Mode: no-cors",
  "Sec-Fetch-Site: same-origin",
  'If-None-Match: "4f9c1b2e-1a2b"',
  "Cache-Control: max-age=0",
  "Priority: u=1",
  "",
  "",
].join("\r\n");

const NGINX = [
  "HTTP/1.1 200 OK",
  "Server: nginx/1.26.1",
  "Date: Tue, 11 Jun 2024 10:11:12 GMT",
  "Content-Type: text/html",
  "Content-Length: 615",
  "Last-Modified: Tue, 28 May 2024 13:22:30 GMT",
  "Connection: keep-alive",
  'ETag: "6655da96-267"',
  "Accept-Ranges: bytes",
  "",
  "",
].join("\r\n");

const bytes = new Uint8Array(1 << 20);

for (const [name, text] of [
  ["wrk", WRK],
  ["browser", BROWSER],
] as const) {
  const end = BASE + text.length;
  const head = new RequestHead();
  bytes.set(latin1(text), BASE);
  measure(`parse ${name}'s request, ${text.length} bytes`, BATCH, () => {
    head.reset();
    return head.parse(bytes, BASE, end);
  });
  measure(`parse and write ${name}'s request, ${text.length} bytes`, BATCH, () => {
    head.reset();
    head.parse(bytes, BASE, end);
    return writeRequestHead(bytes, BASE, head, OUT);
  });
}

const end = BASE + NGINX.length;
const head = new ResponseHead();
bytes.set(latin1(NGINX), BASE);
measure(`parse nginx's response, ${NGINX.length} bytes`, BATCH, () => {
  head.reset();
  return head.parse(bytes, BASE, end);
});
measure(`parse and write nginx's response, ${NGINX.length} bytes`, BATCH, () => {
  head.reset();
  head.parse(bytes, BASE, end);
  return writeResponseHead(bytes, BASE, head, BodyKind.length, ConnectionChoice.silent, OUT);
});
