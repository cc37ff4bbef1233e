/** Writes Prometheus' text format, version 0.0.4, line by line. Pure. */

export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type MetricType = "counter" | "gauge" | "histogram";
export type Labels = readonly (readonly [name: string, value: string])[];

export class MetricsText {
  readonly #lines: string[] = [];

  /** Begins a family. Its samples must follow before the next family begins. */
  family(name: string, type: MetricType, help: string): void {
    this.#lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
  }

  /** Adds a sample; `labels` comes from `formatLabels`. */
  sample(name: string, labels: string, value: number): void {
    this.#lines.push(labels === "" ? `${name} ${value}` : `${name}{${labels}} ${value}`);
  }

  finish(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

/** Returns labels without braces, to be put together with `joinLabels`. Names are our own. */
export function formatLabels(labels: Labels): string {
  return labels.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",");
}

export function joinLabels(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(",");
}

/**
 * Returns a label value that the format can hold: half characters and control characters but the
 * line feed become U+FFFD. Values that differ may become equal, so this comes before they are told
 * apart, see series.ts.
 */
export function cleanLabel(value: string): string {
  return value
    .toWellFormed()
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g, "\ufffd");
}

function escapeLabel(value: string): string {
  return cleanLabel(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
