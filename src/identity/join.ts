/**
 * The identity of a sidecar from the control plane (`--control`, `--token`).
 *
 *                     ┌────────── taken ──────────▶ resting ──┐
 *   start ──▶ asking ─┤                                       ├─ due ──▶ asking
 *                     └── failed, refused, late ──▶ waiting ──┘
 *
 * asking    One attempt under a deadline: new key, request, answer, check (join-round.ts). It is
 *           authenticated by the certificate in use while that is valid, else by the token; so is
 *           what follows a refusal of the certificate, or a failure while the token is a new one.
 * resting   Due after 70 % of what is left (renewal.ts), or soon when the anchors have changed.
 * waiting   Due after a backoff. The last good certificate stays in use until it expires.
 *
 * Due is a monotonic time, which no clock that is set can put off. A time of day goes with it: when
 * that is reached first, the clock was set forwards or the machine slept, and the certificate may be
 * near its end. Both are looked at once a second, the time of day for nothing else but validity.
 */
import { isSameBytes } from "../lib/same-bytes.ts";
import type { Credentials, Identity } from "../mesh/credentials.ts";
import { identityText } from "../mesh/identity.ts";
import { certifyMeasured, clockHint } from "./clock-skew.ts";
import { makeKeyAndCsr } from "./csr.ts";
import { within } from "./deadline.ts";
import {
  type Certify,
  certifyRequest,
  isRefusal,
  type MakeKey,
  RoundError,
  readAnswer,
} from "./join-round.ts";
import type { JoinToken } from "./join-token.ts";
import type { Refused } from "./load.ts";
import {
  askTimeoutMs,
  refreshDelayMs,
  resumeDelayMs,
  retryDelayMs,
  soonDelayMs,
} from "./renewal.ts";
import type { IdentitySource, IdentityStatus, SourceDeps } from "./source.ts";
import { oneLine, StatusRecord } from "./status.ts";

/** How often the clocks are compared. */
const LOOK_MS = 1_000;
export type JoinOptions = SourceDeps & {
  readonly identity: Identity;
  readonly certify: Certify;
  /** The join token as it is now, see join-argument.ts. */
  readonly readToken: () => JoinToken | Refused;
  /** makeKeyAndCsr unless given. */
  readonly makeKey?: MakeKey;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** 32 random bits. */
  readonly random: () => number;
  /** Is given each new certificate and the token that was readable last, to be kept with it. */
  readonly keep?: (credentials: Credentials, token: JoinToken) => void;
  /** `start` rejects after this long; null: it waits. The attempts go on in either case. */
  readonly startTimeoutMs: number | null;
};

type Waiter = { readonly resolve: () => void; readonly reject: (error: Error) => void };

export class JoinSource implements IdentitySource {
  readonly #options: JoinOptions;
  readonly #record: StatusRecord;
  #state: "new" | "asking" | "resting" | "waiting" | "stopped" = "new";
  #current: Credentials | null = null;
  #dueMs = 0;
  #dueWallMs = 0;
  #failures = 0;
  #isByCertificate = false;
  #isCertificateRefused = false;
  /** The anchors changed while an attempt was under way, which may not know of it. */
  #isStale = false;
  /** Its file may be gone once the sidecar has joined; what it pinned stays pinned for the next time. */
  #usedToken: JoinToken | null = null;
  /** The last one that could be read. */
  #token: JoinToken | null = null;
  #abort: AbortController | null = null;
  #takeTimerBack: (() => void) | null = null;
  #waiter: Waiter | null = null;

  constructor(options: JoinOptions) {
    const { identity, wallMs, changed } = options;
    this.#options = options;
    this.#record = new StatusRecord({ source: "control", identity, wallMs, changed });
  }

  get status(): IdentityStatus {
    return this.#record.status;
  }

  /**
   * Goes on with the certificate of a run before, that `token` vouches for, as if it had been in use
   * all the time. To be called before `start`.
   */
  resume(credentials: Credentials, token: JoinToken): void {
    const { nowMs, wallMs, random, log } = this.#options;
    const { identity, notBeforeMs, notAfterMs } = credentials;
    try {
      this.#options.use(credentials);
    } catch (error) {
      const reason = oneLine(error instanceof Error ? error.message : String(error));
      log.warn("the certificate that was kept is not used", { reason });
      return;
    }
    this.#current = credentials;
    this.#usedToken = token;
    this.#token = token;
    const leftMs = Math.max(notAfterMs - wallMs(), 0);
    const delayMs = resumeDelayMs(notAfterMs - notBeforeMs, leftMs, random);
    this.#plan(nowMs() + delayMs, wallMs() + delayMs);
    this.#record.resumed(credentials, this.#dueWallMs);
    log.info("the certificate that was kept is used", {
      identity: identityText(identity),
      expires: new Date(notAfterMs).toISOString(),
      renewal: new Date(this.#dueWallMs).toISOString(),
    });
  }

  /**
   * Begins to ask. Resolves with the first certificate, at once with one that was resumed; rejects
   * after `startTimeoutMs`, or when it is stopped before.
   */
  start(): Promise<void> {
    const { startTimeoutMs, setTimer, nowMs, wallMs } = this.#options;
    if (this.#current !== null) {
      this.#state = "resting";
      this.#arm();
      return Promise.resolve();
    }
    this.#plan(nowMs(), wallMs());
    this.#state = "waiting";
    const started = new Promise<void>((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
    if (startTimeoutMs !== null) {
      const takeBack = setTimer(startTimeoutMs, () => {
        const reason = this.status.lastError ?? "the control plane did not answer";
        this.#settle(new Error(`no certificate within ${startTimeoutMs} ms: ${reason}`));
      });
      const { resolve = () => {}, reject = () => {} } = this.#waiter ?? {};
      this.#waiter = {
        resolve: () => [takeBack(), resolve()],
        reject: (error) => [takeBack(), reject(error)],
      };
    }
    this.#look();
    return started;
  }

  stop(): void {
    this.#state = "stopped";
    this.#abort?.abort();
    this.#takeTimerBack?.();
    this.#takeTimerBack = null;
    this.#settle(new Error("stopped before there was a certificate"));
  }

  /** Asks soon though nothing is due, because the mesh's trust anchors have changed. */
  refreshSoon(): void {
    if (this.#state === "asking") this.#isStale = true;
    if (this.#state !== "resting" && this.#state !== "waiting") return;
    const { nowMs, wallMs, random } = this.#options;
    const delayMs = soonDelayMs(this.#leftMs() ?? 0, random);
    if (nowMs() + delayMs >= this.#dueMs) return;
    this.#plan(nowMs() + delayMs, wallMs() + delayMs);
    this.#record.planned(this.#dueWallMs);
    this.#arm();
  }

  #plan(dueMs: number, dueWallMs: number): void {
    this.#dueMs = dueMs;
    this.#dueWallMs = dueWallMs;
  }

  #arm(): void {
    const { nowMs, setTimer } = this.#options;
    this.#takeTimerBack?.();
    const untilDueMs = this.#state === "asking" ? LOOK_MS : this.#dueMs - nowMs();
    const delayMs = Math.min(Math.max(untilDueMs, 0), LOOK_MS);
    this.#takeTimerBack = setTimer(delayMs, () => this.#look());
  }

  /** Once a second, and when something is due. */
  #look(): void {
    if (this.#state === "stopped") return;
    const { nowMs, wallMs, log, identity } = this.#options;
    const { state, isNew } = this.#record.review();
    if (isNew && state === "expired") {
      log.error("the certificate has expired", { identity: identityText(identity) });
    }
    const isDue = nowMs() >= this.#dueMs || wallMs() >= this.#dueWallMs;
    if (isDue && this.#state !== "asking") {
      this.#state = "asking";
      this.#ask()
        .then((credentials) => this.#use(credentials))
        .then(
          (credentials) => this.#taken(credentials),
          (error: unknown) => this.#failed(error),
        );
    }
    this.#arm();
  }

  async #ask(): Promise<Credentials> {
    const { identity, nowMs, wallMs, certify, makeKey = makeKeyAndCsr } = this.#options;
    const leftMs = this.#leftMs();
    const token = this.#options.readToken();
    const joinToken = "refused" in token ? null : token;
    this.#token = joinToken ?? this.#token;
    // Where certificates fail, somebody may have made a token for just that.
    const usedId = this.#usedToken?.id ?? new Uint8Array(0);
    const isNew = joinToken !== null && !isSameBytes(joinToken.id, usedId);
    const isUsable = leftMs !== null && leftMs > 0 && !this.#isCertificateRefused;
    this.#isByCertificate = isUsable && !(isNew && this.#failures > 0);
    if (joinToken !== null && !this.#isByCertificate) this.#usedToken = joinToken;
    if (!this.#isByCertificate && "refused" in token) throw new RoundError(token.refused);
    this.#isStale = false;
    const timeoutMs = askTimeoutMs(leftMs);
    const abort = new AbortController();
    this.#abort = abort;
    return await within(timeoutMs, this.#options.setTimer, abort, async (signal) => {
      const { key, csr } = await makeKey(identity);
      const byToken = this.#isByCertificate ? null : joinToken;
      const asked = certifyRequest(identity, csr, byToken, joinToken);
      const clocks = { nowMs, wallMs, measured: (ms: number) => this.#record.measured(ms) };
      const certified = await certifyMeasured(certify, { ...asked, timeoutMs, signal }, clocks);
      // Who renews by a certificate trusts the anchors it has, and not what a token pinned long ago.
      const pins = this.#isByCertificate ? [] : (this.#usedToken?.pins ?? []);
      const answer = { identity, key, certified, current: this.#current, pins };
      const read = readAnswer({ ...answer, nowMs: wallMs() });
      if ("refused" in read)
        throw new RoundError(read.refused + clockHint(this.status.clockSkewMs ?? 0));
      return read;
    });
  }

  #use(credentials: Credentials): Credentials {
    if (this.#state !== "stopped") this.#options.use(credentials);
    return credentials;
  }

  #taken(credentials: Credentials): void {
    if (this.#state === "stopped") return;
    const { nowMs, wallMs, random, log } = this.#options;
    this.#state = "resting";
    this.#current = credentials;
    this.#failures = 0;
    this.#isCertificateRefused = false;
    const leftMs = Math.max(credentials.notAfterMs - wallMs(), 0);
    const delayMs = this.#isStale ? soonDelayMs(leftMs, random) : refreshDelayMs(leftMs, random);
    this.#plan(nowMs() + delayMs, wallMs() + delayMs);
    this.#arm();
    this.#record.taken(credentials, this.#dueWallMs);
    if (this.#token !== null) this.#options.keep?.(credentials, this.#token);
    log.info("a certificate was issued", {
      identity: identityText(credentials.identity),
      expires: new Date(credentials.notAfterMs).toISOString(),
      renewal: new Date(this.#dueWallMs).toISOString(),
    });
    this.#settle(null);
  }

  #failed(error: unknown): void {
    if (this.#state === "stopped") return;
    const { nowMs, wallMs, random, log } = this.#options;
    const isRefused = isRefusal(error);
    const leftMs = this.#leftMs();
    this.#state = "waiting";
    this.#failures += 1;
    this.#isCertificateRefused = isRefused && this.#isByCertificate;
    // The token is another proof: it is not yet time for the longest wait.
    const isLongest = isRefused && !this.#isByCertificate;
    const failure = { failures: this.#failures, leftMs, isRefused: isLongest };
    const delayMs = retryDelayMs(failure, random);
    this.#plan(nowMs() + delayMs, wallMs() + delayMs);
    this.#arm();
    const reason = oneLine(error instanceof Error ? error.message : String(error));
    this.#record.failed(reason, this.#dueWallMs);
    const fields = { reason, failures: this.#failures, retryInMs: delayMs };
    if (isRefused) log.error("the control plane refuses to certify this sidecar", fields);
    else log.warn("no certificate was issued", fields);
  }

  /** Of the certificate in use, by the time of day; null without one. */
  #leftMs(): number | null {
    return this.#current === null ? null : this.#current.notAfterMs - this.#options.wallMs();
  }

  /** Ends the wait of `start`, once. */
  #settle(error: Error | null): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    if (error === null) waiter?.resolve();
    else waiter?.reject(error);
  }
}
