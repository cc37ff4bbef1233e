/**
 * The certificate authority of a mesh: signs the keys of workloads whose identity was authenticated,
 * and follows its folder, so that what another process changes there (an anchor added, a file
 * restored) is in use within a second. A folder that is no longer right is told and the last good
 * keys are kept. Wall clock and record are passed in; there is no network here.
 */
import type { Identity } from "../../mesh/credentials.ts";
import { identityText } from "../../mesh/identity.ts";
import { type AuditEvent, REQUESTED_CHARS_MAX } from "./audit.ts";
import { Fault } from "./fault.ts";
import { codeOf, prepareFolder, versionOf } from "./folder.ts";
import { makeLeaf } from "./make-certificate.ts";
import { RateLimit } from "./rate-limit.ts";
import { Refusal } from "./refusal.ts";
import { checkRequest } from "./request-rules.ts";
import { ensureState, isIssuerDue, renewIssuer } from "./rotation.ts";
import { type AuthorityState, loadState, STATE_FILES, validityFault } from "./state.ts";

/** For tests: renewal at 70 % is then every 3.5 s. */
export const LEAF_LIFETIME_MIN_MS = 5_000;
/** A certificate cannot be revoked; it can only be short. */
export const LEAF_LIFETIME_MAX_MS = 30 * 86_400_000;

/** Half of the second within which a change is to be noticed. */
const POLL_MS = 500;
/** A renewal of the issuer that failed has months left. */
const RENEWAL_RETRY_MS = 60_000;

export type AuthorityOptions = {
  readonly dir: string;
  /** Of the leaves. */
  readonly lifetimeMs: number;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly audit: (event: AuditEvent) => void;
  /**
   * Told what is wrong with the folder, once for each reason, and null when it is right again; and
   * each time that the issuer could not be renewed, at most once a minute.
   */
  readonly onFault: (fault: Fault | null) => void;
};

export type IssueRequest = {
  /** Whom the connection or the token proved. */
  readonly identity: Identity;
  /** The name that the request says it is for, as it came. */
  readonly requested: string;
  /** PKCS #10 DER, as it came. */
  readonly csr: Uint8Array;
  readonly nowMs: number;
  /** Shorter than the authority's own, for who wants it. */
  readonly lifetimeMs?: number;
  /** For the record: the peer's address, and `certificate` or `token ID`. */
  readonly peer: string;
  readonly proof: string;
};

export type Issued = {
  /** DER. */
  readonly leaf: Uint8Array;
  /** DER, the one that signed the leaf first; the anchor is not among them. */
  readonly intermediates: readonly Uint8Array[];
  /** DER of all anchors to trust, the active one among them. */
  readonly roots: readonly Uint8Array[];
  readonly validFromMs: number;
  readonly validUntilMs: number;
  /** Hexadecimal digits. */
  readonly serial: string;
};

export class Authority {
  readonly #options: AuthorityOptions;
  readonly #rateLimit: RateLimit;
  readonly #listeners = new Set<() => void>();
  #state: AuthorityState;
  /** Of the files when they were last read. */
  #filesVersion: string;
  #version = 1;
  #fault: string | null = null;
  #renewAfterMs = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setInterval> | null = null;
  #polling: Promise<void> | null = null;

  private constructor(options: AuthorityOptions, state: AuthorityState, filesVersion: string) {
    this.#options = options;
    this.#rateLimit = new RateLimit(options.lifetimeMs);
    this.#state = state;
    this.#filesVersion = filesVersion;
  }

  /**
   * Opens the folder, on the first start with a new anchor and issuer. Returns why it cannot be
   * used: keys that others can read, files that are missing or do not belong together, an anchor or
   * an issuer that has expired.
   */
  static async open(options: AuthorityOptions): Promise<Authority | Fault> {
    const { dir, lifetimeMs } = options;
    if (!(lifetimeMs >= LEAF_LIFETIME_MIN_MS && lifetimeMs <= LEAF_LIFETIME_MAX_MS)) {
      return new Fault("certificates live 5 s to 30 days");
    }
    const fault = prepareFolder(dir);
    if (fault !== null) return fault;
    const ensured = await ensureState(dir, options.nowMs(), lifetimeMs);
    if (ensured instanceof Fault) return ensured;
    const invalid = validityFault(ensured, options.nowMs());
    if (invalid !== null) return invalid;
    const authority = new Authority(options, ensured, "");
    await authority.poll();
    return authority;
  }

  /** What is wrong with the folder, while the last good keys are in use; null when nothing is. */
  get fault(): string | null {
    return this.#fault ?? validityFault(this.#state, this.#options.nowMs())?.reason ?? null;
  }

  /** Rises by one whenever issuer or anchors change: certificates from before should be renewed. */
  get version(): number {
    return this.#version;
  }

  /** What is in use: for lists, metrics and warnings of expiry. Holds keys; not to be shown whole. */
  get state(): AuthorityState {
    return this.#state;
  }

  /** DER of all anchors that sidecars are to trust. */
  get roots(): readonly Uint8Array[] {
    return this.#state.bundle;
  }

  /** Calls `listener` after each change of `version`; returns what ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Follows the folder from now on, until `close`. */
  start(): void {
    // `poll` tells its failures to `onFault` and never rejects.
    this.#timer ??= setInterval(() => void this.poll(), POLL_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#listeners.clear();
  }

  /** Looks at the folder now, and renews the issuer when that is due. Never rejects. */
  poll(): Promise<void> {
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = null;
    });
    return this.#polling;
  }

  /** Returns a certificate for the identity, or why there is none. One line of record for each. */
  async issue(request: IssueRequest): Promise<Issued | Refusal> {
    const answer = await this.#decide(request);
    const isRefused = answer instanceof Refusal;
    this.#options.audit({
      event: isRefused ? "certificate refused" : "certificate issued",
      timeMs: request.nowMs,
      identity: identityText(request.identity),
      requested: request.requested.slice(0, REQUESTED_CHARS_MAX),
      peer: request.peer,
      proof: request.proof,
      serial: isRefused ? null : answer.serial,
      notAfterMs: isRefused ? null : answer.validUntilMs,
      kind: isRefused ? answer.kind : null,
      reason: isRefused ? answer.reason : null,
    });
    return answer;
  }

  async #decide(request: IssueRequest): Promise<Issued | Refusal> {
    const { identity, requested, csr, nowMs } = request;
    // One state for the whole answer, though the folder may change meanwhile.
    const { anchor, issuer, bundle } = this.#state;
    if (requested !== identity.dns && requested !== identity.uri) {
      return new Refusal("wrong-identity", "the request is for another identity");
    }
    if (!this.#rateLimit.take(identityText(identity) ?? "", nowMs)) {
      return new Refusal("rate-limited", "too many requests of this identity");
    }
    const spki = await checkRequest(csr, identity);
    if (spki instanceof Refusal) return spki;
    const lifetimeMs = Math.min(request.lifetimeMs ?? Infinity, this.#options.lifetimeMs);
    const notAfterMs = Math.min(nowMs + lifetimeMs, issuer.notAfterMs, anchor.notAfterMs);
    if (notAfterMs <= nowMs || nowMs < issuer.notBeforeMs) {
      return new Refusal("clock", "the issuer's certificate is not valid at this time");
    }
    const leaf = await makeLeaf(issuer, spki, identity, nowMs, notAfterMs);
    return {
      leaf: new Uint8Array(leaf.rawData),
      intermediates: [issuer.der],
      roots: bundle,
      validFromMs: leaf.notBefore.getTime(),
      validUntilMs: leaf.notAfter.getTime(),
      serial: leaf.serialNumber,
    };
  }

  async #poll(): Promise<void> {
    const { dir } = this.#options;
    try {
      const filesVersion = versionOf(dir, STATE_FILES);
      if (filesVersion !== this.#filesVersion) {
        const loaded = (await loadState(dir)) ?? new Fault(`${dir} has lost its files`);
        // Taken before the files were read: what changes after that shows the next time.
        this.#filesVersion = filesVersion;
        this.#take(loaded);
      }
      if (this.#fault === null) await this.#renew();
    } catch (error) {
      this.#tell(new Fault(`${dir} cannot be read: ${codeOf(error)}`));
    }
  }

  async #renew(): Promise<void> {
    const nowMs = this.#options.nowMs();
    if (!isIssuerDue(this.#state, nowMs) || nowMs < this.#renewAfterMs) return;
    this.#renewAfterMs = nowMs + RENEWAL_RETRY_MS;
    const renewed = await renewIssuer(this.#options.dir, nowMs, { ifDue: true });
    // Told each time, and no reason to stop trying.
    if (renewed instanceof Fault) this.#options.onFault(renewed);
    else this.#take(renewed);
  }

  #take(state: AuthorityState | Fault): void {
    if (state instanceof Fault) return this.#tell(state);
    const invalid = validityFault(state, this.#options.nowMs());
    if (invalid !== null) return this.#tell(invalid);
    this.#tell(null);
    const isChanged = contentOf(state) !== contentOf(this.#state);
    this.#state = state;
    if (!isChanged) return;
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }

  #tell(fault: Fault | null): void {
    const reason = fault?.reason ?? null;
    if (reason === this.#fault) return;
    this.#fault = reason;
    this.#options.onFault(fault);
  }
}

/** What sidecars see of a state. */
function contentOf({ issuer, bundle }: AuthorityState): string {
  return [issuer.der, ...bundle].map((der) => Buffer.from(der).toString("latin1")).join(" ");
}
