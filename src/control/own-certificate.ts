/**
 * The control plane's own certificate: made in its own process, shown with the anchor it leads to
 * (a sidecar that joins knows only the anchor's hash), and made anew at 70 % of its life and whenever
 * anchors or issuer change. That is a time of day, and looked at often: clocks are set and machines
 * sleep, and with a certificate of another day nobody can join or renew.
 */
import type { Credentials } from "../mesh/credentials.ts";
import type { Authority } from "./authority/authority.ts";
import { makeOwnCredentials } from "./authority/own-credentials.ts";
import { Refusal } from "./authority/refusal.ts";

const RENEWAL_SHARE = 0.7;
/** When it could not be made: an issuer that is not valid now, by the clock. */
const RETRY_MS = 1_000;
/** How long the clock goes without being looked at. */
const LOOK_MS = 1_000;

export type OwnCertificateOptions = {
  readonly authority: Authority;
  readonly trustDomain: string;
  readonly wallMs: () => number;
  readonly present: (credentials: Credentials) => void;
  readonly failed: (reason: string) => void;
};

export class OwnCertificate {
  readonly #options: OwnCertificateOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unsubscribe: () => void = () => {};
  /** Of the certificate in use; before then the clock was set back. Milliseconds since 1970. */
  #notBeforeMs = 0;
  /** When to make the next one. */
  #dueMs = 0;
  #isStopped = false;

  constructor(options: OwnCertificateOptions) {
    this.#options = options;
  }

  /** Returns the first one, or why there is none; renews from then on until `stop`. */
  async start(): Promise<Credentials | Refusal> {
    const { authority } = this.#options;
    const first = await this.#make();
    if (first instanceof Refusal) return first;
    this.#unsubscribe = authority.subscribe(() => void this.#renew());
    this.#plan(first);
    return first;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
  }

  async #make(): Promise<Credentials | Refusal> {
    const { authority, trustDomain, wallMs } = this.#options;
    const made = await makeOwnCredentials(authority, trustDomain, wallMs());
    if (made instanceof Refusal) return made;
    return { ...made, certificates: [...made.certificates, authority.state.anchor.der] };
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const { failed, present } = this.#options;
    if (this.#isStopped) return;
    try {
      const made = await this.#make();
      if (this.#isStopped) return;
      if (!(made instanceof Refusal)) {
        present(made);
        return this.#plan(made);
      }
      failed(made.reason);
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error));
    }
    this.#arm(RETRY_MS);
  }

  #plan({ notBeforeMs, notAfterMs }: Credentials): void {
    const leftMs = notAfterMs - this.#options.wallMs();
    this.#notBeforeMs = notBeforeMs;
    this.#arm(Math.max(leftMs * RENEWAL_SHARE, RETRY_MS));
  }

  #arm(delayMs: number): void {
    this.#dueMs = this.#options.wallMs() + delayMs;
    this.#wait();
  }

  #wait(): void {
    const leftMs = Math.max(this.#dueMs - this.#options.wallMs(), 0);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), Math.min(leftMs, LOOK_MS));
  }

  #look(): void {
    const nowMs = this.#options.wallMs();
    if (nowMs >= this.#dueMs || nowMs < this.#notBeforeMs) void this.#renew();
    else this.#wait();
  }
}
