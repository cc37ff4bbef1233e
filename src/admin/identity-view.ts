/**
 * What `/identity` shows: who this sidecar is, by which certificates, until when, and how renewal
 * fares. Times are RFC 3339 in UTC and come with the sidecar's own, so that a reader elsewhere can
 * say how long is left without trusting two clocks.
 */
import type { CertificateView, IdentityState, IdentityStatus } from "../identity/source.ts";
import {
  hasFields,
  isNumber,
  isNumberOrNull,
  isText,
  isTextOrNull,
  isTexts,
  isTime,
  isTimeOrNull,
  listOf,
} from "./view-check.ts";

export type IdentityCertificateView = {
  readonly subject: string;
  readonly names: readonly string[];
  /** Hexadecimal digits. */
  readonly serial: string;
  readonly not_before: string;
  readonly not_after: string;
  /** SHA-256 of the DER, hexadecimal digits. */
  readonly sha256: string;
};

export type IdentityAnchorView = {
  readonly name: string;
  readonly not_before: string;
  readonly not_after: string;
  readonly sha256: string;
};

export type IdentityView = {
  /** The sidecar's time of day. */
  readonly now: string;
  /** Where certificates come from; null when this sidecar has no identity. */
  readonly source: IdentityStatus["source"] | null;
  readonly state: IdentityState | "none";
  readonly dns: string | null;
  readonly uri: string | null;
  /** Leaf first. */
  readonly chain: readonly IdentityCertificateView[];
  readonly anchors: readonly IdentityAnchorView[];
  /** When the first certificate from leaf to anchor does. */
  readonly expires: string | null;
  /** Null where others renew. */
  readonly next_renewal: string | null;
  readonly last_refresh: string | null;
  readonly last_error: string | null;
  readonly refreshes: { readonly ok: number; readonly failed: number };
  /** The control plane's clock less the sidecar's, in seconds. */
  readonly clock_skew_s: number | null;
};

/** `status` null: the sidecar was given no identity. `nowMs`: time of day. */
export function identityView(status: IdentityStatus | null, nowMs: number): IdentityView {
  return {
    now: rfc3339(nowMs),
    source: status?.source ?? null,
    state: status?.state ?? "none",
    dns: status?.identity?.dns ?? null,
    uri: status?.identity?.uri ?? null,
    chain: (status?.chain ?? []).map(certificate),
    anchors: (status?.anchors ?? []).map(({ name, fingerprint, ...dates }) => ({
      name,
      ...period(dates),
      sha256: fingerprint,
    })),
    expires: timeOrNull(status?.expiresMs),
    next_renewal: timeOrNull(status?.nextRenewalMs),
    last_refresh: timeOrNull(status?.lastRefreshMs),
    last_error: status?.lastError ?? null,
    refreshes: status?.refreshes ?? { ok: 0, failed: 0 },
    clock_skew_s: status === null || status.clockSkewMs === null ? null : status.clockSkewMs / 1e3,
  };
}

function certificate(view: CertificateView): IdentityCertificateView {
  const { subject, names, serial, fingerprint } = view;
  return { subject, names, serial, ...period(view), sha256: fingerprint };
}

function period(dates: { readonly notBeforeMs: number; readonly notAfterMs: number }): {
  readonly not_before: string;
  readonly not_after: string;
} {
  return { not_before: rfc3339(dates.notBeforeMs), not_after: rfc3339(dates.notAfterMs) };
}

function timeOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : rfc3339(ms);
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}

/** Says whether a JSON value is a view: another program, or another version, may have sent it. */
export function isIdentityView(value: unknown): value is IdentityView {
  return (
    hasFields(value, {
      now: isTime,
      source: isTextOrNull,
      state: isText,
      dns: isTextOrNull,
      uri: isTextOrNull,
      chain: listOf({ ...DATED, subject: isText, names: isTexts, serial: isText }),
      anchors: listOf({ ...DATED, name: isText }),
      expires: isTimeOrNull,
      next_renewal: isTimeOrNull,
      last_refresh: isTimeOrNull,
      last_error: isTextOrNull,
      refreshes: (each) => hasFields(each, { ok: isNumber, failed: isNumber }),
      clock_skew_s: isNumberOrNull,
    }) && !(value.state !== "none" && value.source === null)
  );
}

const DATED = { not_before: isTime, not_after: isTime, sha256: isText } as const;
