// timeout: 120s
/**
 * Who is let in: everybody by default, those who have proved who they are, or those on a list; and how
 * the others are told, in the terms of what they speak. A refusal is counted by its reason, and not a
 * byte of it reaches the application.
 */
import * as assert from "uvu/assert";
import { identityOf } from "../support/certificates.ts";
import { clientHello } from "../support/client-hello.ts";
import { eventually } from "../support/eventually.ts";
import type { Field } from "../support/http2-fields.ts";
import { answerOk, Http2Peer, http2Origin } from "../support/http2-peer.ts";
import {
  assertUnharmed,
  CALLER,
  CANARY,
  clientIdsOf,
  clientOf,
  counts,
  headsOf,
  makeMesh,
  namesOf,
  type Rig,
  rises,
  SNI,
  startRig,
  stopAll,
} from "../support/mtls-rig.ts";
import { startProgram } from "../support/program.ts";
import { send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import type { TlsParty } from "../support/tls-engine.ts";
import { askTls } from "../support/tls-peer.ts";

const test = suite("proxy/mtls-policy");
test.timeout(30_000);
const mesh = await makeMesh();
const OTHER = identityOf("other", "staging");
const other = await mesh.issuer.issue(namesOf(OTHER));
/** Certificates with one kind of name only. */
const uriOnly = await mesh.issuer.issue({ uris: [CALLER.uri] });
const dnsOnly = await mesh.issuer.issue({ dns: [CALLER.dns] });

const WHO: Readonly<Record<string, TlsParty>> = {
  caller: mesh.client,
  other: clientOf(other),
  uri: clientOf(uriOnly),
  dns: clientOf(dnsOnly),
};

type Policy = {
  readonly args: readonly string[];
  /** Who comes in with a proof; the others are denied. */
  readonly allowed: readonly string[];
};

const SUFFIX = "serviceaccount.identity.outrigger.cluster.local";
const POLICIES: readonly Policy[] = [
  { args: ["--require-identity"], allowed: ["caller", "other", "uri", "dns"] },
  { args: ["--allow-from=*"], allowed: ["caller", "other", "uri", "dns"] },
  { args: ["--allow-from=caller"], allowed: ["caller", "dns"] },
  { args: ["--allow-from=other.staging"], allowed: ["other"] },
  { args: [`--allow-from=*.default.${SUFFIX}`], allowed: ["caller", "dns"] },
  { args: ["--allow-from=spiffe://cluster.local/ns/default/*"], allowed: ["caller", "uri"] },
  { args: [`--allow-from=${CALLER.uri},other.staging`], allowed: ["caller", "other", "uri"] },
  { args: ["--allow-from=spiffe://cluster.local/ns/def/*", "--allow-from=nobody"], allowed: [] },
];

/** Each way to come without a proof, and what must come back. */
const UNPROVED: readonly (readonly [what: string, bytes: string, answer: RegExp])[] = [
  [
    "HTTP/1",
    "GET /no HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n",
    /^HTTP\/1\.1 403 [\s\S]*http_request_denied/,
  ],
  ["HTTP/1.0", "GET /no HTTP/1.0\r\n\r\n", /^HTTP\/1\.1 403 /],
  [
    "an Upgrade",
    "GET /no HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    /^HTTP\/1\.1 403 /,
  ],
  ["opaque bytes", "\x01\x02 not HTTP\n", /^$/],
  [
    "TLS for another name",
    Buffer.from(clientHello({ sni: "example.com" })).toString("latin1"),
    /^$/,
  ],
  ["TLS without a name", Buffer.from(clientHello()).toString("latin1"), /^$/],
];

async function refusesPlaintext(rig: Rig): Promise<void> {
  for (const [what, bytes, answer] of UNPROVED) {
    const before = await counts(rig.program);
    const until = (text: string): boolean => text.includes("\r\n\r\n");
    const reply = await send(rig.port, bytes, { until });
    assert.match(reply.text, answer, what);
    await rises(rig.program, before, "denied_no_identity");
  }
  const peer = await Http2Peer.connect(rig.port);
  const fields: readonly Field[] = [
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "web"],
    [":path", "/no"],
  ];
  const plain = await peer.ask(fields, "body");
  assert.is(plain.status, 403);
  const grpc: readonly Field[] = [
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ];
  const call = await peer.ask([...fields, ...grpc], "body");
  assert.is(call.status, 200);
  // PERMISSION_DENIED, in trailers only.
  assert.is(call.value("grpc-status"), "7");
  assert.is(call.blocks.length, 1);
  peer.close();
  await assertUnharmed(rig);
}

for (const { args, allowed } of POLICIES) {
  test(`${args.join(" ")} lets in ${allowed.join(", ") || "nobody"}`, async () => {
    const rig = await startRig({ mesh, args });
    await refusesPlaintext(rig);
    for (const [who, party] of Object.entries(WHO)) {
      const before = await counts(rig.program);
      const isAllowed = allowed.includes(who);
      const { text } = await askTls(rig.port, party, SNI, CANARY);
      assert.match(text, isAllowed ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 403 /, who);
      await rises(rig.program, before, "denied_identity", isAllowed ? 0 : 1);
      // Nor as opaque bytes.
      if (isAllowed) continue;
      const raw = await askTls(rig.port, party, SNI, "\x01\x02opaque\n");
      assert.is(raw.text, "");
      await rises(rig.program, before, "denied_identity", 2);
    }
    assert.is(headsOf(rig.origin).length, allowed.length);
    await assertUnharmed(rig);
    await rig.stop();
  });
}

test("by default everybody is let in, and who has proved nothing is nobody to the application", async () => {
  const rig = await startRig({ mesh });
  const spoofed =
    "GET /canary HTTP/1.1\r\nHost: web\r\nL5d-Client-Id: evil\r\nl5d-client-id: evil\r\n\r\n";
  await send(rig.port, spoofed, { until: (text) => text.endsWith("ok") });
  const reply = await askTls(rig.port, WHO["other"] ?? mesh.client, SNI, CANARY);
  assert.match(reply.text, /^HTTP\/1\.1 200 /);
  const [first = "", second = ""] = headsOf(rig.origin);
  assert.equal(clientIdsOf(first), []);
  assert.not.match(first, /evil/);
  assert.equal(clientIdsOf(second), [`l5d-client-id: ${OTHER.dns}`]);
  const uri = await askTls(rig.port, WHO["uri"] ?? mesh.client, SNI, CANARY);
  assert.match(uri.text, /^HTTP\/1\.1 200 /);
  assert.equal(clientIdsOf(headsOf(rig.origin)[2] ?? ""), [`l5d-client-id: ${CALLER.uri}`]);
  const now = await counts(rig.program);
  assert.is(now.get("denied_no_identity"), 0);
  assert.is(now.get("denied_identity"), 0);
  await rig.stop();
});

test("through two sidecars a refusal comes back as HTTP/1, HTTP/2, gRPC and a closed tunnel", async () => {
  const origin = await http2Origin(answerOk);
  const far = await startProgram([
    "--workers=1",
    "--name=web",
    `--identity-dir=${mesh.webDir}`,
    `--app=h2:127.0.0.1:${origin.port}`,
    "--allow-from=other.staging",
  ]);
  const near = await startProgram([
    "--workers=1",
    "--name=caller",
    `--identity-dir=${mesh.callerDir}`,
    `--upstream=web=sidecar:web@127.0.0.1:${far.port("inbound")}`,
    "--forward=127.0.0.1:0=web:1",
  ]);
  const port = near.port("outbound");
  const http1 = await send(port, "GET /no HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
  assert.match(http1.text, /^HTTP\/1\.1 403 /);
  const peer = await Http2Peer.connect(port);
  const id = peer.get("/no");
  assert.is((await peer.over(id)).status, 403);
  const call = await peer.ask(
    [
      [":method", "POST"],
      [":scheme", "http"],
      [":authority", "web"],
      [":path", "/a.B/C"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ],
    "\0\0\0\0\0",
  );
  assert.is(call.value("grpc-status"), "7");
  peer.close();
  const tunnel = await send(near.port("forward"), "\x01opaque");
  assert.is(tunnel.text, "");
  assert.is.not(tunnel.end, "timeout");
  assert.is(origin.links.length, 0);
  // Bytes that are no HTTP are not for an application of HTTP, whoever sends them.
  await eventually(async () => {
    const now = await counts(far);
    return now.get("denied_identity") === 3 && now.get("refused_not_http") === 1;
  });
  await stopAll(near, far);
  await origin.close();
});

test.run();
