// timeout: 60s
/**
 * Silence on the inbound listener of a sidecar with an identity: the first bytes may still be a hello
 * for us. Neither a client that is slow to speak nor an application that once spoke first may change
 * who ends TLS.
 */
import * as assert from "uvu/assert";
import { later } from "../support/later.ts";
import {
  assertServes,
  CALLER,
  CANARY,
  clientIdsOf,
  counts,
  headsOf,
  type Mesh,
  makeMesh,
  OK,
  rises,
  SNI,
  startRig,
} from "../support/mtls-rig.ts";
import { fixedOrigin, type RawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { pause, TlsPeer } from "../support/tls-peer.ts";

const test = suite("proxy/mtls-silence");
test.timeout(20_000);
const mesh: Mesh = await makeMesh();
const PLAINTEXT_POLICIES: readonly (readonly string[])[] = [[], ["--require-identity"]];

/** Says hello so long after it has connected, and then asks. */
async function askLate(port: number, silenceMs: number): Promise<string> {
  const peer = await TlsPeer.open(port, mesh.client.engine(SNI));
  later(silenceMs, () => peer.step());
  await peer.shaken();
  if (peer.engine.state === "done" && peer.end === "open") peer.write(CANARY);
  await peer.ended();
  peer.close();
  return peer.text;
}

/** An application that greets at once, and answers requests too. */
async function greeter(): Promise<RawOrigin> {
  const { createServer } = await import("node:net");
  const received: string[] = [];
  const server = createServer((socket) => {
    const index = received.push("") - 1;
    socket.on("error", () => {});
    socket.write("220 ready\r\n");
    socket.on("data", (chunk: Buffer) => {
      received[index] += chunk.toString("latin1");
      socket.write("250 ok\r\n");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  return {
    port: typeof at === "object" && at !== null ? at.port : 0,
    received,
    connections: () => received.length,
    close: () => new Promise((done) => void server.close(() => done())),
  };
}

for (const args of PLAINTEXT_POLICIES) {
  const policy = args.join(" ") || "by default";

  test(`${policy}, a client that says hello late is served as one that says it at once`, async () => {
    const rig = await startRig({ mesh, args, origin: await fixedOrigin(OK) });
    await assertServes(rig);
    // Up to 100 ms the acceptor waits; from then on the application is asked what it has to say.
    for (const silenceMs of [0, 50, 150, 400, 900]) {
      assert.match(await askLate(rig.port, silenceMs), /^HTTP\/1\.1 200 /, `${silenceMs} ms`);
    }
    await rig.stop();
  });

  test(`${policy}, an application that speaks first is heard each time, by TLS`, async () => {
    const origin = await greeter();
    const rig = await startRig({ mesh, args, origin });
    for (let i = 0; i < 5; i++) {
      const before = await counts(rig.program);
      const peer = await TlsPeer.connect(rig.port, mesh.client, SNI);
      await peer.receives("220 ready");
      assert.match(peer.text, /^220 ready/, `connection ${i + 1}: ${peer.end}`);
      peer.write("HELO");
      assert.match(await peer.receives("250 ok"), /250 ok/);
      await rises(rig.program, before, "tls_server_handshakes");
      peer.close();
    }
    // Of TLS for us the application never sees a byte.
    assert.not.match(origin.received.join(""), /[^HELO]/);
    await rig.stop();
  });
}

test("a client that says nothing for long after its handshake is served by what it says then", async () => {
  const rig = await startRig({ mesh, args: ["--require-identity"] });
  for (const silenceMs of [20, 150, 400]) {
    const before = await counts(rig.program);
    const peer = await TlsPeer.connect(rig.port, mesh.client, SNI);
    await peer.shaken();
    // In pieces, so that the first of them decides nothing.
    await pause(silenceMs);
    peer.write(CANARY.slice(0, 3));
    await pause(20);
    peer.write(CANARY.slice(3));
    await peer.ended();
    assert.match(peer.text, /^HTTP\/1\.1 200 /, `${silenceMs} ms`);
    await rises(rig.program, before, "tls_server_handshakes");
    assert.equal(clientIdsOf(headsOf(rig.origin).at(-1) ?? ""), [`l5d-client-id: ${CALLER.dns}`]);
    peer.close();
  }
  await rig.stop();
});

test("a plaintext client of an application that speaks first is refused when proof is required", async () => {
  const origin = await greeter();
  const args = ["--require-identity", "--detect-timeout=1s"];
  const rig = await startRig({ mesh, args, origin });
  for (let i = 0; i < 3; i++) {
    const before = await counts(rig.program);
    const reply = await send(rig.port, "");
    assert.is(reply.text, "");
    assert.is.not(reply.end, "timeout");
    await rises(rig.program, before, "denied_no_identity");
  }
  assert.is(origin.connections(), 0);
  await rig.stop();
});

test.run();
