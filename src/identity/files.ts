/**
 * The identity of a sidecar from files that others write and renew (`--identity-dir`): cert-manager,
 * spiffe-helper, a person. They are read anew twice a second. That is 0.1 ms of work, and sees what a
 * file's times do not tell: on Deno these are whole seconds, and a second write within one is
 * common in a renewal. It is also why no notification of the kernel's is needed.
 *
 * A set that is not good (half written, torn, mismatched, expired) leaves the last good one in use,
 * is told of once, and is read again at the next poll like any other.
 */
import { isSameBytes } from "../lib/same-bytes.ts";
import type { Credentials, Identity } from "../mesh/credentials.ts";
import { identityText } from "../mesh/identity.ts";
import { readFileSet } from "./file-set.ts";
import { checkCredentials, type Refused } from "./load.ts";
import type { IdentitySource, IdentityStatus, SourceDeps } from "./source.ts";
import { oneLine, StatusRecord } from "./status.ts";

/** New certificates are to reach every worker within a second. */
export const POLL_MS = 500;

export type FileOptions = SourceDeps & {
  readonly directory: string;
  /** Whom the leaf must be for; null takes whom it is for. */
  readonly expected: Identity | null;
};

export class FileSource implements IdentitySource {
  readonly #options: FileOptions;
  readonly #record: StatusRecord;
  #current: Credentials | null = null;
  /** What was wrong at the last poll; null when nothing was. */
  #refusal: string | null = null;
  #exposedKey: string | null = null;
  #takeTimerBack: (() => void) | null = null;

  constructor(options: FileOptions) {
    const { expected: identity, wallMs, changed } = options;
    this.#options = options;
    this.#record = new StatusRecord({ source: "files", identity, wallMs, changed });
  }

  get status(): IdentityStatus {
    return this.#record.status;
  }

  /**
   * Hands out what is in the directory and follows its changes. Rejects with one line when there is
   * no good set, and then follows nothing: a mistake in a path is to end the program, not to wait.
   */
  start(): Promise<void> {
    this.#look();
    if (this.#current === null) {
      const reason = `${this.#options.directory}: ${this.#refusal ?? "nothing there"}`;
      return Promise.reject(new Error(oneLine(reason)));
    }
    this.#arm();
    return Promise.resolve();
  }

  stop(): void {
    this.#takeTimerBack?.();
    this.#takeTimerBack = null;
  }

  #arm(): void {
    this.#takeTimerBack = this.#options.setTimer(POLL_MS, () => {
      this.#arm();
      this.#look();
      this.#review();
    });
  }

  #look(): void {
    const { directory, expected, wallMs } = this.#options;
    const set = readFileSet(directory);
    if ("refused" in set) return this.#refuse(set);
    if (this.#current !== null && isSameSet(this.#current, set)) return this.#settle();
    const checked = checkCredentials(set, { nowMs: wallMs(), expected });
    if ("refused" in checked) return this.#refuse(checked);
    this.#warnOfExposure(set.exposedKey);
    this.#take(checked);
  }

  #take(credentials: Credentials): void {
    const { use, log } = this.#options;
    try {
      use(credentials);
    } catch (error) {
      return this.#refuse({ refused: error instanceof Error ? error.message : String(error) });
    }
    this.#current = credentials;
    this.#refusal = null;
    this.#record.taken(credentials, null);
    log.info("a certificate was taken from files", {
      identity: identityText(credentials.identity),
      expires: new Date(credentials.notAfterMs).toISOString(),
    });
  }

  /** One line and one count for each thing that goes wrong, not for each poll that meets it. */
  #refuse({ refused }: Refused): void {
    if (refused === this.#refusal) return;
    const { directory, log } = this.#options;
    this.#refusal = refused;
    this.#record.failed(refused, null);
    const fields = { directory, reason: oneLine(refused) };
    if (this.#current !== null) log.warn("the identity files are not taken", fields);
  }

  /** The files are again, or still, what is in use. */
  #settle(): void {
    this.#refusal = null;
    this.#record.recovered();
  }

  #review(): void {
    const { state, isNew } = this.#record.review();
    const { directory, log } = this.#options;
    if (!isNew) return;
    if (state === "expired") log.error("the certificate has expired", { directory });
    if (state === "expiring") log.warn("the certificate expires soon", { directory });
  }

  /** Kubernetes mounts secrets with mode 0644, so that it cannot be an error. */
  #warnOfExposure(path: string | null): void {
    if (path !== null && path !== this.#exposedKey) {
      this.#options.log.warn("the private key may be read by everybody on this machine", { path });
    }
    this.#exposedKey = path;
  }
}

/** Anchors in the chain are not kept, so it is compared without them. */
function isSameSet(
  current: Pick<Credentials, "certificates" | "key" | "roots">,
  { certificates, key, roots }: Pick<Credentials, "certificates" | "key" | "roots">,
): boolean {
  const sent = certificates.filter((each) => !roots.some((root) => isSameBytes(root, each)));
  return (
    isSameBytes(current.key, key) &&
    areSame(current.certificates, sent) &&
    areSame(current.roots, roots)
  );
}

function areSame(left: readonly Uint8Array[], right: readonly Uint8Array[]): boolean {
  return (
    left.length === right.length &&
    left.every((bytes, index) => isSameBytes(bytes, right[index] ?? new Uint8Array(0)))
  );
}
