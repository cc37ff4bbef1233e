// timeout: 120s
/**
 * New certificates from files under load: by renames, by Kubernetes' swap of a symbolic link, with the
 * trust anchor replaced in three steps, and bad sets in between. No request fails, no stream is reset,
 * every worker shows the new certificate to new connections, and those that live go on.
 */
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { type Issued, makeAuthority } from "../support/certificates.ts";
import { eventually, patient } from "../support/eventually.ts";
import { http2Origin } from "../support/http2-peer.ts";
import { type Load, startLoad } from "../support/mtls-load.ts";
import { startMtlsPair } from "../support/mtls-pair.ts";
import {
  CALLER,
  CANARY,
  clientOf,
  counts,
  type Mesh,
  makeFolder,
  makeMesh,
  namesOf,
  OK,
  SNI,
  WEB,
  writeIdentity,
} from "../support/mtls-rig.ts";
import type { Program } from "../support/program.ts";
import { rawOrigin } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { TlsPeer } from "../support/tls-peer.ts";

const test = suite("proxy/mtls-rotation");
test.timeout(60_000);

/** The files are looked at twice a second; new ones are to be everywhere within a second of that. */
const SEEN_WITHIN_MS = 1_500;
/** Enough that each of two workers has some. */
const CONNECTIONS = 12;
const REQUESTS_MIN = 20;

type Application = { readonly port: number; close(): Promise<void> };

/** Answers requests of HTTP/1 and echoes everything else. */
function plainApplication(): Promise<Application> {
  const done = new Map<number, number>();
  return rawOrigin((socket, text, connection) => {
    const from = done.get(connection) ?? 0;
    done.set(connection, text.length);
    const news = text.slice(from);
    if (news.startsWith("\x01")) return void socket.write(Buffer.from(news, "latin1"));
    const heads = text.split("\r\n\r\n").length - text.slice(0, from).split("\r\n\r\n").length;
    for (let i = 0; i < heads; i++) socket.write(OK);
  });
}

/** An application that speaks HTTP/1, HTTP/2 and something of its own on one port. */
async function application(): Promise<Application> {
  const plain = await plainApplication();
  const http2 = await http2Origin();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (first: Buffer) => {
      const { port } = first.toString("latin1").startsWith("PRI") ? http2 : plain;
      const behind = connect({ port, host: "127.0.0.1" });
      sockets.add(behind);
      behind.on("error", () => {});
      behind.setNoDelay(true);
      behind.write(first);
      socket.pipe(behind);
      behind.pipe(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  return {
    port: typeof at === "object" && at !== null ? at.port : 0,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await Promise.all([plain.close(), http2.close()]);
    },
  };
}

/** Writes a set beside the old one, then renames file by file, as certificate managers do. */
function replaceByRename(folder: string, issued: Issued, roots: readonly Uint8Array[]): void {
  const next = writeIdentity(makeFolder(), issued, roots);
  for (const name of ["ca.crt", "tls.key", "tls.crt"])
    renameSync(join(next, name), join(folder, name));
}

let swaps = 0;

/** As the kubelet does: a new folder, and a link to it that is renamed over the old one. */
function replaceBySwap(folder: string, issued: Issued, roots: readonly Uint8Array[]): void {
  const version = `..version-${++swaps}`;
  mkdirSync(join(folder, version));
  writeIdentity(join(folder, version), issued, roots);
  symlinkSync(version, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
}

/** Lays a folder out as a mounted secret. */
function makeMount(issued: Issued, roots: readonly Uint8Array[]): string {
  const folder = makeFolder();
  replaceBySwap(folder, issued, roots);
  for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
    symlinkSync(join("..data", name), join(folder, name));
  }
  return folder;
}

/** Whether so many new connections in a row are shown this certificate: all workers have it. */
async function isShownBy(
  program: Program,
  client: Mesh["client"],
  issued: Issued,
): Promise<boolean> {
  for (let i = 0; i < CONNECTIONS; i++) {
    const peer = await TlsPeer.connect(program.port("inbound"), client, SNI);
    await peer.shaken();
    const shown = peer.engine.peerCertificate();
    peer.close();
    if (shown === null || !shown.equals(Buffer.from(issued.certificates[0]))) return false;
  }
  return true;
}

async function taken(program: Program, times: number): Promise<void> {
  await eventually(() => program.log().split("a certificate was taken").length > times, {
    withinMs: SEEN_WITHIN_MS,
    what: `certificate ${times}`,
  });
}

/** Waits until each kind of traffic has gone on since `before`. */
async function goesOn(load: Load): Promise<void> {
  const { http1, http2, opaque } = load;
  await eventually(
    () =>
      load.failures.length > 0 ||
      (load.http1 > http1 + REQUESTS_MIN &&
        load.http2 > http2 + REQUESTS_MIN &&
        load.opaque > opaque + REQUESTS_MIN),
    { withinMs: 5_000, what: "traffic" },
  );
  assert.equal(load.failures, []);
}

test("leaves, anchors and bad sets come and go under load, and nothing fails", async () => {
  const mesh = await makeMesh();
  const old = [mesh.anchor.root];
  const callerDir = makeMount(mesh.caller, old);
  const webDir = writeIdentity(makeFolder(), mesh.web, old);
  const origin = await application();
  const pair = await startMtlsPair(origin.port, {
    mesh: { ...mesh, webDir, callerDir },
    workers: 2,
  });
  const { near, far } = pair;
  const load = await startLoad(pair.port, pair.forward);
  await goesOn(load);
  // One that lives through everything.
  const living = await TlsPeer.connect(far.port("inbound"), mesh.client, SNI);
  await living.shaken();

  // Both leaves.
  const [web, caller] = [
    await mesh.issuer.issue(namesOf(WEB)),
    await mesh.issuer.issue(namesOf(CALLER)),
  ];
  replaceByRename(webDir, web, old);
  replaceBySwap(callerDir, caller, old);
  await eventually(() => isShownBy(far, mesh.client, web), { withinMs: SEEN_WITHIN_MS });
  await taken(near, 2);
  await goesOn(load);

  // Sets that are not good: the old one serves on.
  const stranger = await mesh.issuer.issue(namesOf(CALLER));
  for (const [spoil, reason] of [
    [() => writeFileSync(join(webDir, "tls.crt"), "half a certif"), "not taken"],
    [() => replaceByRename(webDir, { ...web, key: stranger.key }, old), "not taken"],
    [() => replaceByRename(webDir, stranger, old), "not taken"],
    [() => unlinkSync(join(webDir, "tls.key")), "not taken"],
  ] as const) {
    const before = far.log().split(reason).length;
    spoil();
    await eventually(() => far.log().split(reason).length > before, { withinMs: SEEN_WITHIN_MS });
    assert.ok(await isShownBy(far, mesh.client, web));
    await goesOn(load);
  }
  replaceByRename(webDir, web, old);

  // The trust anchor: both are trusted, then all leaves are of the new one, then the old one is gone.
  const anchor = await makeAuthority({ name: "anchor" });
  const both = [...old, anchor.root];
  replaceByRename(webDir, web, both);
  replaceBySwap(callerDir, caller, both);
  await taken(near, 3);
  await taken(far, 3);
  await goesOn(load);
  const issuer = await makeAuthority({ parent: anchor });
  const [newWeb, newCaller] = [
    await issuer.issue(namesOf(WEB)),
    await issuer.issue(namesOf(CALLER)),
  ];
  replaceBySwap(callerDir, newCaller, both);
  replaceByRename(webDir, newWeb, both);
  const newClient = clientOf(newCaller);
  await eventually(() => isShownBy(far, newClient, newWeb), { withinMs: SEEN_WITHIN_MS });
  await taken(near, 4);
  await goesOn(load);
  replaceByRename(webDir, newWeb, [anchor.root]);
  replaceBySwap(callerDir, newCaller, [anchor.root]);
  await taken(near, 5);
  await taken(far, 5);
  await goesOn(load);

  // Now the old client is a stranger; but not on the connection on which it had proved who it is.
  const refused = await TlsPeer.connect(far.port("inbound"), mesh.client, SNI);
  assert.is.not(await refused.ended(), "close_notify");
  refused.close();
  assert.is(living.end, "open");
  living.write(CANARY);
  assert.match(await living.receives("ok"), /^HTTP\/1\.1 200 /);
  living.close();

  const { http1, http2, opaque, failures } = await load.stop();
  assert.equal(failures, []);
  assert.ok(http1 + http2 + opaque > 9 * 3 * REQUESTS_MIN);
  for (const program of [near, far]) {
    const now = await counts(program);
    assert.is(now.get("worker_faults"), 0);
    assert.is(now.get("worker_restarts"), 0);
    assert.is(now.get("tls_proof_expired"), 0);
  }
  await pair.stop();
  await origin.close();
});

test("a certificate that ends while connections live is not outlived by new ones", async () => {
  const mesh = await makeMesh();
  const soon = new Date(Date.now() + patient(4_000));
  const brief = await mesh.issuer.issue({ ...namesOf(CALLER), notAfter: soon });
  const origin = await application();
  const callerDir = writeIdentity(makeFolder(), brief, [mesh.anchor.root]);
  const pair = await startMtlsPair(origin.port, { mesh: { ...mesh, callerDir } });
  const peer = await TlsPeer.connect(pair.far.port("inbound"), clientOf(brief), SNI);
  await peer.shaken();
  peer.write("GET /canary HTTP/1.1\r\nHost: web\r\n\r\n");
  assert.match(await peer.receives("ok"), /^HTTP\/1\.1 200 /);
  // An idle connection of HTTP/1 is ended when its proof is.
  await peer.ended(8_000);
  assert.ok(Date.now() >= soon.getTime() - 1_000);
  peer.close();
  const late = await TlsPeer.connect(pair.far.port("inbound"), clientOf(brief), SNI);
  await late.ended();
  assert.is((await counts(pair.far)).get("tls_server_expired"), 1);
  late.close();
  await pair.stop();
  await origin.close();
});

test.run();
