/** Tells when the mesh's anchors or issuer are others than before. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { StopWatching } from "../discovery/mesh-source.ts";
import { isSameBytes } from "../lib/same-bytes.ts";
import { TrustUpdateSchema, WatchRequestSchema } from "../proto/trust_pb.ts";
import type { ControlLink } from "./link.ts";
import { WATCH_TRUST } from "./names.ts";

/** `roots` are the anchors in use. */
export function watchTrust(
  link: ControlLink,
  roots: () => readonly Uint8Array[],
  changed: () => void,
): StopWatching {
  let known: Uint8Array | null = null;
  const request = toBinary(WatchRequestSchema, create(WatchRequestSchema));
  return link.watch(WATCH_TRUST, request, {
    onMessage: (message) => {
      const { state, trustAnchors } = fromBinary(TrustUpdateSchema, message);
      // The first one may come after a change that the certificate in use knows nothing of.
      const isKnown = known === null ? areSame(trustAnchors, roots()) : isSameBytes(known, state);
      if (!isKnown) changed();
      known = state;
    },
    // Linkerd's control plane has no such method.
    onRefused: (refusal) => refusal !== "invalid",
  });
}

function areSame(anchors: readonly Uint8Array[], own: readonly Uint8Array[]): boolean {
  return (
    anchors.length === own.length &&
    own.every((root) => anchors.some((anchor) => isSameBytes(anchor, root)))
  );
}
