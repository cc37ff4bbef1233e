/** Requests, and what becomes of each: the rows about where a request goes and what goes with it. */
import {
  bad,
  badLine,
  CL,
  GET,
  POST,
  passes,
  type RequestRow,
  refused,
  TE,
} from "./requests-http1.ts";

const OPTIONS = { method: "OPTIONS" };
const CONNECT = { method: "CONNECT", target: "a:443", authority: "a:443" };
const WEBSOCKET = "Upgrade: websocket|Connection: Upgrade";

const HOSTS: readonly RequestRow[] = [
  ...["", "a, b", "a,b", "user@a", "a/b", "a:99999", "a:65536", "a:x", "a:80:80", ":80", "a b"].map(
    (host) => refused(`H1-18 ${host}`, "bad-host", `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
  ),
  ...[
    "[::1",
    "[]",
    "[:]",
    "::1",
    "[::1]x",
    "[::1]80",
    "[g::1]",
    "[fe80::1%25eth0]",
    "a[b]",
    "a?b",
  ].map((host) => refused(`H1-18 ${host}`, "bad-host", `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)),
  ...["a#b", "a\\b", "\xe9", "a\tb", "a".repeat(254), `http://a`].map((host) =>
    refused(`H1-18 ${host}`, "bad-host", `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
  ),
  refused("H1-18 none", "bad-host", "GET / HTTP/1.1\r\n\r\n"),
  refused("H1-18 empty, 1.0", "bad-host", "GET / HTTP/1.0\r\nHost:\r\n\r\n"),
  refused("H1-18 NUL", "bad-field-value", "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n"),
  ...bad("H1-18", "bad-host", "Host: b", "Host: a", "hOST: a"),
  ...[
    "a:80",
    "a:65535",
    "a:",
    "[::1]",
    "[::1]:8080",
    "[::ffff:1.2.3.4]:1",
    "a_b.c-d",
    "1.2.3.4:5",
    "A.B",
  ].map((authority) => {
    const request = `GET / HTTP/1.1|Host: ${authority}`;
    return passes("H1-18", request, request, { authority });
  }),
  passes("H1-18", "GET / HTTP/1.1|X: y|host:a|Y: z", "GET / HTTP/1.1|X: y|host: a|Y: z"),
  passes("H1-18", "GET / HTTP/1.0", "GET / HTTP/1.0|Connection: close", {
    minorVersion: 0,
    authority: "",
    keepAlive: false,
  }),
  passes("H1-18", "GET / HTTP/1.0|Host: a", "GET / HTTP/1.0|Host: a|Connection: close", {
    minorVersion: 0,
    keepAlive: false,
  }),
  passes("H1-19", "GET http://b/ HTTP/1.1|Host: a", "GET / HTTP/1.1|Host: b", { authority: "b" }),
  passes(
    "H1-19",
    "GET HTTP://b:80/c?d HTTP/1.1|X:1|host: a|Y: 2",
    "GET /c?d HTTP/1.1|X: 1|Host: b:80|Y: 2",
    { authority: "b:80", target: "/c?d" },
  ),
  passes("H1-19", "GET http://b HTTP/1.1|Host: a", "GET / HTTP/1.1|Host: b", {
    authority: "b",
    target: "",
  }),
  passes("H1-19", "GET http://[::1]:1/ HTTP/1.1|Host: a", "GET / HTTP/1.1|Host: [::1]:1", {
    authority: "[::1]:1",
  }),
  passes("H1-19", "GET http://b/ HTTP/1.0|X: y", "GET / HTTP/1.0|Host: b|X: y|Connection: close", {
    authority: "b",
    minorVersion: 0,
    keepAlive: false,
  }),
  ...badLine(
    "H1-19",
    "bad-target",
    "GET http:// HTTP/1.1",
    "GET http:/// HTTP/1.1",
    "GET http:/b HTTP/1.1",
  ),
  ...badLine("H1-19", "bad-target", "GET http://u@b/ HTTP/1.1", "GET http://b?x HTTP/1.1"),
  ...badLine("H1-19", "bad-target", "GET http://b:99999/ HTTP/1.1", "GET https://b/ HTTP/1.1"),
  ...badLine(
    "H1-19",
    "bad-target",
    "GET http://b,c/ HTTP/1.1",
    "GET http://b\\c/ HTTP/1.1",
    "GET http HTTP/1.1",
  ),
  refused("H1-19 bad Host", "bad-host", "GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"),
  refused("H1-19 no Host", "bad-host", "GET http://b/ HTTP/1.1\r\n\r\n"),
  passes("H1-20", "CONNECT a:443 HTTP/1.1|Host: b", "CONNECT a:443 HTTP/1.1|Host: b", CONNECT),
  passes(
    "H1-20",
    `CONNECT a:443 HTTP/1.1|Host: b|${WEBSOCKET}`,
    "CONNECT a:443 HTTP/1.1|Host: b",
    CONNECT,
  ),
  ...badLine(
    "H1-20",
    "bad-target",
    "CONNECT a HTTP/1.1",
    "CONNECT a: HTTP/1.1",
    "CONNECT :443 HTTP/1.1",
  ),
  ...badLine(
    "H1-20",
    "bad-target",
    "CONNECT / HTTP/1.1",
    "CONNECT http://a:1/ HTTP/1.1",
    "CONNECT 443 HTTP/1.1",
  ),
  ...badLine(
    "H1-20",
    "bad-target",
    "CONNECT a:99999 HTTP/1.1",
    "CONNECT a:443 HTTP/1.0",
    "CONNECT * HTTP/1.1",
  ),
  refused("H1-20 body", "bad-framing", `CONNECT a:1 HTTP/1.1\r\nHost: a\r\n${CL}1\r\n\r\n`),
  refused(
    "H1-20 chunked",
    "bad-framing",
    `CONNECT a:1 HTTP/1.1\r\nHost: a\r\n${TE}chunked\r\n\r\n`,
  ),
  ...badLine("H1-20", "method-not-allowed", "TRACE / HTTP/1.1", "TRACE * HTTP/1.1"),
  passes("H1-20", "OPTIONS * HTTP/1.1|Host: a", "OPTIONS * HTTP/1.1|Host: a", {
    ...OPTIONS,
    target: "*",
  }),
  passes("H1-20", "OPTIONS http://b HTTP/1.1|Host: a", "OPTIONS * HTTP/1.1|Host: b", {
    ...OPTIONS,
    authority: "b",
    target: "",
  }),
  ...badLine("H1-20", "bad-target", "GET * HTTP/1.1", "OPTIONS ** HTTP/1.1", "OPTIONS */ HTTP/1.1"),
];

const HOPS: readonly RequestRow[] = [
  passes(
    "H1-21",
    `${GET}|${WEBSOCKET}|X: y`,
    `${GET}|Upgrade: websocket|X: y|Connection: Upgrade`,
    {
      upgrade: true,
    },
  ),
  passes(
    "H1-21",
    `${GET}|Upgrade: a, b|Connection: x,UPGRADE`,
    `${GET}|Upgrade: a, b|Connection: Upgrade`,
    {
      upgrade: true,
    },
  ),
  passes(
    "H1-21",
    `${GET}|${WEBSOCKET}|${CL}0`,
    `${GET}|Upgrade: websocket|${CL}0|Connection: Upgrade`,
    {
      upgrade: true,
      body: 0,
    },
  ),
  ...bad("H1-21", "bad-upgrade", `${WEBSOCKET}|${CL}1`.replaceAll("|", "\r\n")),
  ...bad("H1-21", "bad-upgrade", `${WEBSOCKET}|${TE}chunked`.replaceAll("|", "\r\n")),
  passes("H1-21", `GET / HTTP/1.0|${WEBSOCKET}`, "GET / HTTP/1.0|Connection: close", {
    minorVersion: 0,
    authority: "",
    keepAlive: false,
  }),
  passes("H1-21", `${GET}|Upgrade: websocket`, GET),
  passes("H1-21", `${GET}|Connection: upgrade`, GET),
  ...["h2c", "H2C", "h2c, websocket", "websocket,h2c", "websocket h2c", "TLS/1.0", "", ","].map(
    (value) => passes("H1-21", `${GET}|Upgrade: ${value}|Connection: Upgrade`, GET),
  ),
  passes("H1-21", `${GET}|Upgrade: a|Upgrade: h2c|Connection: Upgrade`, GET),
  passes("H1-21", `${GET}|Upgrade: h2c|Upgrade: a|Connection: Upgrade`, GET),
  passes(
    "H1-21",
    `${GET}|Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk`,
    GET,
  ),
  passes("H1-22", `${POST}|Expect: 100-Continue|${CL}1`, `${POST}|Expect: 100-Continue|${CL}1`, {
    method: "POST",
    expectsContinue: true,
    body: 1,
  }),
  passes("H1-22", "GET / HTTP/1.0|Expect: 100-continue", "GET / HTTP/1.0|Connection: close", {
    minorVersion: 0,
    authority: "",
    keepAlive: false,
  }),
  ...bad(
    "H1-22",
    "expectation-failed",
    "Expect: x",
    "Expect:",
    "Expect: 100-continue, x",
    "Expect: 100",
  ),
  ...bad("H1-22", "expectation-failed", "Expect: 100-continue\r\nExpect: 100-continue"),
  passes(
    "H1-25",
    `POST / HTTP/1.1|X-Forwarded-For: b|Connection: close, x-forwarded-for, l5d-client-id, host, content-length|Host: a|${CL}1|l5d-client-id: c`,
    `${POST}|${CL}1`,
    { method: "POST", keepAlive: false, body: 1 },
  ),
  passes("H1-25", `${POST}|${TE}chunked|Connection: transfer-encoding`, `${POST}|${TE}chunked`, {
    method: "POST",
    body: "chunked",
  }),
  passes("H1-25", `${GET}|X-A: 1|X-AB: 2|x-a: 3|Connection: X-a|X-A: 4`, `${GET}|X-AB: 2`),
  passes("H1-25", `${GET}|Connection: x,, ,y|Connection:|X: 1|Z: 2|Y: 3`, `${GET}|Z: 2`),
  passes("H1-25", `${GET}|Connection: Keep-Alive, CLOSE`, GET, { keepAlive: false }),
  passes("H1-25", `${GET}|Connection: close|Connection: keep-alive`, GET, { keepAlive: false }),
  passes("H1-25", `${GET}|Keep-Alive: timeout=5|Proxy-Connection: close|TE: gzip`, GET),
  passes("H1-25", "GET / HTTP/1.0|Connection: keep-alive", "GET / HTTP/1.0|Connection: close", {
    minorVersion: 0,
    authority: "",
  }),
  passes(
    "H1-25",
    `${GET}|TE: gzip, trailers|Trailer: X`,
    `${GET}|Trailer: X|TE: trailers|Connection: TE`,
    {
      acceptsTrailers: true,
    },
  ),
  passes("H1-25", `${GET}|TE: trailersx|TE: trailers;q=1|TE: x trailers`, GET),
  ...bad("H1-25", "bad-connection", "Connection: a b", "Connection: @", "Connection: close;q=1"),
  ...bad(
    "H1-25",
    "bad-connection",
    'Connection: "close"',
    "Connection: \xa0close",
    `Connection: ${"a,".repeat(65)}`,
  ),
  passes(
    "H1-26",
    `${GET}|l5d-client-id: x|L5D-Orig-Proto: HTTP/2|l5d-x: y|X-Forwarded-Client-Cert: z|l5d: k`,
    `${GET}|l5d: k`,
  ),
  passes(
    "H1-28",
    `${GET}|__proto__: 1|constructor: 2|toString: 3|123: 4|A: 5|a: 6|A: 5`,
    `${GET}|__proto__: 1|constructor: 2|toString: 3|123: 4|A: 5|a: 6|A: 5`,
  ),
  passes("H1-30", `${GET}|X-Role: admin|x-role: \xff`, `${GET}|X-Role: admin|x-role: \xff`),
];

export const ROUTING: readonly RequestRow[] = [...HOSTS, ...HOPS];
