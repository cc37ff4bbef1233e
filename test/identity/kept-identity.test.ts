import { pack, unpack } from "msgpackr";
import * as assert from "uvu/assert";
import { KeptIdentity } from "../../src/identity/kept-identity.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import { identityOf } from "../support/certificates.ts";
import { suite } from "../support/test.ts";
import {
  BACKDATED_MS,
  DAY_MS,
  Desk,
  LIFE_MS,
  type Mesh,
  makeMesh,
  rpcError,
  tokenFor,
  WEB,
} from "./join-fixture.ts";
import { KeptLog, START_MS } from "./source-fixture.ts";

const test = suite("identity/kept-identity");

let mesh: Mesh;
let credentials: Credentials;

test.before(async () => {
  mesh = await makeMesh();
  const desk = new Desk(mesh);
  await desk.start();
  desk.source.stop();
  const [first] = desk.used;
  if (first === undefined) throw new Error("no certificate");
  credentials = first;
});

class Shelf {
  value: unknown = null;
  wallMs = START_MS + 1_000;
  readonly log: KeptLog = new KeptLog();
  readonly kept: KeptIdentity;

  constructor(identity = WEB) {
    const folder = {
      read: () => this.value,
      // As it comes back from a file.
      write: (_: string, value: unknown) => {
        this.value = unpack(Uint8Array.from(pack(value)));
      },
    };
    this.kept = new KeptIdentity({ folder, identity, wallMs: () => this.wallMs, log: this.log });
  }
}

async function filled(): Promise<Shelf> {
  const shelf = new Shelf();
  await shelf.kept.keep(credentials, tokenFor(mesh.anchor));
  return shelf;
}

const other = () => ({ ...tokenFor(mesh.anchor), secret: new Uint8Array(32).fill(8) });
const NOT_USED = "the certificate that was kept is not used";

test("what was kept comes back with the same token, whatever the token pins", async () => {
  const shelf = await filled();
  assert.equal(await shelf.kept.recall(tokenFor(mesh.anchor)), credentials);
  const stranger = await makeMesh();
  assert.equal(await shelf.kept.recall(tokenFor(stranger.anchor)), credentials);
  assert.equal(shelf.log.lines, []);
});

test("nothing that was kept is nothing to speak of", async () => {
  const shelf = new Shelf();
  assert.is(await shelf.kept.recall(tokenFor(mesh.anchor)), null);
  assert.equal(shelf.log.lines, []);
});

test("neither key nor certificate can be seen, and nothing is sealed twice alike", async () => {
  const shelf = await filled();
  const text = Buffer.from(pack(shelf.value));
  const [leaf = new Uint8Array(1)] = credentials.certificates;
  for (const part of [credentials.key, leaf, leaf.subarray(100, 120)]) {
    assert.is(text.includes(Buffer.from(part)), false);
  }
  const again = await filled();
  for (const part of ["salt", "nonce", "text"] as const) {
    const of = ({ value }: Shelf): unknown => (value as Record<string, unknown>)[part];
    assert.not.equal(of(shelf), of(again), part);
  }
});

test("another token, another name: it does not open, with one line", async () => {
  const shelf = await filled();
  assert.is(await shelf.kept.recall(other()), null);
  assert.is(shelf.log.count(`info ${NOT_USED}`), 1, "a new token is nothing to warn of");
  assert.is(shelf.log.count("for another token or name"), 1);
  const api = new Shelf(identityOf("api"));
  api.value = shelf.value;
  assert.is(await api.kept.recall(tokenFor(mesh.anchor)), null);
  assert.is(api.log.count("for another token or name"), 1);
  assert.is(api.log.lines.length, 1);
});

test("what was changed, cut or is of another shape does not open", async () => {
  const { value } = await filled();
  const whole = value as Readonly<Record<"salt" | "nonce" | "text", Uint8Array>>;
  const damaged: unknown[] = ["", 1, [], {}, { ...whole, text: "x" }, { ...whole, salt: null }];
  for (const part of ["salt", "nonce", "text"] as const) {
    const bytes = whole[part];
    const places = [0, bytes.length >> 1, bytes.length - 1];
    for (const at of places) {
      damaged.push({ ...whole, [part]: bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)) });
      damaged.push({ ...whole, [part]: bytes.subarray(0, at) });
    }
  }
  for (const each of damaged) {
    const shelf = new Shelf();
    shelf.value = each;
    assert.is(await shelf.kept.recall(tokenFor(mesh.anchor)), null);
    assert.is(shelf.log.lines.length, 1);
    assert.is(shelf.log.count(NOT_USED), 1);
  }
});

test("what has expired, or is not yet valid by our clock, is not used", async () => {
  const shelf = await filled();
  shelf.wallMs = START_MS + LIFE_MS + 1_000;
  assert.is(await shelf.kept.recall(tokenFor(mesh.anchor)), null);
  assert.is(shelf.log.count("has expired"), 1);
  shelf.wallMs = START_MS - BACKDATED_MS - DAY_MS;
  assert.is(await shelf.kept.recall(tokenFor(mesh.anchor)), null);
  assert.is(shelf.log.count("not yet valid"), 1);
});

test("a certificate that leads to none of the anchors, or is not the key's, is not used", async () => {
  const stranger = await makeMesh();
  const foreign = [
    { ...credentials, roots: [stranger.anchor.certificate] },
    { ...credentials, key: stranger.pkcs8 },
    { ...credentials, certificates: [] },
  ];
  for (const each of foreign) {
    const shelf = new Shelf();
    await shelf.kept.keep(each, tokenFor(mesh.anchor));
    assert.is(await shelf.kept.recall(tokenFor(mesh.anchor)), null);
    assert.is(shelf.log.count(NOT_USED), 1);
  }
});

test("a resumed certificate is in use at once and renewed when the run before would have", async () => {
  const desk = new Desk(mesh);
  desk.source.resume(credentials, tokenFor(mesh.anchor));
  assert.equal(desk.used, [credentials]);
  await desk.start();
  assert.is(desk.source.status.state, "valid");
  assert.equal(desk.source.status.refreshes, { ok: 0, failed: 0 });
  assert.is(desk.requests.length, 0);
  const next = desk.source.status.nextRenewalMs ?? 0;
  assert.ok(next >= START_MS + 0.62 * LIFE_MS && next <= START_MS + 0.78 * LIFE_MS);
  await desk.time.advance(next - START_MS + 1_000);
  assert.is(desk.used.length, 2);
  assert.is(desk.requests[0]?.token, null);
});

test("one whose renewal was due while nothing ran is renewed within seconds", async () => {
  const desk = new Desk(mesh);
  desk.time.wallMs += 0.9 * LIFE_MS;
  desk.source.resume(credentials, tokenFor(mesh.anchor));
  await desk.start();
  await desk.time.advance(6_000);
  assert.is(desk.used.length, 2);
});

test("a resumed certificate is kept in use while the control plane is away, up to its end", async () => {
  const desk = new Desk(mesh);
  desk.fail(rpcError(14, "connection refused"));
  desk.source.resume(credentials, tokenFor(mesh.anchor));
  await desk.start();
  await desk.time.advance(0.9 * LIFE_MS);
  assert.is(desk.source.status.state, "expiring");
  assert.ok(desk.asks.length > 10 && desk.asks.every(({ byToken }) => !byToken));
  await desk.time.advance(0.2 * LIFE_MS);
  assert.is(desk.source.status.state, "expired");
  assert.ok(desk.asks.at(-1)?.byToken);
  assert.is(desk.used.length, 1);
});

test("one that the self-test refuses is left, and a certificate asked for", async () => {
  const desk = new Desk(mesh);
  desk.refuses = "self-test: a stranger came in";
  desk.source.resume(credentials, tokenFor(mesh.anchor));
  assert.is(desk.log.count(NOT_USED), 1);
  desk.refuses = null;
  await desk.start();
  assert.is(desk.used.length, 1);
  assert.ok(desk.asks[0]?.byToken);
});

test("each certificate is handed out to be kept, with the token that there is by then", async () => {
  const desk = new Desk(mesh);
  await desk.start();
  const first = tokenFor(mesh.anchor);
  const second = { ...first, id: new Uint8Array(8).fill(1) };
  assert.equal(desk.kept, [[desk.used[0], first]]);
  desk.token = second;
  await desk.time.advance(0.8 * LIFE_MS);
  desk.token = { refused: "gone" };
  await desk.time.advance(LIFE_MS);
  assert.equal(desk.kept.slice(1, 3), [
    [desk.used[1], second],
    [desk.used[2], second],
  ]);
});

test.run();
