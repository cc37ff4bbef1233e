/**
 * The metrics of a sidecar's certificate: Linkerd's names, and the clock's skew, which is what most
 * often makes a certificate bad that is not.
 */
import { formatLabels, type MetricsText } from "./text.ts";

/** What is shown; a source's status has it. Times are milliseconds since 1970. */
export type IdentityFigures = {
  /** Null without a certificate. */
  readonly expiresMs: number | null;
  readonly lastRefreshMs: number | null;
  readonly refreshes: { readonly ok: number; readonly failed: number };
  /** The control plane's clock less ours; null when it is not known. */
  readonly clockSkewMs: number | null;
};

const MS_PER_S = 1_000;

/**
 * Adds the families. Times are 0 without a certificate, as Linkerd has it, so that an alarm for a
 * certificate that expires soon also tells of one that never came.
 */
export function writeIdentity(text: MetricsText, figures: IdentityFigures): void {
  const { expiresMs, lastRefreshMs, refreshes, clockSkewMs } = figures;
  const gauge = (name: string, help: string, ms: number): void => {
    text.family(name, "gauge", help);
    text.sample(name, "", ms / MS_PER_S);
  };
  gauge(
    "control_identity_cert_expiration_timestamp_seconds",
    "When the certificate in use expires, since 1970; 0 without one.",
    expiresMs ?? 0,
  );
  gauge(
    "control_identity_cert_refresh_timestamp_seconds",
    "When the certificate in use was taken, since 1970; 0 without one.",
    lastRefreshMs ?? 0,
  );
  const refreshesTotal = "control_identity_cert_refreshes_total";
  text.family(refreshesTotal, "counter", "Certificates taken, and attempts that failed.");
  for (const [result, count] of [
    ["success", refreshes.ok],
    ["failure", refreshes.failed],
  ] as const) {
    text.sample(refreshesTotal, formatLabels([["result", result]]), count);
  }
  if (clockSkewMs === null) return;
  gauge(
    "outrigger_identity_clock_skew_seconds",
    "How far the control plane's clock is ahead of this one; negative when behind.",
    clockSkewMs,
  );
}
