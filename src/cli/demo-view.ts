/** How the demo shows itself: redrawn in place in a terminal, a line a second elsewhere. */
import { formatDuration } from "../lib/duration.ts";
import type { Figures, ReplicaFigures } from "./demo-figures.ts";

const BAR_WIDTH = 16;

/** One line for logs and pipes. */
export function drawPlain(figures: Figures): string {
  const { latenciesMs, replicas } = figures;
  const shares = replicas.map(({ label, address, endpoint }) => {
    if (address === "") return `${label}=down`;
    const { share = 0, cost_ms: costMs = 0, pending = 0 } = endpoint ?? {};
    return `${label}=${percent(share)}/${(costMs ?? 0).toFixed(1)}ms/${pending}`;
  });
  const isSecure = replicas.every(
    ({ endpoint }) => endpoint === null || endpoint.identity !== null,
  );
  return (
    `${figures.seconds.toFixed(0)}s ${latenciesMs.length} req/s success=${successOf(figures)} ` +
    `p50=${quantile(latenciesMs, 0.5)}ms p99=${quantile(latenciesMs, 0.99)}ms ` +
    `echoes=${figures.echoes} mtls=${isSecure ? "yes" : "no"} ` +
    `share/ewma/pending: ${shares.join(" ")}\n`
  );
}

/** The whole view, drawn over the last one. */
export function drawLines(figures: Figures, isKeyed: boolean): string {
  const { latenciesMs, replicas } = figures;
  const keys = isKeyed ? `1 to ${replicas.length} kills a replica, or starts it; q ends` : "";
  const head =
    `  ${"web".padEnd(18)}${"app".padEnd(8)}${"share".padEnd(BAR_WIDTH + 9)}${"EWMA".padStart(9)}` +
    `  pending  mTLS  between  certificate`;
  const lines = [
    `outrigger demo   ${figures.seconds.toFixed(0)} s   ${keys}`,
    "",
    `  requests/s ${String(latenciesMs.length).padStart(6)}   success ${successOf(figures)}   ` +
      `p50 ${quantile(latenciesMs, 0.5)} ms   p99 ${quantile(latenciesMs, 0.99)} ms   ` +
      `TCP echoes ${figures.echoes}`,
    "",
    head,
    ...replicas.map(replicaLine),
    "",
  ];
  return `\x1b[H\x1b[2J${lines.join("\r\n")}\r\n`;
}

function replicaLine({ label, address, endpoint, certificateAgeMs }: ReplicaFigures): string {
  const { share = 0, cost_ms: costMs = 0, pending = 0, identity = null, speaks } = endpoint ?? {};
  const state = address === "" ? "down" : address;
  const age = certificateAgeMs === null ? "–" : `${formatDuration(ageOf(certificateAgeMs))} old`;
  return (
    `  ${state.padEnd(18)}${label.padEnd(8)}${bar(share)} ${percent(share).padStart(6)}  ` +
    `${(costMs ?? 0).toFixed(1).padStart(7)} ms ${String(pending).padStart(6)}   ` +
    `${(identity === null ? "no" : "yes").padEnd(6)}${(speaks === "sidecar" ? "HTTP/2" : "–").padEnd(9)}${age}`
  );
}

/** In whole seconds. */
function ageOf(ms: number): number {
  return Math.max(0, Math.round(ms / 1e3)) * 1e3;
}

function bar(share: number): string {
  const filled = Math.round(share * BAR_WIDTH);
  return "█".repeat(filled) + "·".repeat(BAR_WIDTH - filled);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

function successOf({ succeeded, failed }: Figures): string {
  const total = succeeded + failed;
  return total === 0 ? "–" : `${((succeeded / total) * 100).toFixed(2)}%`;
}

function quantile(sorted: readonly number[], q: number): string {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
  return value === undefined ? "–" : value.toFixed(1);
}
