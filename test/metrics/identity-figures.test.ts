import * as assert from "uvu/assert";
import { type IdentityFigures, writeIdentity } from "../../src/metrics/identity-figures.ts";
import { MetricsText } from "../../src/metrics/text.ts";
import { parseMetrics, sampleOf } from "../support/prometheus.ts";
import { suite } from "../support/test.ts";

const test = suite("metrics/identity-figures");

const FIGURES: IdentityFigures = {
  expiresMs: 1_900_000_000_500,
  lastRefreshMs: 1_899_999_000_000,
  refreshes: { ok: 7, failed: 2 },
  clockSkewMs: -1_250,
};

function render(figures: IdentityFigures): ReturnType<typeof parseMetrics> {
  const text = new MetricsText();
  writeIdentity(text, figures);
  return parseMetrics(text.finish());
}

test("Linkerd's families have seconds since 1970 and both results", () => {
  const families = render(FIGURES);
  const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
    sampleOf(families, name, labels);
  assert.is(value("control_identity_cert_expiration_timestamp_seconds"), 1_900_000_000.5);
  assert.is(value("control_identity_cert_refresh_timestamp_seconds"), 1_899_999_000);
  assert.is(value("control_identity_cert_refreshes_total", { result: "success" }), 7);
  assert.is(value("control_identity_cert_refreshes_total", { result: "failure" }), 2);
  assert.is(value("outrigger_identity_clock_skew_seconds"), -1.25);
});

test("without a certificate times are 0, and without a skew there is none", () => {
  const families = render({
    expiresMs: null,
    lastRefreshMs: null,
    refreshes: { ok: 0, failed: 0 },
    clockSkewMs: null,
  });
  assert.is(sampleOf(families, "control_identity_cert_expiration_timestamp_seconds", {}), 0);
  assert.is(sampleOf(families, "control_identity_cert_refresh_timestamp_seconds", {}), 0);
  assert.not.ok(families.has("outrigger_identity_clock_skew_seconds"));
});

test.run();
