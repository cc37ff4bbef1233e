// timeout: 120s
/**
 * `l5d-client-id` is ours to say. A request that a lenient server would take but our codec would not
 * must not get past it as opaque bytes, with whatever it says about its sender: not in plaintext, not
 * from a member of the mesh, not behind a transport header that announces no HTTP, not half at first.
 */
import * as assert from "uvu/assert";
import {
  encodeTransportHeader,
  TRANSPORT_HEADER_BYTES_MAX,
} from "../../src/codec/transport-header.ts";
import { CALLER, clientIdsOf, headsOf, makeMesh, OK, SNI, startRig } from "../support/mtls-rig.ts";
import { fixedOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { pause, TlsPeer } from "../support/tls-peer.ts";

const test = suite("proxy/mtls-spoof");
test.timeout(30_000);
const mesh = await makeMesh();
const rig = await startRig({
  mesh,
  origin: await fixedOrigin(OK),
  args: ["--detect-timeout=300ms"],
});
test.after(() => rig.stop());

const FIELDS = "Host: web\r\nl5d-client-id: admin\r\nConnection: close\r\n\r\n";

/** What nginx, Node, Python or another server answers though RFC 9112 does not allow it. */
const LENIENT: readonly string[] = [
  `\r\n\r\nGET / HTTP/1.1\r\n${FIELDS}`,
  `\n\n\n\nGET / HTTP/1.1\r\n${FIELDS}`,
  `${"\r\n".repeat(500)}GET / HTTP/1.1\r\n${FIELDS}`,
  `GET  / HTTP/1.1\r\n${FIELDS}`,
  `BREW  / HTTP/1.1\r\n${FIELDS}`,
  `GET\t/ HTTP/1.1\r\n${FIELDS}`,
  ` GET / HTTP/1.1\r\n${FIELDS}`,
  `GET\v/\fHTTP/1.1\r\n${FIELDS}`,
  `\x1cGET\x1d/\x1eHTTP/1.1\r\n${FIELDS}`,
  `${"X".repeat(40)} / HTTP/1.1\r\n${FIELDS}`,
];

function nothingSpoofed(): void {
  assert.not.match(rig.origin.received.join(""), /admin/);
}

test("in plaintext it is answered with 400, or not at all", async () => {
  for (const text of LENIENT) {
    const reply = await send(rig.port, text);
    assert.match(reply.text, /^(HTTP\/1\.1 400 |$)/, JSON.stringify(text.slice(0, 40)));
    nothingSpoofed();
  }
});

test("nor does half a request become opaque by waiting for the detection timeout", async () => {
  for (const [first, rest] of [
    ["GE", `T / HTTP/1.1\r\n${FIELDS}`],
    [" ", `GET / HTTP/1.1\r\n${FIELDS}`],
    ["BREW", ` / HTTP/1.1\r\n${FIELDS}`],
    ["BREW /", ` HTTP/1.1\r\n${FIELDS}`],
    ["\r\n", `GET / HTTP/1.1\r\n${FIELDS}`],
  ] as const) {
    const peer = await TlsPeer.connect(rig.port, mesh.client, SNI);
    await peer.shaken();
    peer.write(first);
    await pause(600);
    if (peer.end === "open") peer.write(rest);
    await peer.ended();
    nothingSpoofed();
    peer.close();
  }
});

/** At once, and after a silence in which the application is dialled as for a server that speaks first. */
test("a member of the mesh that announces no HTTP is told apart by what it says", async () => {
  const bytes = Buffer.alloc(TRANSPORT_HEADER_BYTES_MAX);
  const head = { port: rig.origin.port, name: "", protocol: null } as const;
  const header = bytes.subarray(0, encodeTransportHeader(head, bytes, 0));
  const before = headsOf(rig.origin).length;
  for (const text of [`GET / HTTP/1.1\r\n${FIELDS}`, ...LENIENT]) {
    for (const silenceMs of [0, 200]) {
      const peer = await TlsPeer.connect(rig.port, mesh.direct, SNI);
      await peer.shaken();
      peer.write(header);
      if (silenceMs > 0) await pause(silenceMs);
      peer.write(text);
      await peer.ended();
      peer.close();
      nothingSpoofed();
    }
  }
  // The first of them is a good request, and says who sent it.
  const heads = headsOf(rig.origin).slice(before);
  assert.is(heads.length, 2);
  for (const head of heads) assert.equal(clientIdsOf(head), [`l5d-client-id: ${CALLER.dns}`]);
});

test.run();
