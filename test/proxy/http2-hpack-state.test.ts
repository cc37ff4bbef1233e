// timeout: 120s
/**
 * The HPACK tables of a connection across what happens to its streams (RFC 9113 §4.3): blocks of
 * refused, malformed and reset streams still change the table; and secrets of one user never get into
 * the table that the next user's requests share (RFC 7541 §7.1).
 */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import {
  DYNAMIC_INDEX,
  encodeFields,
  type Field,
  type Form,
  indexed,
  literal,
  requestFields,
} from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { answerOk, Http2Peer, http2Origin, type OriginRequest } from "../support/http2-peer.ts";
import { assertHealthy, type Rig, startRig, to } from "../support/http2-rig.ts";
import { seeded } from "../support/random.ts";
import { valuesOf } from "../support/strict-http2.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-hpack-state");
test.timeout(30_000);

let rig: Rig;
const waiting: OriginRequest[] = [];

test.before(async () => {
  rig = await startRig({
    two: await http2Origin((request) => {
      if (request.path === "/silent") waiting.push(request);
      else if (request.path === "/cookie") {
        request.respond(
          200,
          [
            ["set-cookie", "session=secret"],
            ["x-never", "s", "never"],
          ],
          "ok",
        );
      } else answerOk(request);
    }),
  });
});
test.after(async () => {
  await rig.stop();
});
test.after.each(async () => {
  await assertHealthy(rig);
});

const get = (path: string, more: readonly Field[] = []): Field[] =>
  to("two", requestFields(path, more));

/** The values of a field in the last request that the origin has got. */
function lastValues(name: string): string[] {
  return valuesOf(rig.two.requests.at(-1)?.stream.head?.fields ?? [], name);
}

test("blocks of refused, malformed and reset streams change the table all the same", async () => {
  // H2-22
  const peer = await Http2Peer.connect(rig.port);
  const { link } = peer;
  const entry = (n: number): Buffer => literal("x-entry", `value-${n}`, "indexed");
  const block = (fields: readonly Field[], n: number): Buffer =>
    Buffer.concat([encodeFields(fields), entry(n)]);
  // Malformed.
  link.block(peer.nextId(), block(get("/", [["Bad", "a"]]), 1), "end");
  // Reset before it is answered.
  const reset = peer.nextId();
  link.write(Buffer.concat([f.headers(reset, block(get("/silent"), 2)), f.rstStream(reset, 8)]));
  // Too much of it.
  link.block(
    peer.nextId(),
    block(
      get(
        "/",
        Array.from({ length: 101 }, () => ["a", "b"]),
      ),
      3,
    ),
    "end",
  );
  // Trailers of a stream that the proxy has reset.
  const trailers = peer.nextId();
  link.write(
    Buffer.concat([
      f.headers(trailers, encodeFields(get("/", [["te", "gzip"]]))),
      f.headers(trailers, entry(4), f.Flag.endStream | f.Flag.endHeaders),
    ]),
  );
  for (const n of [4, 3, 2, 1]) {
    const good = Buffer.concat([encodeFields(get("/good")), indexed(DYNAMIC_INDEX + 4 - n)]);
    const id = peer.nextId();
    link.block(id, good, "end");
    assert.is((await peer.over(id)).outcome, "200 ended", `${n}: ${peer.describe()}`);
    assert.equal(lastValues("x-entry"), [`value-${n}`]);
  }
  assert.equal(link.violations, []);
  peer.close();
});

test("so do those of streams beyond the limit", async () => {
  // H2-22
  const peer = await Http2Peer.connect(rig.port);
  await peer.settled();
  const ids = Array.from({ length: 100 }, () => peer.request(get("/silent")));
  const over = peer.nextId();
  const entry = literal("x-entry", "refused", "indexed");
  peer.link.block(over, Buffer.concat([encodeFields(get("/good")), entry]), "end");
  assert.match((await peer.over(over)).outcome, /^reset [17]$/);
  for (const id of ids.slice(0, 50)) peer.link.reset(id, f.ErrorCode.cancel);
  const id = peer.nextId();
  peer.link.block(id, Buffer.concat([encodeFields(get("/good")), indexed(DYNAMIC_INDEX)]), "end");
  assert.is((await peer.over(id)).outcome, "200 ended", peer.describe());
  assert.equal(lastValues("x-entry"), ["refused"]);
  peer.close();
  await eventually(() => waiting.every(({ stream }) => stream.resetCode !== null));
});

test("random tables of many streams decode as they were written", async () => {
  // H2-22
  const random = seeded("http2-hpack-state");
  const forms: readonly Form[] = ["plain", "indexed", "never"];
  const peer = await Http2Peer.connect(rig.port);
  for (let i = 0; i < 300; i++) {
    const fields = Array.from({ length: random.below(12) }, (): Field => {
      const value = "v".repeat(random.below(400)) + String(random.below(1_000));
      return [`x-${random.below(20)}`, value, random.pick(forms)];
    });
    const id = peer.request(get("/random", fields));
    if (random.chance(0.2)) peer.link.reset(id, f.ErrorCode.cancel);
    if (random.chance(0.5) || peer.link.stream(id).isOver) continue;
    const seen = await peer.over(peer.request(get("/seen", fields)));
    assert.is(seen.outcome, "200 ended", peer.describe());
    const got = rig.two.requests.at(-1)?.lines.filter((line) => line.startsWith("x-"));
    assert.equal(
      got,
      fields.map(([name, value]) => `${name}: ${value}`),
    );
  }
  assert.equal(peer.link.violations, []);
  peer.close();
});

test("fields that must never be indexed stay so, in both directions", async () => {
  // H2-21
  const peer = await Http2Peer.connect(rig.port);
  const secret: readonly Field[] = [
    ["x-secret", "s3cret", "never"],
    ["authorization", "Basic dTpw"],
    ["x-open", "1"],
  ];
  for (let i = 0; i < 2; i++) {
    const seen = await peer.ask(get("/cookie", secret));
    assert.is(seen.outcome, "200 ended");
    const request = rig.two.requests.at(-1)?.stream.head?.fields ?? [];
    const isNever = (name: string): boolean[] =>
      request.filter((field) => field.name === name).map((field) => field.isNeverIndexed);
    assert.equal(isNever("x-secret"), [true]);
    assert.equal(isNever("authorization"), [true]);
    assert.equal(isNever("x-open"), [false]);
    const response = seen.head?.fields ?? [];
    assert.ok(response.some((field) => field.name === "x-never" && field.isNeverIndexed));
    assert.ok(response.some((field) => field.name === "set-cookie" && field.isNeverIndexed));
  }
  peer.close();
});

test("no secret of any user is in a table that users share", async () => {
  // H2-21
  const users = await Promise.all([0, 1, 2].map(() => Http2Peer.connect(rig.port)));
  for (const [user, peer] of users.entries()) {
    const fields: readonly Field[] = [
      ["authorization", `Bearer user-${user}-secret`],
      ["cookie", `session=user-${user}-secret`],
      ["x-key", `user-${user}-secret`, "never"],
    ];
    for (let i = 0; i < 3; i++) {
      assert.is((await peer.ask(get("/cookie", fields))).outcome, "200 ended");
    }
    const entries = peer.link.hpack.entries.filter(([, value]) => value.includes("secret"));
    assert.equal(entries, [], "towards the client");
  }
  const shared = rig.two.links.flatMap(({ hpack }) => hpack.entries);
  const leaked = shared.filter(([name, value]) => name !== "cookie" && value.includes("secret"));
  assert.equal(leaked, [], "towards the origin");
  for (const peer of users) peer.close();
});

test.run();
