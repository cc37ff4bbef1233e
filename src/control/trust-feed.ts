/**
 * What the mesh trusts, told to everybody who watches: the present state at once, then each change.
 * A watcher that is slow gets the latest, not all in between.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";
import { TrustUpdateSchema } from "../proto/trust_pb.ts";
import type { Authority } from "./authority/authority.ts";
import { Feed, type Leaving } from "./feed.ts";

/** As much of a hash as tells two states apart. */
const STATE_BYTES = 16;

/** Tells encoded TrustUpdates until its reader has enough, or we leave. */
export class TrustFeed extends Feed {
  readonly #authority: Authority;
  #told = 0;
  #unsubscribe: () => void = () => {};

  constructor(authority: Authority, leaving: Leaving) {
    super(leaving);
    this.#authority = authority;
  }

  protected begin(): void {
    this.#unsubscribe = this.#authority.subscribe(() => this.wake());
  }

  protected end(): void {
    this.#unsubscribe();
  }

  protected take(): Uint8Array | null {
    const { version } = this.#authority;
    if (version === this.#told) return null;
    this.#told = version;
    return update(this.#authority);
  }
}

function update(authority: Authority): Uint8Array {
  const hash = sha256.create().update(authority.state.issuer.der);
  for (const root of authority.roots) hash.update(root);
  return toBinary(
    TrustUpdateSchema,
    create(TrustUpdateSchema, {
      trustAnchors: [...authority.roots],
      state: hash.digest().slice(0, STATE_BYTES),
    }),
  );
}
