import * as assert from "uvu/assert";
import { identityView, isIdentityView } from "../../src/admin/identity-view.ts";
import type { IdentityStatus } from "../../src/identity/source.ts";
import { suite } from "../support/test.ts";

const test = suite("admin/identity-view");

const NOW_MS = Date.UTC(2031, 4, 20, 12);
const HOUR_MS = 3_600_000;

const STATUS: IdentityStatus = {
  source: "control",
  state: "valid",
  identity: { dns: "web.default.example", uri: null },
  chain: [
    {
      subject: "CN=web",
      names: ["web.default.example"],
      serial: "0abc",
      notBeforeMs: NOW_MS - HOUR_MS,
      notAfterMs: NOW_MS + HOUR_MS,
      fingerprint: "ab".repeat(32),
    },
  ],
  anchors: [
    {
      name: "CN=anchor",
      fingerprint: "cd".repeat(32),
      notBeforeMs: NOW_MS - HOUR_MS,
      notAfterMs: NOW_MS + 2 * HOUR_MS,
    },
  ],
  expiresMs: NOW_MS + HOUR_MS,
  nextRenewalMs: NOW_MS + HOUR_MS / 2,
  lastError: null,
  refreshes: { ok: 3, failed: 1 },
  lastRefreshMs: NOW_MS - HOUR_MS,
  clockSkewMs: -1_500,
};

test("a status is shown with times of day and its own", () => {
  assert.equal(identityView(STATUS, NOW_MS), {
    now: "2031-05-20T12:00:00.000Z",
    source: "control",
    state: "valid",
    dns: "web.default.example",
    uri: null,
    chain: [
      {
        subject: "CN=web",
        names: ["web.default.example"],
        serial: "0abc",
        not_before: "2031-05-20T11:00:00.000Z",
        not_after: "2031-05-20T13:00:00.000Z",
        sha256: "ab".repeat(32),
      },
    ],
    anchors: [
      {
        name: "CN=anchor",
        not_before: "2031-05-20T11:00:00.000Z",
        not_after: "2031-05-20T14:00:00.000Z",
        sha256: "cd".repeat(32),
      },
    ],
    expires: "2031-05-20T13:00:00.000Z",
    next_renewal: "2031-05-20T12:30:00.000Z",
    last_refresh: "2031-05-20T11:00:00.000Z",
    last_error: null,
    refreshes: { ok: 3, failed: 1 },
    clock_skew_s: -1.5,
  });
});

test("without an identity it says so", () => {
  const view = identityView(null, NOW_MS);
  assert.is(view.state, "none");
  assert.is(view.source, null);
  assert.is(view.expires, null);
  assert.equal(view.chain, []);
});

test("what was written is read, and what is anything else is not", () => {
  for (const status of [STATUS, null]) {
    const view: unknown = JSON.parse(JSON.stringify(identityView(status, NOW_MS)));
    assert.ok(isIdentityView(view));
  }
  const view = identityView(STATUS, NOW_MS);
  for (const name of Object.keys(view)) {
    const { [name]: _, ...without } = view as Record<string, unknown>;
    assert.not.ok(isIdentityView(without), name);
    assert.not.ok(isIdentityView({ ...view, [name]: { a: 1 } }), name);
  }
  const chain = [{ ...view.chain[0], not_after: "tomorrow" }];
  assert.not.ok(isIdentityView({ ...view, chain }));
  assert.not.ok(isIdentityView({ ...view, chain: [{ ...view.chain[0], names: [1] }] }));
  for (const value of [null, 1, "view", [], {}, { services: [] }]) {
    assert.not.ok(isIdentityView(value), JSON.stringify(value));
  }
});

test.run();
