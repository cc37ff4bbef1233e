import * as assert from "uvu/assert";
import { type Certified, isRefusal, RoundError } from "../../src/identity/join-round.ts";
import { encodeJoinProof } from "../../src/identity/join-token.ts";
import { identityOf, makeAuthority, makeKeys } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import {
  DAY_MS,
  Desk,
  HOUR_MS,
  LIFE_MS,
  type Mesh,
  makeMesh,
  rpcError,
  tokenFor,
  WEB,
} from "./join-fixture.ts";
import { START_MS } from "./source-fixture.ts";

const test = suite("identity/join");

const PERMISSION_DENIED = 7;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

let mesh: Mesh;

test.before(async () => {
  mesh = await makeMesh();
});

/** Why a first answer was not taken. */
async function refusal(prepare: (desk: Desk) => void | Promise<void>): Promise<string> {
  const desk = new Desk(mesh);
  await prepare(desk);
  desk.source.start().catch(() => {});
  await desk.time.flush();
  assert.is(desk.used.length, 0);
  desk.source.stop();
  return desk.source.status.lastError ?? "";
}

test("the first certificate comes by the token, the next by the certificate at 70 %", async () => {
  const desk = new Desk(mesh);
  await desk.start();
  assert.is(desk.used.length, 1);
  assert.equal(desk.used[0]?.identity, WEB);
  const [first] = desk.requests;
  assert.is(first?.identity, WEB.dns);
  assert.equal(first?.token, encodeJoinProof(tokenFor(mesh.anchor)));
  const { status } = desk.source;
  assert.is(status.state, "valid");
  assert.is(status.expiresMs, START_MS + LIFE_MS);
  const next = status.nextRenewalMs ?? 0;
  assert.ok(next >= START_MS + 0.63 * LIFE_MS && next <= START_MS + 0.77 * LIFE_MS);

  await desk.time.advance(next - START_MS - 1);
  assert.is(desk.requests.length, 1);
  await desk.time.advance(1_000);
  assert.is(desk.requests.length, 2);
  assert.is(desk.requests[1]?.token, null);
  assert.is(desk.used.length, 2);
  assert.equal(desk.source.status.refreshes, { ok: 2, failed: 0 });
  assert.is(desk.source.status.lastRefreshMs, next);
});

test("certificates of ten seconds are renewed for ten minutes without a gap", async () => {
  const desk = new Desk(mesh);
  desk.lifetimeMs = 10_000;
  await desk.start();
  for (let second = 0; second < 600; second++) {
    await desk.time.advance(1_000);
    const latest = desk.used.at(-1);
    assert.ok((latest?.notAfterMs ?? 0) > desk.time.wallMs + 1_000, `at ${second} s`);
    assert.is(desk.source.status.state, "valid");
  }
  assert.ok(desk.used.length >= 600 / 7.8 && desk.used.length <= 600 / 6.2, `${desk.used.length}`);
  assert.is(desk.source.status.refreshes.failed, 0);
});

test("each attempt has a key of its own, made here, and asks for both names", async () => {
  const desk = new Desk(mesh, null, "real");
  const { Pkcs10CertificateRequest, cryptoProvider } = await import("@peculiar/x509");
  desk.behaviour = async ({ csr }) => {
    const request = new Pkcs10CertificateRequest(csr.slice());
    const publicKey = await request.publicKey.export(cryptoProvider.get());
    return await desk.issue({ ...mesh.keys, publicKey });
  };
  const started = desk.source.start();
  await eventually(() => desk.used.length === 1);
  await started;
  await desk.time.advance((desk.source.status.nextRenewalMs ?? 0) - desk.time.wallMs);
  await eventually(() => desk.used.length === 2);
  const [one, two] = desk.used;
  assert.not.equal(one?.key, two?.key);
  assert.not.equal(desk.requests[0]?.csr, desk.requests[1]?.csr);
  assert.equal(desk.requests[0]?.signal.aborted, true);
  desk.source.stop();
});

test("what is answered must fit: key, name, chain, anchors, dates", async () => {
  const stranger = await makeAuthority({
    notBefore: new Date(START_MS - DAY_MS),
    notAfter: new Date(START_MS + DAY_MS),
  });
  const otherKeys = await makeKeys();
  const api = identityOf("api");
  const issuing = (options: Desk["issueOptions"]) => (desk: Desk) => {
    desk.issueOptions = options;
  };
  assert.match(await refusal(issuing({ keys: otherKeys })), "does not belong");
  assert.match(await refusal(issuing({ dns: [api.dns], uris: [api.uri] })), "is for api.");
  assert.match(await refusal(issuing({ eku: ["serverAuth"] })), "not for both");
  assert.match(await refusal(issuing({ isCa: true })), "one of a CA");
  assert.match(await refusal(issuing({ notAfter: new Date(START_MS - 1_000) })), "expired");
  assert.match(
    await refusal((desk) => {
      desk.roots = [stranger.certificate];
      desk.token = tokenFor(stranger);
    }),
    "does not lead",
  );
  const garbage: Certified = {
    leaf: Uint8Array.of(1, 2, 3),
    intermediates: [],
    roots: [mesh.anchor.certificate],
    serverTimeMs: null,
  };
  assert.match(
    await refusal((desk) => {
      desk.behaviour = () => Promise.resolve(garbage);
    }),
    "cannot be read",
  );
});

test("one of the anchors must be pinned by the token, or trusted before", async () => {
  const dates = {
    notBefore: new Date(START_MS - DAY_MS),
    notAfter: new Date(START_MS + 30 * DAY_MS),
  };
  const stranger = await makeAuthority(dates);
  const unknown = "none of the trust anchors is a known one";
  assert.is(
    await refusal((desk) => {
      desk.token = tokenFor(stranger);
    }),
    unknown,
  );
  assert.is(
    await refusal((desk) => {
      desk.roots = [];
    }),
    unknown,
  );
  // A token pins two while one anchor follows another; any of them will do.
  const desk = new Desk(mesh);
  desk.token = tokenFor(stranger, mesh.anchor);
  await desk.start();
  // The token's file is gone, but what is trusted stays so, and vouches for a new one.
  desk.token = { refused: "gone" };
  desk.roots = [stranger.certificate, mesh.anchor.certificate];
  await desk.time.advance(0.8 * LIFE_MS);
  assert.is(desk.used.at(-1)?.roots.length, 2);
});

test("replacing all anchors at once is not taken from one that is trusted by none", async () => {
  const stranger = await makeMesh();
  const desk = new Desk(mesh);
  await desk.start();
  desk.behaviour = async () => {
    const other = new Desk(stranger);
    other.time.wallMs = desk.time.wallMs;
    const { leaf, intermediates } = await other.issue(mesh.keys);
    return { leaf, intermediates, roots: [stranger.anchor.certificate], serverTimeMs: null };
  };
  await desk.time.advance(0.8 * LIFE_MS);
  assert.is(desk.used.length, 1);
  assert.match(desk.source.status.lastError ?? "", "known one");
});

test("a renewal by the certificate takes no anchor that only the token pinned", async () => {
  const next = await makeMesh();
  const desk = new Desk(mesh);
  desk.token = tokenFor(mesh.anchor, next.anchor);
  await desk.start();
  desk.behaviour = async () => {
    const other = new Desk(next);
    other.time.wallMs = desk.time.wallMs;
    return await other.issue(mesh.keys);
  };
  await desk.time.advance(0.8 * LIFE_MS);
  assert.is(desk.used.length, 1);
  assert.is(desk.source.status.lastError, "none of the trust anchors is a known one");
});

test("where certificates fail, another token than the first is tried, once", async () => {
  const next = await makeMesh();
  const desk = new Desk(mesh);
  await desk.start();
  // The control plane was made anew: it knows nobody.
  desk.behaviour = async ({ token }) => {
    if (token === null) throw new Error("TLS: refused");
    const other = new Desk(next);
    other.time.wallMs = desk.time.wallMs;
    return await other.issue(mesh.keys);
  };
  await desk.time.advance(0.75 * LIFE_MS);
  assert.ok(desk.requests.slice(1).every(({ token }) => token === null));
  desk.token = { ...tokenFor(next.anchor), id: new Uint8Array(8).fill(9) };
  await desk.time.advance(0.1 * LIFE_MS);
  assert.is(desk.used.length, 2);
  assert.equal(desk.used[1]?.roots, [next.anchor.certificate]);
});

test("what its user refuses is not taken, and asked for again", async () => {
  const desk = new Desk(mesh);
  desk.refuses = "self-test: a stranger came in";
  const started = desk.source.start();
  await desk.time.advance(1_000);
  assert.is(desk.source.status.state, "failed");
  assert.is(desk.source.status.lastError, desk.refuses);
  assert.equal(desk.source.status.chain, []);
  assert.ok(desk.requests.length >= 2 && desk.requests.every(({ token }) => token !== null));
  desk.refuses = null;
  await desk.time.advance(2_000);
  await started;
  assert.is(desk.used.length, 1);
  assert.is(desk.source.status.lastError, null);
});

test("a refusal is told from a control plane that is away", () => {
  const table: [unknown, boolean][] = [
    [rpcError(UNAUTHENTICATED, ""), true],
    [rpcError(PERMISSION_DENIED, ""), true],
    [rpcError(UNAVAILABLE, ""), false],
    [rpcError(3, "", false), true],
    [new RoundError(""), false],
    [new RoundError("", true), true],
    [new Error("socket"), false],
    ["text", false],
    [null, false],
  ];
  for (const [error, isRefused] of table) assert.is(isRefusal(error), isRefused, String(error));
});

test("a control plane that is away is retried with a growing wait, the last good one is kept", async () => {
  const desk = new Desk(mesh);
  desk.lifetimeMs = 2 * LIFE_MS;
  await desk.start();
  desk.fail(rpcError(UNAVAILABLE, "connection refused"));
  const next = desk.source.status.nextRenewalMs ?? 0;
  await desk.time.advance(next - desk.time.wallMs + HOUR_MS);
  const attempts = desk.asks.slice(1);
  const gaps = attempts.slice(1).map(({ atMs }, index) => atMs - (attempts[index]?.atMs ?? 0));
  assert.ok((gaps[0] ?? 0) >= 100 && (gaps[0] ?? 0) <= 150, `${gaps[0]}`);
  assert.ok(Math.max(...gaps) <= 150_000 && Math.max(...gaps) > 100_000);
  assert.ok(
    gaps.slice(0, 10).every((gap, index) => gap >= 100 * 2 ** index),
    gaps.join(),
  );
  assert.ok(attempts.every(({ byToken }) => !byToken));
  assert.is(desk.used.length, 1);
  assert.is(desk.source.status.state, "expiring");
  assert.match(desk.source.status.lastError ?? "", "connection refused");

  desk.behaviour = null;
  await desk.time.advance(150_000);
  assert.is(desk.used.length, 2);
  assert.is(desk.source.status.lastError, null);
  assert.is(desk.source.status.state, "valid");
});

test("away for longer than the certificate lives: told as expired, then asked for by the token", async () => {
  const desk = new Desk(mesh);
  desk.lifetimeMs = 60_000;
  await desk.start();
  desk.fail(rpcError(UNAVAILABLE, "connection refused"));
  await desk.time.advance(59_000);
  assert.is(desk.source.status.state, "expiring");
  await desk.time.advance(10 * 60_000);
  assert.is(desk.source.status.state, "expired");
  assert.is(desk.log.count("has expired"), 1);
  const late = desk.asks.filter(({ atMs }) => atMs > (desk.asks[0]?.atMs ?? 0) + 61_000);
  assert.ok(late.length > 50 && late.length < 600, `${late.length}`);
  assert.ok(late.every(({ byToken }) => byToken));
  desk.behaviour = null;
  await desk.time.advance(10_000);
  assert.is(desk.source.status.state, "valid");
});

test("an expired certificate and a token file that is gone: the reason says so", async () => {
  const desk = new Desk(mesh);
  desk.lifetimeMs = 60_000;
  await desk.start();
  desk.fail(rpcError(UNAVAILABLE, "connection refused"));
  desk.token = { refused: "the token file t cannot be read" };
  await desk.time.advance(120_000);
  assert.match(desk.source.status.lastError ?? "", "token file t cannot");
  desk.token = tokenFor(mesh.anchor);
  desk.behaviour = null;
  await desk.time.advance(10_000);
  assert.is(desk.source.status.state, "valid");
});

test("an answer that never comes is given up and what it brings later is dropped", async () => {
  const desk = new Desk(mesh);
  let answer: (certified: Certified) => void = () => {};
  desk.behaviour = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  desk.isSilent = true;
  const started = desk.source.start();
  await desk.time.advance(10_000);
  assert.match(desk.source.status.lastError ?? "", "did not answer within 10000 ms");
  assert.is(desk.requests[0]?.signal.aborted, true);
  const late = await desk.issue();
  desk.behaviour = null;
  desk.isSilent = false;
  answer(late);
  await desk.time.flush();
  assert.is(desk.used.length, 0);
  await desk.time.advance(200);
  await started;
  assert.is(desk.used.length, 1);
});

test("a refused token is retried at long intervals, with a clear line", async () => {
  const desk = new Desk(mesh);
  desk.fail(rpcError(UNAUTHENTICATED, "no such token", false));
  desk.source.start().catch(() => {});
  await desk.time.advance(HOUR_MS);
  assert.ok(desk.asks.length >= 24 && desk.asks.length <= 37, `${desk.asks.length}`);
  assert.is(desk.log.count("error the control plane refuses"), desk.asks.length);
  assert.is(desk.source.status.state, "failed");
  desk.source.stop();
});

test("a refused certificate is followed by the token at once", async () => {
  const desk = new Desk(mesh);
  await desk.start();
  desk.behaviour = (request) =>
    request.token === null
      ? Promise.reject(rpcError(PERMISSION_DENIED, "not you", false))
      : desk.issue();
  await desk.time.advance(0.8 * LIFE_MS);
  assert.is(desk.used.length, 2);
  const [, byCertificate, byToken] = desk.asks;
  assert.is(byCertificate?.byToken, false);
  assert.is(byToken?.byToken, true);
  assert.ok((byToken?.atMs ?? 0) - (byCertificate?.atMs ?? 0) <= 150);
});

// Whatever the outages, as long as each ends while a fifth of the lifetime is left to the last good one.
test("with a control plane that comes and goes no certificate expires and none is asked for in haste", async () => {
  const random = seeded("outages");
  for (const lifetimeMs of [10_000, 60_000, 600_000]) {
    const desk = new Desk(mesh);
    desk.lifetimeMs = lifetimeMs;
    await desk.start();
    let outages = 0;
    while (desk.used.length < 20) {
      const leftMs = (desk.used.at(-1)?.notAfterMs ?? 0) - desk.time.wallMs;
      const isAway = random.chance(0.7) && leftMs > lifetimeMs * 0.2;
      if (isAway) desk.fail(rpcError(UNAVAILABLE, "connection refused"));
      else desk.behaviour = null;
      outages += isAway ? 1 : 0;
      await desk.time.advance(Math.max(leftMs * 0.1, 50));
      assert.is(desk.source.status.state === "expired", false, `${leftMs} of ${lifetimeMs}`);
    }
    const gaps = desk.asks.slice(1).map(({ atMs }, i) => atMs - (desk.asks[i]?.atMs ?? 0));
    assert.ok(Math.min(...gaps) >= 100, `${Math.min(...gaps)}`);
    assert.ok(outages > 10 && desk.source.status.refreshes.failed > 10);
    desk.source.stop();
  }
});

test("a clock that jumps past the expiry, or a machine that slept, renews at once", async () => {
  for (const jumpMs of [0.8 * LIFE_MS, 2 * LIFE_MS]) {
    const desk = new Desk(mesh);
    await desk.start();
    desk.time.wallMs += jumpMs;
    await desk.time.advance(1_000);
    assert.is(desk.requests.length, 2, `${jumpMs}`);
    assert.is(desk.requests[1]?.token === null, jumpMs < LIFE_MS);
    assert.is(desk.used.length, 2);
    assert.is(desk.source.status.state, "valid");
  }
});

test("a clock that is set back puts no renewal off", async () => {
  const desk = new Desk(mesh);
  await desk.start();
  const next = (desk.source.status.nextRenewalMs ?? 0) - desk.time.wallMs;
  // The control plane's clock was right all along.
  desk.time.wallMs -= HOUR_MS;
  desk.serverOffsetMs = HOUR_MS;
  await desk.time.advance(next);
  assert.is(desk.requests.length, 2);
  const { status } = desk.source;
  assert.is(status.clockSkewMs, HOUR_MS);
  assert.is(
    status.lastError,
    "the certificate or one above it is not yet valid; our clock is 3600 s behind the control plane's",
  );
  assert.is(status.state, "valid");
});

test("twenty seconds of skew do no harm, and each skew is measured", async () => {
  for (const offsetMs of [-60_000, -20_000, -10_000, 0, 10_000, 19_000, 60_000, HOUR_MS]) {
    const desk = new Desk(mesh);
    desk.serverOffsetMs = offsetMs;
    desk.source.start().catch(() => {});
    await desk.time.flush();
    assert.is(desk.source.status.clockSkewMs, offsetMs);
    assert.is(desk.used.length, offsetMs <= 20_000 ? 1 : 0, `${offsetMs}`);
    desk.source.stop();
  }
});

test("the clocks are compared as of the answer, and a clock set meanwhile tells nothing", async () => {
  const desk = new Desk(mesh);
  const slow = async (wallStepMs: number): Promise<Certified> => {
    const certified = await desk.issue();
    desk.time.nowMs += 400;
    desk.time.wallMs += 400 + wallStepMs;
    return { ...certified, serverTimeMs: desk.time.wallMs + 3_000 };
  };
  desk.behaviour = () => slow(0);
  const started = desk.source.start();
  await desk.time.flush();
  await started;
  assert.is(desk.source.status.clockSkewMs, 3_000);
  desk.behaviour = () => slow(5_000);
  await desk.time.advance(0.8 * LIFE_MS);
  assert.is(desk.used.length, 2);
  assert.is(desk.source.status.clockSkewMs, 3_000);
});

test("changed anchors are asked for soon, and once for many calls", async () => {
  const desk = new Desk(mesh);
  await desk.start();
  for (let i = 0; i < 100; i++) desk.source.refreshSoon();
  assert.ok((desk.source.status.nextRenewalMs ?? 0) <= desk.time.wallMs + 5_000);
  await desk.time.advance(900);
  assert.is(desk.requests.length, 1);
  await desk.time.advance(4_200);
  assert.is(desk.requests.length, 2);
  await desk.time.advance(10_000);
  assert.is(desk.requests.length, 2);
});

test("anchors that change again and again put nothing off", async () => {
  const desk = new Desk(mesh);
  await desk.start();
  for (let i = 0; i < 12; i++) {
    desk.source.refreshSoon();
    await desk.time.advance(500);
  }
  assert.ok(desk.requests.length >= 2 && desk.requests.length <= 7, `${desk.requests.length}`);
});

test("anchors that change while an attempt is under way are asked for after it", async () => {
  const desk = new Desk(mesh);
  desk.behaviour = () => {
    desk.source.refreshSoon();
    desk.behaviour = null;
    return desk.issue();
  };
  const started = desk.source.start();
  await desk.time.flush();
  await started;
  await desk.time.advance(5_000);
  assert.is(desk.requests.length, 2);
});

test("start rejects when it was told how long to wait, and the attempts go on", async () => {
  const desk = new Desk(mesh, 3_000);
  desk.fail(rpcError(UNAVAILABLE, "connection refused"));
  let failure = "";
  const started = desk.source.start().catch((error: Error) => {
    failure = error.message;
  });
  await desk.time.advance(2_999);
  assert.is(failure, "");
  await desk.time.advance(1);
  await started;
  assert.is(failure, "no certificate within 3000 ms: connection refused");
  desk.behaviour = null;
  await desk.time.advance(10_000);
  assert.is(desk.used.length, 1);
});

test("stop ends everything: no timer, no certificate, no wait", async () => {
  const desk = new Desk(mesh, 3_000);
  desk.behaviour = () => new Promise(() => {});
  desk.isSilent = true;
  let failure = "";
  const started = desk.source.start().catch((error: Error) => {
    failure = error.message;
  });
  await desk.time.flush();
  desk.source.stop();
  await started;
  await desk.time.flush();
  assert.match(failure, "stopped");
  assert.is(desk.time.alarms, 0);
  assert.is(desk.requests[0]?.signal.aborted, true);
  desk.source.refreshSoon();
  await desk.time.advance(HOUR_MS);
  assert.is(desk.requests.length, 1);
});

test("errors of the control plane are one line, short, and hold no secret", async () => {
  const desk = new Desk(mesh);
  desk.fail(rpcError(UNAVAILABLE, `first\nsecond\u001b[31m${"x".repeat(5_000)}`));
  desk.source.start().catch(() => {});
  await desk.time.advance(1_000);
  const text = desk.source.status.lastError ?? "";
  assert.ok(text.length < 400);
  assert.not.match(text, /[\u0000-\u001f]/);
  const shown = JSON.stringify(desk.source.status) + desk.log.lines.join("");
  for (const secret of [desk.mesh.pkcs8, encodeJoinProof(tokenFor(mesh.anchor))]) {
    assert.not.match(shown, Buffer.from(secret).toString("base64").slice(0, 24));
    assert.not.match(shown, Buffer.from(secret).toString("hex").slice(0, 24));
  }
  assert.ok(desk.changes > 0);
  desk.source.stop();
});

test.run();
