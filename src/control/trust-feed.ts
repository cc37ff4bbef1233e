/**
 * What the mesh trusts, told to everybody who watches: the present state at once, then each change.
 * A watcher that is slow gets the latest, not all in between.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";
import { TrustUpdateSchema } from "../proto/trust_pb.ts";
import type { Authority } from "./authority/authority.ts";

/** As much of a hash as tells two states apart. */
const STATE_BYTES = 16;

/** Yields encoded TrustUpdates until one of the `ends` is aborted. */
export async function* trustFeed(
  authority: Authority,
  ends: readonly AbortSignal[],
): AsyncGenerator<Uint8Array> {
  let wakeUp: () => void = () => {};
  const onEnd = (): void => wakeUp();
  const isOver = (): boolean => ends.some((end) => end.aborted);
  const unsubscribe = authority.subscribe(() => wakeUp());
  for (const end of ends) end.addEventListener("abort", onEnd);
  try {
    for (let told = 0; !isOver(); ) {
      if (authority.version === told) {
        await new Promise<void>((resolve) => {
          wakeUp = resolve;
          // Either may have happened before this was listened for.
          if (isOver() || authority.version !== told) resolve();
        });
        continue;
      }
      told = authority.version;
      yield update(authority);
    }
  } finally {
    unsubscribe();
    for (const end of ends) end.removeEventListener("abort", onEnd);
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
