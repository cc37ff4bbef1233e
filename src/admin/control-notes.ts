/** What `/ready?verbose` says of the control plane and of what is announced. */
import { formatDuration } from "../lib/duration.ts";
import type { ControlFigures } from "../metrics/control-figures.ts";
import type { Note } from "./health.ts";

/** `figures` is null for a sidecar without a control plane. */
export function controlNotes(figures: ControlFigures | null): readonly Note[] {
  if (figures === null) return [];
  const { isConnected, awayMs, lastError, announced } = figures;
  const awayS = Math.floor(awayMs / 1e3) * 1e3;
  const why = lastError === null ? "" : `: ${lastError}`;
  const text = isConnected ? "connected" : `away for ${formatDuration(awayS)}${why}`;
  return [
    { what: "control", text },
    ...announced.map(({ service, isAnnounced, problem }) => {
      const no = problem === null ? "no" : `no: ${problem}`;
      return { what: "announced", text: `${service}, ${isAnnounced ? "yes" : no}` };
    }),
  ];
}
