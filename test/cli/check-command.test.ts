import * as assert from "uvu/assert";
import type { IdentityView } from "../../src/admin/identity-view.ts";
import { checkCommand, identityFindings } from "../../src/cli/check-command.ts";
import { patient } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { AdminAnswers, inHours, VIEW } from "./admin-answers.ts";

const test = suite("cli/check-command");

const admin = new AdminAnswers(VIEW);
let adminUrl = "";

test.before(async () => {
  adminUrl = await admin.start();
});
test.before.each(() => {
  const well = { live: 200, ready: [200, "ready\n"], identity: VIEW, isSilent: false };
  Object.assign(admin.answers, well);
});
test.after(() => admin.stop());

const NAME = "web.default.serviceaccount.identity.outrigger.cluster.local";

/** `level what: detail` of a view's findings. */
function found(changes: Partial<IdentityView>): string[] {
  return identityFindings({ ...VIEW, ...changes }).map(
    ({ level, what, detail }) => `${level} ${what}: ${detail}`,
  );
}

function anchor(name: string, fromHours: number, toHours: number): IdentityView["anchors"][number] {
  return { name, not_before: inHours(fromHours), not_after: inHours(toHours), sha256: "cd" };
}

test("a sidecar that is well passes, a line for each thing", async () => {
  assert.equal(await checkCommand({ adminUrl }), {
    status: 0,
    text: `ok   live: ${adminUrl}
ok   ready: yes
ok   certificate: ${NAME}, expires in 16h45m
ok   renewal: in 8h30m
ok   anchor: CN=anchor, expires in 3650d
ok   clock: the control plane's is 0.3 s ahead of this sidecar's
`,
  });
});

test("a control plane that is away, and what is not announced, are warnings", async () => {
  const control = "control: away for 61s: refused\nannounced: web.default, no\n";
  admin.answers.ready = [200, `ready\n${control}admin: x\n`];
  const away = await checkCommand({ adminUrl });
  assert.is(away.status, 0);
  assert.match(away.text, "warn control: away for 61s: refused\nwarn announced: web.default, no\n");
  admin.answers.ready = [200, "ready\ncontrol: connected\nannounced: web.default, yes\n"];
  const { text } = await checkCommand({ adminUrl });
  assert.match(text, "ok   control: connected\nok   announced: web.default, yes\n");
});

test("one that is not ready, not alive or not there fails", async () => {
  admin.answers.ready = [503, "not ready\nreason: no certificate\nreason: starting\nadmin: x\n"];
  const unready = await checkCommand({ adminUrl });
  assert.is(unready.status, 1);
  assert.match(unready.text, "FAIL ready: no certificate; starting\n");
  admin.answers.ready = [503, ""];
  assert.match((await checkCommand({ adminUrl })).text, "FAIL ready: HTTP 503\n");
  admin.answers.live = 500;
  assert.match((await checkCommand({ adminUrl })).text, /^FAIL live: \S+: HTTP 500\n/);

  const gone = new AdminAnswers(VIEW);
  const goneUrl = await gone.start();
  gone.stop();
  assert.equal(await checkCommand({ adminUrl: goneUrl }), {
    status: 1,
    text: `FAIL sidecar: ${goneUrl}: no sidecar listens there\n`,
  });
  admin.answers.isSilent = true;
  const silent = await checkCommand({ adminUrl, timeoutMs: 50 });
  assert.equal(silent, {
    status: 1,
    text: `FAIL sidecar: ${adminUrl}: no answer within 50 ms\n`,
  });
});

test("readiness alone is one question and one line, of a sidecar and of a control plane", async () => {
  const ask = (): Promise<unknown> => checkCommand({ adminUrl, isReadyOnly: true });
  // Neither is looked at: a certificate near its end is no reason to be replaced.
  admin.answers.live = 500;
  admin.answers.identity = { ...VIEW, state: "expiring" };
  admin.answers.ready = [200, "ready\ncontrol: away for 61s: refused\n"];
  assert.equal(await ask(), { status: 0, text: "ok   ready: yes\n" });
  admin.answers.ready = [503, "not ready\nreason: no certificate\nreason: \u001b[2J\nadmin: x\n"];
  const text = "FAIL ready: no certificate; \\u001b[2J\n";
  assert.equal(await ask(), { status: 1, text });
  admin.answers.ready = [503, "not ready: draining\nservices: 0\n"];
  assert.equal(await ask(), { status: 1, text: "FAIL ready: draining\n" });
  admin.answers.ready = [404, ""];
  assert.equal(await ask(), { status: 1, text: "FAIL ready: HTTP 404\n" });
});

test("readiness alone is answered within a second, also by silence", async () => {
  admin.answers.isSilent = true;
  const startMs = performance.now();
  assert.equal(await checkCommand({ adminUrl, isReadyOnly: true }), {
    status: 1,
    text: `FAIL ready: ${adminUrl}: no answer within 700 ms\n`,
  });
  assert.ok(performance.now() - startMs < patient(1_000));
});

test("an identity that cannot be read fails, one that is not wanted is a warning", async () => {
  admin.answers.identity = [404, ""];
  const unread = await checkCommand({ adminUrl });
  assert.is(unread.status, 1);
  assert.match(unread.text, /FAIL identity: \S+: \/identity: HTTP 404\n/);
  admin.answers.identity = { ...VIEW, state: "none", source: null };
  const none = await checkCommand({ adminUrl });
  assert.is(none.status, 0);
  assert.match(none.text, "warn identity: none: this sidecar does no TLS\n");
});

test("a certificate near its end, expired or missing fails, with the reason", async () => {
  const [expiring] = found({
    state: "expiring",
    expires: inHours(2),
    last_error: "connection refused",
  });
  const failing = "renewal fails: connection refused";
  assert.is(expiring, `FAIL certificate: ${NAME}, expires in 2h and ${failing}`);
  const [unplanned] = found({ state: "expiring", expires: inHours(2), source: "files" });
  assert.is(unplanned, `FAIL certificate: ${NAME}, expires in 2h and the files hold no newer one`);
  const [expired] = found({ state: "expired", expires: inHours(-1.5) });
  assert.match(expired ?? "", `FAIL certificate: ${NAME}, expired 1h30m ago and no renewal`);
  const [none] = found({ state: "failed", expires: null, last_error: "no such token" });
  assert.is(none, `FAIL certificate: ${NAME}, none yet: no such token`);
  const [waiting] = found({ state: "waiting", expires: null });
  assert.is(waiting, `FAIL certificate: ${NAME}, none yet: waiting`);
  admin.answers.identity = { ...VIEW, state: "expired", expires: inHours(-1) };
  assert.is((await checkCommand({ adminUrl })).status, 1);
});

test("a renewal that failed while there is time is a warning", async () => {
  assert.is(found({ last_error: "connection refused" })[1], "warn renewal: connection refused");
  admin.answers.identity = { ...VIEW, last_error: "connection refused" };
  assert.is((await checkCommand({ adminUrl })).status, 0);
  assert.not.ok(
    found({ source: "files", next_renewal: null }).some((line) => / renewal/.test(line)),
  );
});

test("an anchor with less than thirty days fails, or a tenth of a short life", async () => {
  const line = (...anchors: IdentityView["anchors"][number][]): string[] =>
    found({ anchors }).filter((each) => each.includes(" anchor: "));
  const year = 24 * 365;
  assert.match(line(anchor("a", -year, 24 * 31))[0] ?? "", /^ok /);
  assert.match(line(anchor("a", -year, 24 * 29))[0] ?? "", /^FAIL anchor: a, expires in 29d/);
  assert.match(line(anchor("a", -year, -1))[0] ?? "", /^FAIL anchor: a, expired 1h ago/);
  assert.match(line(anchor("a", -8, 2))[0] ?? "", /^ok /);
  assert.match(line(anchor("a", -9.5, 0.5))[0] ?? "", /^FAIL /);
  assert.match(line(anchor("", -9.5, 0.5))[0] ?? "", /^FAIL anchor: cd, /);
  const both = line(anchor("old", -10 * year, 24), anchor("new", -24, 10 * year));
  assert.match(both[0] ?? "", /^warn anchor: old/);
  assert.match(both[1] ?? "", /^ok {3}?anchor: new|^ok anchor: new/);
  admin.answers.identity = { ...VIEW, anchors: [anchor("a", -year, 24)] };
  assert.is((await checkCommand({ adminUrl })).status, 1);
});

test("a clock that is more than ten seconds off fails, either way", () => {
  const clock = (skew: number | null): string =>
    found({ clock_skew_s: skew }).find((line) => line.includes("clock")) ?? "";
  assert.match(clock(10), /^ok /);
  assert.match(clock(-10), /^ok /);
  assert.is(clock(10.5), "FAIL clock: the control plane's is 10.5 s ahead of this sidecar's");
  assert.is(clock(-3_600), "FAIL clock: the control plane's is 3600.0 s behind this sidecar's");
  assert.is(clock(null), "");
});

test("texts of others cannot add lines", async () => {
  admin.answers.identity = { ...VIEW, state: "expiring", last_error: "a\nok   all: well\u001b[2J" };
  const { text } = await checkCommand({ adminUrl });
  assert.not.match(text, /^ok {3}all/m);
  assert.not.match(text, "\u001b");
});

test.run();
