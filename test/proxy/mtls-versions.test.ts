// timeout: 120s
/**
 * Nothing older than TLS 1.3, nothing that is carried from one connection to another: no tickets, no
 * early data; and a second handshake ends the connection (RFC 8446 §2.2, §2.3, §4.1.2).
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { clientHello } from "../support/client-hello.ts";
import {
  assertServes,
  assertUnharmed,
  CANARY,
  counts,
  makeFolder,
  rises,
  SNI,
  startRig,
} from "../support/mtls-rig.ts";
import { suite } from "../support/test.ts";
import { TLS1_0, TLS1_1, TLS1_2, TLS1_3, TlsParty } from "../support/tls-engine.ts";
import { askTls, startTlsServer, TlsPeer } from "../support/tls-peer.ts";
import { findTool, runTool } from "../support/tool.ts";

const test = suite("proxy/mtls-versions");
test.timeout(20_000);
const rig = await startRig({ args: ["--require-identity"] });
test.after(() => rig.stop());
const { caller, callerDir } = rig.mesh;
/** An alert is told as 1,000 and its number. */
const ALERT_PROTOCOL_VERSION = 1_070;

for (const [name, version] of [
  ["1.0", TLS1_0],
  ["1.1", TLS1_1],
  ["1.2", TLS1_2],
] as const) {
  test(`a client of TLS ${name} is told the version is wrong, whatever it can prove`, async () => {
    const { certificates, key } = caller;
    const party = new TlsParty({ role: "client", certificates, key, maxVersion: version });
    const before = await counts(rig.program);
    for (let i = 0; i < 10; i++) {
      const reply = await askTls(rig.port, party, SNI, "GET /old HTTP/1.1\r\nHost: a\r\n\r\n");
      assert.is(reply.text, "");
      assert.is(reply.reason, ALERT_PROTOCOL_VERSION);
    }
    await rises(rig.program, before, "tls_server_version", 10);
    await assertServes(rig);
    await assertUnharmed(rig);
  });
}

test("no ticket is given out, so that nothing can be resumed", async () => {
  const peer = await TlsPeer.connect(rig.port, rig.mesh.client, SNI);
  await peer.shaken();
  peer.write(CANARY);
  await peer.ended();
  assert.is(peer.end, "close_notify");
  assert.is(peer.engine.version, TLS1_3);
  assert.is(peer.engine.session(), 0);
  peer.close();
});

/** A session that allows early data, as another server gave it for the same name. */
async function foreignSession(party: TlsParty): Promise<number> {
  const { certificates, key } = rig.mesh.web;
  const server = await startTlsServer(
    new TlsParty({ role: "server", certificates, key, earlyDataBytes: 16_384 }),
    (peer) => {
      if (peer.text === "hello" && peer.end === "open") peer.write("ticket");
    },
  );
  const peer = await TlsPeer.connect(server.port, party, SNI);
  await peer.shaken();
  peer.write("hello");
  await peer.receives("ticket");
  const session = peer.engine.session();
  // OpenSSL forgets the session of a connection that was not ended.
  peer.finish();
  peer.close();
  await server.close();
  assert.ok(session !== 0, "no session to try with");
  return session;
}

test("another server's ticket and early data make a full handshake, the early data is lost", async () => {
  for (let i = 0; i < 10; i++) {
    const session = await foreignSession(rig.mesh.client);
    const engine = rig.mesh.client.engine(SNI);
    engine.resume(session);
    assert.ok(engine.writeEarly(Buffer.from("GET /early HTTP/1.1\r\nHost: web\r\n\r\n")));
    const peer = await TlsPeer.open(rig.port, engine);
    peer.step();
    await peer.shaken();
    assert.is(engine.state, "done", String(engine.reason));
    assert.not.ok(engine.wasEarlyDataTaken);
    peer.write(CANARY);
    await peer.ended();
    assert.match(peer.text, /^HTTP\/1.1 200 [\s\S]*ok$/);
    peer.close();
  }
  await assertUnharmed(rig);
});

test("a ticket without a certificate behind it does not let a stranger in", async () => {
  const nobody = new TlsParty({ role: "client" });
  const session = await foreignSession(nobody);
  const before = await counts(rig.program);
  const engine = nobody.engine(SNI);
  engine.resume(session);
  assert.ok(engine.writeEarly(Buffer.from("GET /early HTTP/1.1\r\nHost: web\r\n\r\n")));
  const peer = await TlsPeer.open(rig.port, engine);
  peer.step();
  await peer.ended();
  assert.is(peer.text, "");
  await rises(rig.program, before, "tls_server_no_certificate");
  await assertUnharmed(rig);
  peer.close();
});

test("a second hello on a connection ends it", async () => {
  const peer = await TlsPeer.connect(rig.port, rig.mesh.client, SNI);
  await peer.shaken();
  peer.socket.write(clientHello({ sni: SNI }));
  assert.is.not(await peer.ended(), "close_notify");
  peer.close();
  await assertServes(rig);
  await assertUnharmed(rig);
});

test("openssl s_client sees TLS 1.3, no ticket and no early data, and nothing older", async () => {
  const openssl = findTool("openssl");
  assert.ok(openssl !== null, "openssl is missing");
  const folder = makeFolder();
  const certificates = [
    "-cert",
    join(callerDir, "tls.crt"),
    "-cert_chain",
    join(callerDir, "tls.crt"),
  ];
  const common = [
    "s_client",
    "-connect",
    `127.0.0.1:${rig.port}`,
    "-servername",
    SNI,
    ...certificates,
    "-key",
    join(callerDir, "tls.key"),
    "-CAfile",
    join(callerDir, "ca.crt"),
    "-verify_return_error",
    "-ign_eof",
  ];
  const saved = join(folder, "session");
  const good = await runTool(openssl ?? "", [...common, "-sess_out", saved], CANARY);
  assert.match(good.output, /New, TLSv1\.3, Cipher is TLS_/);
  assert.match(good.output, /HTTP\/1\.1 200 OK/);
  assert.match(good.output, /Verify return code: 0/);
  assert.not.match(good.output, /Session Ticket arrived|Reused/);
  assert.match(good.output, /Early data was not sent/);
  const empty = join(folder, "empty");
  writeFileSync(empty, "");
  for (const version of ["-tls1", "-tls1_1", "-tls1_2"]) {
    const old = await runTool(
      openssl ?? "",
      [...common, version, "-cipher", "ALL:@SECLEVEL=0"],
      CANARY,
    );
    assert.not.match(old.output, /HTTP\/1\.1 200 OK/);
    assert.is.not(old.status, 0);
  }
});

test.run();
