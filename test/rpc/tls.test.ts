// timeout: 180s
/** Who may call whom: our server and our client over TLS, with good certificates and each bad kind. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256 } from "@noble/hashes/sha2.js";
import * as assert from "uvu/assert";
import type { Credentials } from "../../src/mesh/credentials.ts";
import type { RpcChannel, RpcClientHandle } from "../../src/rpc/client-handle.ts";
import type { ClientTls, Trust } from "../../src/rpc/client-messages.ts";
import type { ServerCount } from "../../src/rpc/server-messages.ts";
import {
  type Authority,
  type IssueOptions,
  identityOf,
  issueCredentials,
  makeAuthority,
  toPem,
} from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import {
  bytesOf,
  errorOf,
  LOOPBACK,
  pathOf,
  type RpcRig,
  Status,
  startRpcClient,
  startRpcServer,
  textOf,
} from "../support/rpc.ts";
import { suite } from "../support/test.ts";
import { runTool } from "../support/tool.ts";

const test = suite("rpc/tls");
test.timeout(30_000);

const CONTROL = identityOf("control", "outrigger");
const WEB = identityOf("web");
const HOUR_MS = 3_600_000;
const WITHIN = { timeoutMs: 5_000 };

let mesh: Authority;
let foreign: Authority;
let control: Credentials;
let web: Credentials;
let rig: RpcRig;
let client: RpcClientHandle;
let faults: string[];

test.before(async () => {
  mesh = await makeAuthority();
  foreign = await makeAuthority();
  const issuer = await makeAuthority({ parent: mesh });
  control = await issueCredentials(issuer, CONTROL);
  web = await issueCredentials(issuer, WEB);
  rig = await startRpcServer({ credentials: control });
  ({ client, faults } = await startRpcClient());
});
test.after(async () => {
  await client.stop();
  await rig.stop();
  assert.equal([...faults, ...rig.faults], []);
});

const pinOf = (authority: Authority): Trust => ({ roots: [], pins: [sha256(authority.root)] });
const rootOf = (authority: Authority): Trust => ({ roots: [authority.root], pins: [] });

function tls(more: Partial<ClientTls> = {}): ClientTls {
  const serverName = CONTROL.dns;
  return { credentials: null, serverName, expected: CONTROL.dns, trust: pinOf(mesh), ...more };
}

function openTo(port: number, more: Partial<ClientTls> = {}): Promise<RpcChannel> {
  return client.open({ address: { ip: LOOPBACK, port }, tls: tls(more) });
}

async function echo(channel: RpcChannel, text = "hello"): Promise<string> {
  return textOf(await channel.call(pathOf("Echo"), bytesOf(text), WITHIN));
}

async function counted(name: ServerCount, more: () => Promise<unknown>): Promise<void> {
  const before = rig.server.counts[name];
  await more();
  await eventually(() => rig.server.counts[name] > before, { what: name });
}

test("who has nothing but the pin of the anchor is served, and is nobody", async () => {
  const channel = await openTo(rig.port);
  assert.is(await echo(channel), "hello");
  const { peer } = rig.calls.at(-1) ?? {};
  assert.equal([peer?.isTls, peer?.identity], [true, null]);
  channel.close();
});

test("who shows a certificate is who it says", async () => {
  for (const trust of [pinOf(mesh), rootOf(mesh)]) {
    for (const expected of [CONTROL.dns, CONTROL.uri]) {
      const channel = await openTo(rig.port, { credentials: web, trust, expected });
      assert.is(await echo(channel), "hello");
      const { peer } = rig.calls.at(-1) ?? {};
      assert.equal([peer?.isTls, peer?.identity], [true, WEB]);
      channel.close();
    }
  }
});

test("four megabytes go both ways through TLS", async () => {
  const channel = await openTo(rig.port, { credentials: web });
  const message = new Uint8Array(4 << 20).fill(0x5a);
  const answer = await channel.call(pathOf("Echo"), message, { timeoutMs: 10_000 });
  assert.is(Buffer.compare(answer, message), 0);
  channel.close();
});

for (const [title, more, why] of [
  [
    "another pin",
    (): Partial<ClientTls> => ({ trust: pinOf(foreign) }),
    /none of the trust anchors/,
  ],
  ["another anchor", () => ({ trust: rootOf(foreign) }), /handshake failed: untrusted/],
  ["another name", () => ({ expected: WEB.dns }), /the server is .*control.*, and not web/],
  ["no name", () => ({ expected: "" }), /and not/],
  [
    "the pin of its leaf",
    () => ({ trust: { roots: [], pins: [sha256(control.certificates[0] ?? new Uint8Array(0))] } }),
    /none of the trust anchors/,
  ],
] as const) {
  test(`a server that has ${title} gets no byte of a request`, async () => {
    const before = rig.calls.length;
    const error = await errorOf(openTo(rig.port, more()));
    assert.is(error.status, Status.unavailable);
    assert.match(error.message, why);
    // All that the server ever saw begin was handed to a handler.
    await eventually(() => rig.server.counts.calls_begun === rig.calls.length);
    assert.is(rig.calls.length, before);
  });
}

for (const [title, options, why] of [
  [
    "expired",
    { notBefore: new Date(Date.now() - 2 * HOUR_MS), notAfter: new Date(Date.now() - HOUR_MS) },
    /expired/,
  ],
  ["not yet valid", { notBefore: new Date(Date.now() + HOUR_MS) }, /not-yet-valid/],
  ["only a client's", { eku: ["clientAuth"] }, /wrong-usage/],
  ["self-signed", { isSelfSigned: true }, /untrusted|not-a-leaf|no anchor/],
  ["a CA's", { isCa: true, keyUsage: ["keyCertSign"] }, /not-a-leaf/],
] satisfies [string, IssueOptions, RegExp][]) {
  test(`a server whose certificate is ${title} is refused by pin and by root`, async () => {
    const bad = await issueCredentials(mesh, CONTROL, options);
    const lying = await startRpcServer({ credentials: bad });
    try {
      for (const trust of [pinOf(mesh), rootOf(mesh)]) {
        const error = await errorOf(openTo(lying.port, { trust }));
        assert.is(error.status, Status.unavailable);
        if (trust.pins.length > 0) assert.match(error.message, why);
      }
      assert.equal(lying.calls, []);
    } finally {
      await lying.stop();
    }
  });
}

test("a server that keeps its anchor to itself cannot be pinned", async () => {
  const shy = await startRpcServer({ credentials: { ...control, roots: [] } });
  assert.match((await errorOf(openTo(shy.port))).message, /none of the trust anchors/);
  await shy.stop();
});

test("a foreign server that sends our anchor along is still foreign", async () => {
  const forged = await issueCredentials(foreign, CONTROL);
  const lying = await startRpcServer({ credentials: { ...forged, roots: [mesh.root] } });
  assert.match((await errorOf(openTo(lying.port))).message, /untrusted/);
  await lying.stop();
});

for (const [title, make] of [
  ["of another anchor", () => issueCredentials(foreign, WEB)],
  ["self-signed", () => issueCredentials(mesh, WEB, { isSelfSigned: true })],
  [
    "expired",
    () => issueCredentials(mesh, WEB, { notBefore: new Date(0), notAfter: new Date(1e12) }),
  ],
  ["only a server's", () => issueCredentials(mesh, WEB, { eku: ["serverAuth"] })],
  [
    "a CA's",
    () =>
      issueCredentials(mesh, WEB, { isCa: true, keyUsage: ["digitalSignature", "keyCertSign"] }),
  ],
  ["without a name", () => issueCredentials(mesh, { dns: null, uri: null })],
] satisfies [string, () => Promise<Credentials>][]) {
  test(`a client whose certificate is ${title} is refused`, async () => {
    const credentials = await make();
    const before = rig.calls.length;
    const refusals = (): number =>
      rig.server.counts.failed_handshakes + rig.server.counts.refused_certificates;
    const refused = refusals();
    const error = await errorOf(openTo(rig.port, { credentials }));
    assert.is(error.status, Status.unavailable);
    await eventually(() => refusals() > refused);
    assert.is(rig.calls.length, before);
  });
}

test("a client whose credentials do not fit together is told so here", async () => {
  const { key } = await issueCredentials(mesh, WEB);
  const error = await errorOf(openTo(rig.port, { credentials: { ...web, key } }));
  assert.match(error.message, /OpenSSL does not take/);
});

test("this host may speak plaintext, others may not", async () => {
  const channel = await client.open({ address: { ip: LOOPBACK, port: rig.port }, tls: null });
  assert.is(await echo(channel), "hello");
  channel.close();
  const outer = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4");
  if (outer === undefined) throw new Error("this needs an address that is not loopback");
  const any = await startRpcServer({ credentials: control, ip: new Uint8Array(4) });
  const ip = Uint8Array.from(outer.address.split("."), Number);
  const address = { ip, port: any.port };
  const error = await errorOf(client.open({ address, tls: null }));
  assert.is(error.status, Status.unavailable);
  await eventually(() => any.server.counts.refused_plaintext === 1);
  assert.is(await echo(await client.open({ address, tls: tls() })), "hello");
  assert.is(any.calls.length, 1);
  await any.stop();
});

test("new credentials are for new connections, and those that live go on", async () => {
  const server = await startRpcServer({ credentials: control });
  const old = await openTo(server.port, { credentials: web });
  server.server.present(await issueCredentials(foreign, CONTROL));
  const renewed = await eventually(() => openTo(server.port, { trust: pinOf(foreign) }));
  assert.equal([await echo(renewed), await echo(old)], ["hello", "hello"]);
  assert.equal(server.calls.at(-1)?.peer.identity, WEB);
  await errorOf(openTo(server.port, { credentials: web, trust: pinOf(foreign) }));
  await server.stop();
});

test("a connection does not outlive the certificate of either side", async () => {
  const soon = { notAfter: new Date(Date.now() + 2_500) };
  const shortWeb = await issueCredentials(mesh, WEB, soon);
  const server = await startRpcServer({ credentials: control });
  const short = await startRpcServer({ credentials: await issueCredentials(mesh, CONTROL, soon) });
  const [byServer, byClient, lasting] = await Promise.all([
    openTo(server.port, { credentials: shortWeb }),
    openTo(short.port),
    openTo(server.port, { credentials: web }),
  ]);
  // The call goes on: it has a grace.
  const stream = byServer.stream(pathOf("HangLate"), bytesOf(""), { timeoutMs: null });
  await stream.next();
  assert.is(await byServer.closed, "the server goes away");
  assert.is(await byClient.closed, "the server's certificate has expired");
  assert.is(lasting.isOpen, true);
  assert.is(server.server.callCount, 1);
  await errorOf(openTo(server.port, { credentials: shortWeb }));
  await stream.return?.();
  await server.stop();
  await short.stop();
});

test("credentials that cannot be used are told of, and change nothing", async () => {
  const server = await startRpcServer({ credentials: control });
  const garbage = Uint8Array.of(0x30, 0x03, 1, 2, 3);
  for (const bad of [
    { ...control, roots: [garbage] },
    { ...control, certificates: [garbage] },
    { ...control, key: web.key },
  ]) {
    server.server.present(bad);
    await eventually(() => server.faults.length > 0);
    assert.not.match(server.faults.splice(0).join(), new RegExp(String([...web.key.slice(0, 8)])));
    const channel = await openTo(server.port, { credentials: web });
    assert.is(await echo(channel), "hello");
    channel.close();
  }
  await server.stop();
});

test("a hello that stops halfway is given up", async () => {
  const quick = await startRpcServer({
    credentials: control,
    limits: { handshakeTimeoutMs: 200 },
  });
  const socket = connect({ port: quick.port, host: "127.0.0.1" });
  socket.on("error", () => {});
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.write(Buffer.from("16030100050100", "hex"));
  await closed;
  await eventually(() => quick.server.counts.failed_handshakes === 1);
  await quick.stop();
});

test("what is no hello fails the handshake", async () => {
  await counted("failed_handshakes", async () => {
    const socket = connect({ port: rig.port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.resume();
    socket.write(Buffer.from("160301000501000001ffffff", "hex"));
    await new Promise<void>((resolve) => socket.on("close", () => resolve()));
  });
});

test("gRPC's own client is served over TLS, with a certificate and without", async () => {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-rpc-"));
  const program = fileURLToPath(new URL("fixtures/tls-client.mjs", import.meta.url));
  const run = async (): Promise<unknown> => {
    const { output } = await runTool("node", [program, String(rig.port), CONTROL.dns, folder]);
    return JSON.parse(output);
  };
  try {
    writeFileSync(join(folder, "anchor.pem"), toPem("CERTIFICATE", mesh.root));
    assert.equal(await run(), { code: 0, response: "over TLS" });
    assert.is(rig.calls.at(-1)?.peer.identity, null);
    writeFileSync(join(folder, "key.pem"), toPem("PRIVATE KEY", web.key));
    const chain = web.certificates.map((each) => toPem("CERTIFICATE", each)).join("");
    writeFileSync(join(folder, "leaf.pem"), chain);
    assert.equal(await run(), { code: 0, response: "over TLS" });
    assert.equal(rig.calls.at(-1)?.peer.identity, WEB);
    writeFileSync(join(folder, "anchor.pem"), toPem("CERTIFICATE", foreign.root));
    assert.equal(await run(), { code: Status.unavailable, response: null });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("neither strangers nor one name keep the others out", async () => {
  const small = await startRpcServer({ credentials: control, limits: { connectionsMax: 4 } });
  const shop = await issueCredentials(mesh, identityOf("shop"));
  const strangers = Array.from({ length: 4 }, () => connect(small.port, "127.0.0.1"));
  for (const socket of strangers) socket.on("error", () => {});
  const ended = strangers.map((socket) => new Promise((resolve) => socket.on("close", resolve)));
  await eventually(() => small.server.counts.connections === 4);
  const first = await openTo(small.port, { credentials: web });
  assert.is(await echo(first), "hello", "who has said nothing makes room");
  const second = await openTo(small.port, { credentials: web });
  const third = await errorOf(openTo(small.port, { credentials: web }));
  assert.is(third.status, Status.unavailable, "half of the connections are for others");
  const other = await openTo(small.port, { credentials: shop });
  assert.equal([await echo(other), await echo(first), await echo(second)], Array(3).fill("hello"));
  first.close();
  const again = await eventually(() => openTo(small.port, { credentials: web }));
  assert.is(await echo(again), "hello");
  for (const channel of [second, other, again]) channel.close();
  for (const socket of strangers) socket.destroy();
  await Promise.all(ended);
  await small.stop();
  assert.equal(small.faults, []);
});

test.run();
