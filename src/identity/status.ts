/**
 * The record of a source: what it has, what it plans and how its attempts went, from which the
 * status is made at the moment it is asked for, since certificates expire without an event.
 */
import { X509Certificate } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import { readCertificate } from "../codec/x509/certificate.ts";
import { hex } from "../codec/x509/der.ts";
import { escapeUnsafe } from "../lib/log-line.ts";
import type { Credentials, Identity } from "../mesh/credentials.ts";
import type { AnchorView, CertificateView, IdentityState, IdentityStatus } from "./source.ts";

/** Linkerd and cert-manager have renewed by then. */
const EXPIRING_SHARE = 1 / 3;

/** A reason fits a line; some come from peers. */
const ERROR_CHARS_MAX = 300;

export type RecordOptions = {
  readonly source: IdentityStatus["source"];
  /** Asked for; null where that is found out. */
  readonly identity: Identity | null;
  readonly wallMs: () => number;
  readonly changed: () => void;
};

export class StatusRecord {
  readonly #options: RecordOptions;
  #credentials: Credentials | null = null;
  #chain: readonly CertificateView[] = [];
  #anchors: readonly AnchorView[] = [];
  #nextRenewalMs: number | null = null;
  #lastError: string | null = null;
  #ok = 0;
  #failed = 0;
  #lastRefreshMs: number | null = null;
  #clockSkewMs: number | null = null;
  #toldState: IdentityState = "waiting";

  constructor(options: RecordOptions) {
    this.#options = options;
  }

  get status(): IdentityStatus {
    return {
      source: this.#options.source,
      state: this.#state(),
      identity: this.#credentials?.identity ?? this.#options.identity,
      chain: this.#chain,
      anchors: this.#anchors,
      expiresMs: this.#credentials?.notAfterMs ?? null,
      nextRenewalMs: this.#nextRenewalMs,
      lastError: this.#lastError,
      refreshes: { ok: this.#ok, failed: this.#failed },
      lastRefreshMs: this.#lastRefreshMs,
      clockSkewMs: this.#clockSkewMs,
    };
  }

  /** There are new credentials. */
  taken(credentials: Credentials, nextRenewalMs: number | null): void {
    this.#ok += 1;
    this.#lastRefreshMs = this.#options.wallMs();
    this.resumed(credentials, nextRenewalMs);
  }

  /** There are credentials that were issued to a run before this one. */
  resumed(credentials: Credentials, nextRenewalMs: number | null): void {
    this.#credentials = credentials;
    this.#chain = credentials.certificates.map(certificateView);
    this.#anchors = credentials.roots.map(anchorView);
    this.#nextRenewalMs = nextRenewalMs;
    this.#lastError = null;
    this.#tell();
  }

  /** An attempt failed. The reason may come from a peer and may be long. */
  failed(reason: string, nextRenewalMs: number | null): void {
    this.#failed += 1;
    this.#lastError = oneLine(reason);
    this.#nextRenewalMs = nextRenewalMs;
    this.#tell();
  }

  /** What was wrong is so no longer, though nothing is new. */
  recovered(): void {
    if (this.#lastError === null) return;
    this.#lastError = null;
    this.#tell();
  }

  planned(nextRenewalMs: number | null): void {
    this.#nextRenewalMs = nextRenewalMs;
    this.#tell();
  }

  /** See `IdentityStatus.clockSkewMs`. Is told of with what follows it. */
  measured(clockSkewMs: number): void {
    this.#clockSkewMs = Math.round(clockSkewMs);
  }

  /** To be called from time to time: tells when the state has changed by time alone, and returns it. */
  review(): { readonly state: IdentityState; readonly isNew: boolean } {
    const state = this.#state();
    const isNew = state !== this.#toldState;
    if (isNew) this.#tell();
    return { state, isNew };
  }

  #tell(): void {
    this.#toldState = this.#state();
    this.#options.changed();
  }

  #state(): IdentityState {
    const current = this.#credentials;
    if (current === null) return this.#lastError === null ? "waiting" : "failed";
    const leftMs = current.notAfterMs - this.#options.wallMs();
    if (leftMs < 0) return "expired";
    const lifetimeMs = current.notAfterMs - current.notBeforeMs;
    if (leftMs >= lifetimeMs * EXPIRING_SHARE) return "valid";
    const next = this.#nextRenewalMs;
    const isCared = this.#lastError === null && next !== null && next < current.notAfterMs;
    return isCared ? "valid" : "expiring";
  }
}

/** Cuts a text that others may have written and makes one line of it. */
export function oneLine(text: string): string {
  return escapeUnsafe(text.slice(0, ERROR_CHARS_MAX).toWellFormed());
}

/** Returns what is to be seen of a certificate in DER. */
export function certificateView(der: Uint8Array): CertificateView {
  const facts = readCertificate(der);
  const fingerprint = hex(sha256(der));
  if ("error" in facts) {
    return { subject: "", names: [], serial: "", notBeforeMs: 0, notAfterMs: 0, fingerprint };
  }
  const { serial, notBeforeMs, notAfterMs, names } = facts;
  return {
    subject: subjectOf(der),
    names: [...(names?.dns ?? []), ...(names?.uri ?? [])].map(oneLine),
    serial: hex(serial),
    notBeforeMs,
    notAfterMs,
    fingerprint,
  };
}

function anchorView(der: Uint8Array): AnchorView {
  const { subject, fingerprint, notBeforeMs, notAfterMs } = certificateView(der);
  return { name: subject, fingerprint, notBeforeMs, notAfterMs };
}

/** The runtimes write a subject as lines; where it is empty they have none. */
function subjectOf(der: Uint8Array): string {
  try {
    const subject: string | undefined = new X509Certificate(der).subject;
    return oneLine((subject ?? "").replaceAll("\n", ", "));
  } catch {
    return "";
  }
}
