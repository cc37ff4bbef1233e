/** A table as text, plain or Markdown: the first column to the left, the others to the right. */

export type TableStyle = "plain" | "markdown";

/** Returns the table; short rows are filled with empty cells. */
export function renderTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  style: TableStyle,
): string {
  const lines = [titles, ...rows];
  const widths = titles.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  const padded = lines.map((line) =>
    widths.map((width, column) =>
      column === 0 ? (line[column] ?? "").padEnd(width) : (line[column] ?? "").padStart(width),
    ),
  );
  if (style === "plain") {
    return padded.map((line) => line.join("  ").trimEnd()).join("\n");
  }
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`,
  );
  const [head, ...body] = padded.map((line) => `| ${line.join(" | ")} |`);
  return [head, `|${rule.join("|")}|`, ...body].join("\n");
}
