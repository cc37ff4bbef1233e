import * as assert from "uvu/assert";
import { durationText, identityCommand, relativeText } from "../../src/cli/identity-command.ts";
import { suite } from "../support/test.ts";
import { AdminAnswers, VIEW } from "./admin-answers.ts";

const test = suite("cli/identity-command");

const admin = new AdminAnswers(VIEW);
let adminUrl = "";

test.before(async () => {
  adminUrl = await admin.start();
});
test.before.each(() => {
  Object.assign(admin.answers, { live: 200, identity: VIEW, isSilent: false });
});
test.after(() => admin.stop());

test("a sidecar's certificates, names, expiry and anchors are shown", async () => {
  assert.equal(await identityCommand({ adminUrl }), {
    status: 0,
    text: `identity      web.default.serviceaccount.identity.outrigger.cluster.local
              spiffe://cluster.local/ns/default/sa/web
state         valid
expires       2031-05-21T04:45:00.000Z (in 16h45m)
next renewal  2031-05-20T20:30:00.000Z (in 8h30m)
last renewal  2031-05-20T04:00:00.000Z (8h ago)
renewals      3 succeeded, 1 failed
last error    none
clock         the control plane's is 0.3 s ahead of this sidecar's

certificate   web.default.serviceaccount.identity.outrigger.cluster.local
              spiffe://cluster.local/ns/default/sa/web
  serial      0abc
  valid from  2031-05-20T04:00:00.000Z (8h ago)
  expires     2031-05-21T04:45:00.000Z (in 16h45m)
  sha256      ${"ab".repeat(32)}

intermediate  CN=issuer
  serial      01
  valid from  2031-05-19T12:00:00.000Z (1d ago)
  expires     2032-03-15T12:00:00.000Z (in 300d)
  sha256      ${"ef".repeat(32)}

anchor        CN=anchor
  expires     2041-05-17T12:00:00.000Z (in 3650d)
  sha256      ${"cd".repeat(32)}
`,
  });
});

test("--json prints the answer", async () => {
  const { text, status } = await identityCommand({ adminUrl, isJson: true });
  assert.is(status, 0);
  assert.equal(JSON.parse(text), VIEW);
});

test("files, no skew, no certificate and no identity are told as such", async () => {
  admin.answers.identity = { ...VIEW, source: "files", next_renewal: null, clock_skew_s: null };
  const files = await identityCommand({ adminUrl });
  assert.match(files.text, "next renewal  by whoever writes the files\n");
  assert.not.match(files.text, "clock");
  admin.answers.identity = {
    ...VIEW,
    state: "failed",
    chain: [],
    anchors: [],
    expires: null,
    last_error: "no such token",
  };
  const failed = await identityCommand({ adminUrl });
  assert.match(failed.text, /state {9}failed\nexpires {7}-\n/);
  assert.match(failed.text, "last error    no such token\n");
  admin.answers.identity = { ...VIEW, state: "none", source: null };
  const none = await identityCommand({ adminUrl });
  assert.equal(none, { status: 0, text: "this sidecar has no identity: it does no TLS\n" });
});

test("texts of others cannot steer the terminal", async () => {
  const evil = "a\u001b[2J\nb";
  admin.answers.identity = {
    ...VIEW,
    last_error: evil,
    chain: VIEW.chain.map((each) => ({ ...each, subject: evil, names: [evil] })),
    anchors: VIEW.anchors.map((each) => ({ ...each, name: evil })),
  };
  const { text } = await identityCommand({ adminUrl });
  assert.not.match(text, /\u001b|\nb/);
  assert.match(text, "a\\u001b[2J\\u000ab");
});

test("what cannot be had is one line and exit 1", async () => {
  const gone = new AdminAnswers(VIEW);
  const goneUrl = await gone.start();
  gone.stop();
  const cases: [string, unknown, RegExp][] = [
    [goneUrl, VIEW, /no sidecar listens there\n$/],
    [adminUrl, [403, "no"], /for its own host only\n$/],
    [adminUrl, [404, ""], /HTTP 404\n$/],
    [adminUrl, [200, "{"], /not an outrigger, or of another version\n$/],
    [adminUrl, [200, '{"services":[]}'], /not an outrigger/],
    [adminUrl, [200, " ".repeat(2_000_000)], /too long an answer\n$/],
    ["https://127.0.0.1:1", VIEW, /expected http:\/\/HOST:PORT\n$/],
    ["here", VIEW, /not a URL\n$/],
  ];
  for (const [url, identity, expected] of cases) {
    Object.assign(admin.answers, { identity });
    const { text, status } = await identityCommand({ adminUrl: url });
    assert.is(status, 1);
    assert.match(text, expected);
    assert.match(text, /^outrigger: [^\n]+\n$/);
  }
});

test("a sidecar that says nothing is not waited for", async () => {
  admin.answers.isSilent = true;
  const { text, status } = await identityCommand({ adminUrl, timeoutMs: 50 });
  assert.is(status, 1);
  assert.match(text, /no answer within 50 ms\n$/);
});

test("the sidecar is asked itself, whatever HTTP_PROXY says", async () => {
  const before = process.env["HTTP_PROXY"];
  process.env["HTTP_PROXY"] = "http://127.0.0.1:9";
  try {
    assert.is((await identityCommand({ adminUrl })).status, 0);
  } finally {
    if (before === undefined) delete process.env["HTTP_PROXY"];
    else process.env["HTTP_PROXY"] = before;
  }
});

test("durations are read in their two largest units", () => {
  const table: [number, string][] = [
    [0, "0ms"],
    [999, "999ms"],
    [1_000, "1s"],
    [61_000, "1m1s"],
    [3_600_000, "1h"],
    [3_605_000, "1h"],
    [60_000_000, "16h40m"],
    [90_061_000, "1d1h"],
  ];
  for (const [ms, text] of table) assert.is(durationText(ms), text);
  assert.is(relativeText(-1_000), "1s ago");
  assert.is(relativeText(1_000), "in 1s");
});

test.run();
