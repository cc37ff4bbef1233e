/** How `stat` and `top` show sidecars: a table for each, in the terminal's width of 120. Pure. */
import { escapeUnsafe } from "../lib/log-line.ts";
import type { StatLine } from "./stat-figures.ts";

export type SidecarStat = {
  readonly admin: string;
  /** As the sidecar was told. */
  readonly name: string | null;
  /** One line; null: it answered. */
  readonly error: string | null;
  readonly lines: readonly StatLine[];
};

const NAME_CHARS = 44;
const HEADS = ["RPS", "SUCCESS", "P50", "P95", "P99", "CONN", "MTLS", "PROTOCOL", "STATE"] as const;
const WIDTHS = [9, 9, 9, 9, 9, 6, 6, 10, 0] as const;

/** What a name that the mesh certifies adds to NAME.NAMESPACE. */
const CERTIFIED = /^([^.]+\.[^.]+)\.serviceaccount\.identity\.outrigger\./;

/** Ends with a line feed. */
export function statText(sidecars: readonly SidecarStat[]): string {
  return sidecars.map(tableOf).join("\n");
}

function tableOf({ admin, error, lines, name }: SidecarStat): string {
  // An error begins with the address.
  if (error !== null) return `${escapeUnsafe(error)}\n`;
  const title = name === null ? admin : `${name}  ${admin}`;
  const head = rowText("", HEADS);
  if (lines.length === 0) return `${escapeUnsafe(title)}\n  nothing was carried yet\n`;
  return `${escapeUnsafe(title)}\n${head}${lines.map(lineText).join("")}`;
}

function lineText(line: StatLine): string {
  return rowText(nameOf(line), [
    line.requests_per_s.toFixed(1),
    line.success === null ? "-" : `${(line.success * 100).toFixed(2)}%`,
    msText(line.p50_ms),
    msText(line.p95_ms),
    msText(line.p99_ms),
    String(line.connections),
    line.kind === "local" ? "-" : line.mtls ? "yes" : "no",
    line.protocol === "any" ? "client's" : (line.protocol ?? "-"),
    line.state ?? "-",
  ]);
}

function nameOf({ endpoint, kind, mtls, peer, service }: StatLine): string {
  switch (kind) {
    case "local":
      return "from this side";
    case "client":
      return `from ${shortOf(peer) ?? (mtls ? "the mesh" : "outside the mesh")}`;
    case "service":
      return `to ${service}`;
    case "endpoint":
      return `   ${endpoint}${peer === null ? "" : ` ${shortOf(peer)}`}`;
    default:
      return kind satisfies never;
  }
}

function shortOf(peer: string | null): string | null {
  return peer === null ? null : (CERTIFIED.exec(peer)?.[1] ?? peer);
}

function rowText(name: string, cells: readonly string[]): string {
  const safe = escapeUnsafe(name);
  const shown = safe.length > NAME_CHARS ? `${safe.slice(0, NAME_CHARS - 1)}…` : safe;
  const texts = cells.map((cell, index) => {
    const text = escapeUnsafe(cell);
    const width = WIDTHS[index] ?? 0;
    return width === 0 ? `  ${text}` : text.padStart(width);
  });
  return `  ${shown.padEnd(NAME_CHARS)}${texts.join("")}\n`;
}

function msText(ms: number | null): string {
  if (ms === null) return "-";
  return ms < 1_000 ? `${ms.toFixed(1)}ms` : `${(ms / 1e3).toFixed(1)}s`;
}
