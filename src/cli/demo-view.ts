/** How the demo shows itself: redrawn in place in a terminal, a line a second elsewhere. */

export type EndpointFigures = {
  readonly address: string;
  /** null before the first answer. */
  readonly cost_ms: number | null;
  readonly pending: number;
  readonly share: number;
  readonly requests: number;
};

export type Figures = {
  readonly seconds: number;
  /** Of the last second, sorted. */
  readonly latenciesMs: readonly number[];
  readonly succeeded: number;
  readonly failed: number;
  readonly echoes: number;
  readonly endpoints: readonly (EndpointFigures & { readonly label: string })[];
};

const BAR_WIDTH = 24;

/** One line for logs and pipes. */
export function drawPlain(figures: Figures): string {
  const { latenciesMs, endpoints } = figures;
  const shares = endpoints.map(
    (e) => `${e.label}=${percent(e.share)}/${(e.cost_ms ?? 0).toFixed(1)}ms/${e.pending}`,
  );
  return (
    `${figures.seconds.toFixed(0)}s ${latenciesMs.length} req/s success=${successOf(figures)} ` +
    `p50=${quantile(latenciesMs, 0.5)}ms p99=${quantile(latenciesMs, 0.99)}ms ` +
    `echoes=${figures.echoes} share/ewma/pending: ${shares.join(" ")}\n`
  );
}

/** The whole view, drawn over the last one. */
export function drawLines(figures: Figures): string {
  const { latenciesMs, endpoints } = figures;
  const lines = [
    `outrigger demo   ${figures.seconds.toFixed(0)} s   Ctrl-C ends it`,
    "",
    `  requests/s ${String(latenciesMs.length).padStart(6)}   success ${successOf(figures)}   ` +
      `p50 ${quantile(latenciesMs, 0.5)} ms   p99 ${quantile(latenciesMs, 0.99)} ms   ` +
      `TCP echoes ${figures.echoes}`,
    "",
    `  ${"endpoint".padEnd(22)}${"speed".padEnd(8)}${"share".padEnd(BAR_WIDTH + 9)}${"EWMA".padStart(9)}  pending`,
    ...endpoints.map(
      (e) =>
        `  ${e.address.padEnd(22)}${e.label.padEnd(8)}${bar(e.share)} ${percent(e.share).padStart(6)}  ` +
        `${(e.cost_ms ?? 0).toFixed(1).padStart(7)} ms ${String(e.pending).padStart(6)}`,
    ),
    "",
  ];
  return `\x1b[H\x1b[2J${lines.join("\n")}\n`;
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
