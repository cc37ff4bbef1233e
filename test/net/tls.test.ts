/** TLS on our own loop: both ends are the product's, certificates are made here. */
import * as assert from "uvu/assert";
import { INPUT } from "../../src/net/arena.ts";
import { MSG_DONTWAIT } from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";
import { TlsContext, type TlsOptions } from "../../src/net/tls-context.ts";
import {
  type Authority,
  credentialsOf,
  type Issued,
  type IssueOptions,
  identityOf,
  makeAuthority,
} from "../support/certificates.ts";
import { suite } from "../support/test.ts";
import { type End, makeIo, pairOf, shakeHands, turnUntil } from "../support/tls-pair.ts";

const test = suite("net/tls");
const io = makeIo();
const HOUR_MS = 3_600_000;
/** RFC 8446 §5.2: header, alert, its real type, tag. */
const CLOSE_NOTIFY_BYTES = 5 + 2 + 1 + 16;
const anchor = await makeAuthority();
const stranger = await makeAuthority({ name: "anchor" });
const web = identityOf("web");
const names: IssueOptions = { dns: [web.dns], uris: [web.uri] };
const good = await anchor.issue(names);

function options(issued: Issued | null, roots: readonly Uint8Array[], alpn: string[] = []) {
  return {
    certificates: issued?.certificates ?? [],
    key: issued?.key ?? new Uint8Array(0),
    roots,
    alpn,
    clientCertificate: "required",
  } satisfies TlsOptions;
}

const serverOptions = options(good, [anchor.root]);

/** Shakes hands; both are closed by `close`. */
function shake(client: TlsOptions, server: TlsOptions = serverOptions, name: string | null = null) {
  const pair = pairOf(io);
  const contexts = [
    TlsContext.create(io.arena, "server", server),
    TlsContext.create(io.arena, "client", client),
  ] as const;
  pair.server.begin(contexts[0], null);
  pair.client.begin(contexts[1], name);
  shakeHands(io, pair.client, pair.server);
  // Connections keep what they need.
  for (const context of contexts) context.free();
  return pair;
}

function close({ client, server }: { client: End; server: End }): void {
  client.close();
  server.close();
}

test("both ends with certificates of one anchor talk", () => {
  const pair = shake(options(good, [anchor.root]), serverOptions, web.dns);
  const { client, server } = pair;
  assert.is(client.state, "done");
  assert.is(server.state, "done");
  assert.ok(server.tls?.isChainValid);
  assert.equal(server.tls?.peerChain(), [...good.certificates]);
  assert.equal(client.tls?.peerChain(), [...good.certificates]);
  client.say("ping");
  turnUntil(io, () => server.text === "ping");
  server.say("pong");
  turnUntil(io, () => client.text === "pong");
  close(pair);
});

test("close_notify is an end, after which the other direction still flows", () => {
  const pair = shake(options(good, [anchor.root]));
  const { client, server } = pair;
  client.say("last words");
  client.end();
  turnUntil(io, () => server.how === "end");
  assert.is(server.text, "last words");
  server.say("an answer");
  server.end();
  turnUntil(io, () => client.how === "end");
  assert.is(client.text, "an answer");
  close(pair);
});

test("a stream that is cut without close_notify is broken, not ended", () => {
  const pair = shake(options(good, [anchor.root]));
  pair.client.say("half of");
  turnUntil(io, () => pair.server.text === "half of");
  // Behind the session's back: a FIN alone.
  pair.client.tls?.free();
  pair.client.tls = null;
  pair.client.end();
  turnUntil(io, () => pair.server.how !== "open");
  assert.is(pair.server.how, "broken");
  assert.is(pair.server.tls?.failure, "closed");
  close(pair);
});

test("close_notify waits for a socket that is full, and the FIN for close_notify", () => {
  const pair = shake(options(good, [anchor.root]));
  const { client, server } = pair;
  server.isReading = false;
  server.isCounting = true;
  server.dropTls();
  // Behind the session's back, to the last byte that the kernel takes.
  let filled = 0;
  for (const size of [65_536, 1_024, 1]) {
    for (;;) {
      const sent = libc.send(client.fd, io.arena.address + INPUT, size, MSG_DONTWAIT);
      if (sent <= 0) break;
      filled += sent;
    }
  }
  client.end();
  assert.not.ok(client.isFlushed);
  server.isReading = true;
  turnUntil(io, () => {
    server.pump();
    return server.how !== "open";
  });
  assert.is(server.receivedBytes, filled + CLOSE_NOTIFY_BYTES);
  assert.ok(client.isFlushed);
  close(pair);
});

test("16 MiB arrive whole and in order through a queue that fills", () => {
  const pair = shake(options(good, [anchor.root]));
  const { client, server } = pair;
  const piece = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  let sent = 0;
  let at = 0;
  server.isCounting = true;
  const check = (): void => {
    server.pump();
  };
  turnUntil(io, () => {
    server.isReading = sent % 3 !== 0 || client.queuedBytes > 0;
    check();
    if (sent < 256 && client.queuedBytes === 0) {
      client.say(piece);
      sent++;
    }
    at = server.receivedBytes;
    return at === 256 * 65_536;
  });
  server.isCounting = false;
  client.say(piece);
  turnUntil(io, () => Buffer.concat(server.received).length === 65_536);
  assert.equal(Buffer.concat(server.received), Buffer.from(piece));
  close(pair);
});

test("a peek shows what the next read returns, however it is cut", () => {
  const pair = shake(options(good, [anchor.root]));
  const { client, server } = pair;
  server.isReading = false;
  client.say("GE");
  let shown = "";
  const look = (): string => {
    const count = server.peek(262_144);
    shown = count > 0 ? Buffer.from(io.arena.bytes.slice(262_144, 262_144 + count)).toString() : "";
    return shown;
  };
  turnUntil(io, () => look() === "GE");
  client.say("T / HTTP/1.1\r\n");
  turnUntil(io, () => look() === "GET / HTTP/1.1\r\n");
  assert.is(look(), "GET / HTTP/1.1\r\n");
  server.tls?.skip(4);
  server.isReading = true;
  server.pump();
  assert.is(server.text, "/ HTTP/1.1\r\n");
  close(pair);
});

test("an application protocol is agreed on when both have it, and none otherwise", () => {
  const header = "transport.l5d.io/v1";
  const takes = options(good, [anchor.root], [header]);
  for (const [offered, expected] of [
    [[header], header],
    [["h2", header], header],
    [["h2"], null],
    [["transport.l5d.io/v"], null],
    [[], null],
  ] as const) {
    const pair = shake(options(good, [anchor.root], [...offered]), takes);
    assert.is(pair.server.state, "done");
    assert.is(pair.server.tls?.alpn(), expected, offered.join());
    assert.is(pair.client.tls?.alpn(), expected, offered.join());
    close(pair);
  }
});

const past = { notBefore: new Date(Date.now() - 2 * HOUR_MS) };
const STRANGERS: readonly [string, Authority, IssueOptions | null, string][] = [
  ["nobody", anchor, null, "no-certificate"],
  ["a self-signed certificate", anchor, { ...names, isSelfSigned: true }, "untrusted"],
  ["another anchor of the same name", stranger, names, "untrusted"],
  [
    "an expired one",
    anchor,
    { ...names, ...past, notAfter: new Date(Date.now() - HOUR_MS) },
    "expired",
  ],
  [
    "one of tomorrow",
    anchor,
    { ...names, notBefore: new Date(Date.now() + HOUR_MS) },
    "not-yet-valid",
  ],
  ["one for mail", anchor, { ...names, eku: ["emailProtection"] }, "wrong-usage"],
  ["one for servers only", anchor, { ...names, eku: ["serverAuth"] }, "wrong-usage"],
];

for (const [name, authority, issue, failure] of STRANGERS) {
  test(`a server refuses ${name}, every time`, async () => {
    const issued = issue === null ? null : await authority.issue(issue);
    for (let i = 0; i < 50; i++) {
      const pair = shake(options(issued, [anchor.root]));
      assert.is(pair.server.state, "failed");
      assert.is(pair.server.tls?.failure, failure);
      close(pair);
    }
  });
}

test("a client refuses a server of another anchor, and one for clients only", async () => {
  const other = await stranger.issue(names);
  const clientOnly = await anchor.issue({ ...names, eku: ["clientAuth"] });
  for (const [issued, failure] of [
    [other, "untrusted"],
    [clientOnly, "wrong-usage"],
  ] as const) {
    const pair = shake(options(good, [anchor.root]), options(issued, [anchor.root]));
    assert.is(pair.client.state, "failed");
    assert.is(pair.client.tls?.failure, failure);
    assert.is(pair.server.state, "failed");
    assert.is(pair.server.tls?.failure, "refused");
    close(pair);
  }
});

test("a key that is not the certificate's makes no context", async () => {
  const other = await anchor.issue(names);
  const credentials = credentialsOf(anchor, good, web);
  assert.throws(
    () =>
      TlsContext.create(io.arena, "server", {
        ...serverOptions,
        certificates: credentials.certificates,
        key: other.key,
      }),
    /does not take/,
  );
  assert.throws(
    () => TlsContext.create(io.arena, "client", { ...serverOptions, roots: [Uint8Array.of(48)] }),
    /trust anchor/,
  );
});

test("the key does not stay in scratch memory", () => {
  const context = TlsContext.create(io.arena, "server", serverOptions);
  context.free();
  const key = Buffer.from(good.key).subarray(40, 60);
  const scratch = Buffer.from(io.arena.bytes.slice(0, 1 << 20));
  assert.is(scratch.indexOf(key), -1);
});

test.run();
