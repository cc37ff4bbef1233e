// timeout: 120s
/**
 * What the environment says changes nothing: strangers are refused, no keys of sessions are written
 * (SSLKEYLOGFILE), no configuration is loaded (OPENSSL_CONF), no anchors are added. And the private
 * key is to be found nowhere that anybody reads.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { makeAuthority, toPem } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import {
  assertServes,
  assertUnharmed,
  CALLER,
  CANARY,
  clientOf,
  counts,
  makeFolder,
  makeMesh,
  namesOf,
  rises,
  SNI,
  startRig,
  stopAll,
  WEB,
  writeIdentity,
} from "../support/mtls-rig.ts";
import { startProgram } from "../support/program.ts";
import { send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { TLS1_2, TlsParty } from "../support/tls-engine.ts";
import { askTls, startTlsServer } from "../support/tls-peer.ts";

const test = suite("proxy/mtls-environment");
test.timeout(30_000);
const mesh = await makeMesh();
const folder = makeFolder();
const stranger = await makeAuthority({ name: "stranger" });
const strangerCa = join(folder, "stranger.pem");
writeFileSync(strangerCa, toPem("CERTIFICATE", stranger.root));
const weak = join(folder, "openssl.cnf");
writeFileSync(
  weak,
  `openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = weak
[weak]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
VerifyMode = Never
VerifyCAFile = ${strangerCa}
Options = UnsafeLegacyRenegotiation
`,
);
const keyLog = join(folder, "keys.log");

const ENVIRONMENT: Readonly<Record<string, string>> = {
  NODE_TLS_REJECT_UNAUTHORIZED: "0",
  NODE_EXTRA_CA_CERTS: strangerCa,
  DENO_CERT: strangerCa,
  DENO_TLS_CA_STORE: "system",
  SSLKEYLOGFILE: keyLog,
  OPENSSL_CONF: weak,
  SSL_CERT_FILE: strangerCa,
  SSL_CERT_DIR: folder,
};

/** Deno itself makes the file when it starts, without a line in it. */
function assertNoKeyLog(): void {
  if (existsSync(keyLog)) assert.is(readFileSync(keyLog, "utf8"), "");
}

const REQUEST = "GET /stranger HTTP/1.1\r\nHost: web\r\n\r\n";

test("strangers are refused whatever the environment says, and no keys are logged", async () => {
  const rig = await startRig({ mesh, args: ["--require-identity"], env: ENVIRONMENT });
  const fromStranger = clientOf(await stranger.issue(namesOf(CALLER)));
  const old = new TlsParty({ ...mesh.client.options, maxVersion: TLS1_2 });
  const none = new TlsParty({ role: "client" });
  for (const [party, counter] of [
    [fromStranger, "tls_server_untrusted"],
    [none, "tls_server_no_certificate"],
    [old, "tls_server_version"],
  ] as const) {
    const before = await counts(rig.program);
    for (let i = 0; i < 10; i++) {
      assert.is((await askTls(rig.port, party, SNI, REQUEST)).text, "");
    }
    await rises(rig.program, before, counter, 10);
  }
  await assertServes(rig);
  await assertUnharmed(rig);
  await rig.stop();
  assertNoKeyLog();
});

test("a server that only the environment trusts is not believed either", async () => {
  const { certificates, key } = await stranger.issue(namesOf(WEB));
  const server = await startTlsServer(new TlsParty({ role: "server", certificates, key }));
  const old = await startTlsServer(
    new TlsParty({
      role: "server",
      certificates: mesh.web.certificates,
      key: mesh.web.key,
      maxVersion: TLS1_2,
    }),
  );
  const program = await startProgram(
    [
      "--workers=1",
      "--name=caller",
      `--identity-dir=${mesh.callerDir}`,
      `--upstream=web=sidecar:web@127.0.0.1:${server.port}`,
      `--upstream=old=sidecar:web@127.0.0.1:${old.port}`,
    ],
    ENVIRONMENT,
  );
  for (const host of ["web", "old"]) {
    const request = `GET /stranger HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const { text } = await send(program.port("outbound"), request);
    assert.match(text, /^HTTP\/1\.1 502 /);
  }
  assert.is(server.text() + old.text(), "");
  await stopAll(program);
  await Promise.all([server.close(), old.close()]);
  assertNoKeyLog();
});

/** The 32 bytes of a P-256 key in PKCS#8 (RFC 5915 §3). */
function secretOf(pkcs8: Uint8Array): Buffer {
  const der = Buffer.from(pkcs8);
  const at = der.indexOf(Buffer.of(0x02, 1, 1, 0x04, 32));
  assert.ok(at > 0, "no key in PKCS#8");
  return der.subarray(at + 5, at + 5 + 32);
}

/** The ways in which bytes get into text, as pieces that are long enough to be no accident. */
function traces(pkcs8: Uint8Array): string[] {
  const secret = secretOf(pkcs8);
  const base64 = [0, 1, 2].map((cut) => secret.subarray(cut).toString("base64").slice(0, 16));
  const pem = toPem("PRIVATE KEY", pkcs8).split("\n").slice(1, 2);
  const hex = secret.toString("hex").slice(0, 24);
  return [
    ...base64,
    ...pem,
    hex,
    hex.toUpperCase(),
    (hex.match(/../g) ?? []).join(":"),
    [...secret.subarray(0, 8)].join(","),
    [...secret.subarray(0, 8)].join(", "),
    "PRIVATE KEY",
  ];
}

function assertClean(text: string, where: string, keys: readonly Uint8Array[]): void {
  for (const key of keys) {
    for (const trace of traces(key)) {
      assert.not.ok(text.includes(trace), `a key in ${where}: ${text.slice(0, 300)}`);
    }
  }
}

test("the private key is in no log, no answer of the admin API and no environment", async () => {
  const dir = writeIdentity(makeFolder(), mesh.web, [mesh.anchor.root]);
  const rig = await startRig({
    mesh: { ...mesh, webDir: dir },
    args: ["--log-level=debug"],
  });
  await assertServes(rig);
  const renewed = await mesh.issuer.issue(namesOf(WEB));
  // A key that is not the certificate's, one that is damaged, then a good one.
  writeIdentity(dir, { ...mesh.web, key: renewed.key }, [mesh.anchor.root]);
  await eventually(() => /identity files are not taken/.test(rig.program.log()));
  const pem = toPem("PRIVATE KEY", renewed.key).split("\n");
  writeFileSync(
    join(dir, "tls.key"),
    `${pem.slice(0, 2).join("\n")}\n!!\n${pem.slice(2).join("\n")}`,
  );
  await eventually(() => rig.program.log().split("identity files are not taken").length === 3);
  writeIdentity(dir, renewed, [mesh.anchor.root]);
  await eventually(() => rig.program.log().split("a certificate was taken").length === 3);
  await assertServes(rig);
  await askTls(rig.port, new TlsParty({ role: "client" }), SNI, CANARY);
  const keys = [mesh.web.key, renewed.key];
  assertClean(rig.program.log(), "the log", keys);
  for (const path of ["/metrics", "/config", "/identity", "/endpoints", "/ready", "/live"]) {
    assertClean(await (await rig.program.admin(path)).text(), path, keys);
  }
  for (const file of ["environ", "cmdline"]) {
    assertClean(readFileSync(`/proc/${rig.program.child.pid}/${file}`, "latin1"), file, keys);
  }
  await rig.stop();
});

test("what looks for the key would find it", () => {
  const text = Buffer.concat([Buffer.from("xy"), secretOf(mesh.web.key)]).toString("base64");
  assert.ok(traces(mesh.web.key).some((trace) => text.includes(trace)));
});

test.run();
