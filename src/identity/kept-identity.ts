/**
 * The certificate in use, its key and the trust anchors, kept across restarts: a sidecar that starts
 * while the control plane is away goes on with them. All of it is sealed with the secret of the join
 * token and bound to the sidecar's name, so the folder tells nobody a key, and whoever can write to
 * it, but has no token of the name, can make nobody trust an anchor. For the same reason the anchors
 * need not be those that the token pins: they may have been replaced since it was made.
 */
import { pack } from "msgpackr/pack";
import { Unpackr } from "msgpackr/unpack";
import type { Logger } from "../lib/log.ts";
import type { StateFolder } from "../lib/state-folder.ts";
import type { Credentials, Identity } from "../mesh/credentials.ts";
import type { JoinToken } from "./join-token.ts";
import { type CredentialParts, checkCredentials, type Refused } from "./load.ts";
import { type Sealed, seal, unseal } from "./seal.ts";

const NAME = "identity";
const unpackr = new Unpackr({ copyBuffers: true, useRecords: false });

export type KeptIdentityOptions = {
  readonly folder: Pick<StateFolder, "read" | "write">;
  readonly identity: Identity;
  /** Time of day, milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly log: Pick<Logger, "info" | "warn">;
};

export class KeptIdentity {
  readonly #options: KeptIdentityOptions;
  readonly #context: string;

  constructor(options: KeptIdentityOptions) {
    const { dns, uri } = options.identity;
    this.#options = options;
    this.#context = JSON.stringify(["identity", dns, uri]);
  }

  /** Keeps credentials for whoever has the token, in place of those before. Never rejects. */
  async keep({ certificates, key, roots }: Credentials, { secret }: JoinToken): Promise<void> {
    const { folder, log } = this.#options;
    const parts: CredentialParts = { certificates, key, roots };
    try {
      folder.write(NAME, await seal(secret, this.#context, pack(parts)));
    } catch (error) {
      log.warn("the certificate is not kept", { reason: error });
    }
  }

  /**
   * Returns what was kept if the token opens it and it can still be served with; else null, and says
   * why in one line unless there is nothing.
   */
  async recall({ secret }: JoinToken): Promise<Credentials | null> {
    const { folder, log } = this.#options;
    const value = folder.read(NAME);
    if (value === null) return null;
    const opened = isSealed(value) ? await unseal(secret, this.#context, value) : null;
    if (opened === null) {
      // Whoever starts a sidecar with a new token has that each time.
      const reason = "it was kept for another token or name, or was changed";
      log.info("the certificate that was kept is not used", { reason });
      return null;
    }
    const read = this.#read(opened);
    if (!("refused" in read)) return read;
    log.warn("the certificate that was kept is not used", { reason: read.refused });
    return null;
  }

  #read(bytes: Uint8Array): Credentials | Refused {
    const { identity, wallMs } = this.#options;
    const parts = partsOf(bytes);
    if (parts === null) return { refused: "another version wrote it" };
    return checkCredentials(parts, { nowMs: wallMs(), expected: identity });
  }
}

function isSealed(value: unknown): value is Sealed {
  if (typeof value !== "object" || value === null) return false;
  const { salt, nonce, text } = value as Partial<Record<keyof Sealed, unknown>>;
  return [salt, nonce, text].every((part) => part instanceof Uint8Array);
}

function partsOf(bytes: Uint8Array): CredentialParts | null {
  try {
    const value: unknown = unpackr.unpack(bytes);
    return isParts(value) ? value : null;
  } catch {
    return null;
  }
}

function isParts(value: unknown): value is CredentialParts {
  if (typeof value !== "object" || value === null) return false;
  const { certificates, key, roots } = value as Partial<Record<keyof CredentialParts, unknown>>;
  const isList = (list: unknown): boolean =>
    Array.isArray(list) && list.every((each) => each instanceof Uint8Array);
  return isList(certificates) && key instanceof Uint8Array && isList(roots);
}
