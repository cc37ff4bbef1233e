/**
 * What every source of a sidecar's certificate is: something that hands out credentials whenever
 * there are new ones, keeps the last good ones otherwise, and can be asked how it fares. Sources run
 * on the main thread and are given their clocks and timers.
 */
import type { Logger } from "../lib/log.ts";
import type { Credentials, Identity } from "../mesh/credentials.ts";

/**
 * `waiting`: none yet. `failed`: none yet, and the last attempt went wrong. `expiring`: less than a
 * third of the lifetime is left and no renewal is in sight that could be relied on.
 */
export type IdentityState = "waiting" | "valid" | "expiring" | "expired" | "failed";

/** What one certificate says of itself. Times are milliseconds since 1970. */
export type CertificateView = {
  /** As in `CN=web, O=example`; empty where there is none. */
  readonly subject: string;
  /** Its DNS names and URIs. */
  readonly names: readonly string[];
  /** Hexadecimal digits. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of its DER, hexadecimal digits. */
  readonly fingerprint: string;
};

export type AnchorView = {
  /** Its subject, as in `CN=anchor`. */
  readonly name: string;
  /** SHA-256 of its DER, hexadecimal digits: what a join token pins. */
  readonly fingerprint: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

/** How a source fares: plain, for JSON, and nothing in it is secret. Times are since 1970. */
export type IdentityStatus = {
  readonly source: "files" | "control";
  readonly state: IdentityState;
  /** What is certified, or, before there is a certificate, what is asked for. */
  readonly identity: Identity | null;
  /** Leaf first, without the anchor. */
  readonly chain: readonly CertificateView[];
  readonly anchors: readonly AnchorView[];
  /** When the first certificate from leaf to anchor expires. */
  readonly expiresMs: number | null;
  /** When a certificate is asked for next; null where others renew. */
  readonly nextRenewalMs: number | null;
  /** Why the last attempt failed; null when it did not. */
  readonly lastError: string | null;
  readonly refreshes: { readonly ok: number; readonly failed: number };
  readonly lastRefreshMs: number | null;
  /** How far the control plane's clock is ahead of ours; negative when it is behind. */
  readonly clockSkewMs: number | null;
};

export interface IdentitySource {
  readonly status: IdentityStatus;
  /** Resolves once there are credentials. To be called once. */
  start(): Promise<void>;
  /** Hands out nothing from now on. */
  stop(): void;
}

/** Calls back once after `delayMs`. What it returns takes that back. */
export type SetTimer = (delayMs: number, callback: () => void) => () => void;

export type SourceDeps = {
  /**
   * Is given each new set of credentials, the first included. What it throws says that they are of no
   * use: the last good ones stay, and the attempt has failed.
   */
  readonly use: (credentials: Credentials) => void;
  /** Is told that `status` is another now. */
  readonly changed: () => void;
  /** Time of day, milliseconds since 1970: for validity only, as it may jump. */
  readonly wallMs: () => number;
  readonly setTimer: SetTimer;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
};

/** The runtime's timer, which keeps the process. */
export const setRuntimeTimer: SetTimer = (delayMs, callback) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};
