/**
 * What the mesh trusts, told to everybody who watches: the present state at once, then each change.
 * A watcher that is slow gets the latest, not all in between.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";
import { TrustUpdateSchema } from "../proto/trust_pb.ts";
import type { Authority } from "./authority/authority.ts";
import { follow } from "./feed.ts";

/** As much of a hash as tells two states apart. */
const STATE_BYTES = 16;

/** Yields encoded TrustUpdates until one of the `ends` is aborted. */
export function trustFeed(
  authority: Authority,
  ends: readonly AbortSignal[],
): AsyncGenerator<Uint8Array> {
  let told = 0;
  const next = (): Uint8Array | null => {
    if (authority.version === told) return null;
    told = authority.version;
    return update(authority);
  };
  return follow(next, (wake) => authority.subscribe(wake), ends);
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
