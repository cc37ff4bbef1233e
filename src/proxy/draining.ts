/** Which clients are to leave while the process drains, see DrainPhase. */
import type { ListenerKind } from "../mesh/snapshot.ts";
import { DrainPhase } from "../shared/layout.ts";

/** Says whether clients of a listener are to leave in a phase. */
export function leavesIn(phase: number, kind: ListenerKind): boolean {
  if (phase === DrainPhase.none) return false;
  return phase === DrainPhase.all || kind === "inbound";
}
