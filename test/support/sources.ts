/** The source files as text, and the few questions that test/tidy.test.ts asks of them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** Lists the TypeScript files below a folder, as paths from the root. */
export function sourcesIn(folder: string): readonly string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `${folder}/${file}`)
    .sort();
}

export function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** A source without its comments; strings stay. Good for what this project's formatter leaves. */
export function withoutComments(text: string): string {
  const blank = (comment: string): string => comment.replace(/[^\n]/g, "");
  return text.replace(/(?<=^|[\s(])\/\*[\s\S]*?\*\//g, blank).replace(/(^|\s)\/\/ .*$/gm, "$1");
}

/** What a file imports or exports from, static or `import()` of a literal; with types unless not. */
export function importsOf(
  text: string,
  { withTypes = true, withDynamic = true } = {},
): readonly string[] {
  const plain = withoutComments(text);
  const code = withTypes ? plain : plain.replace(/^(?:import|export) type\b[^;]*;/gm, "");
  const statics = code.matchAll(/^(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']/gm);
  const others = code.matchAll(/^import\s*["']([^"']+)["']/gm);
  const dynamics = withDynamic ? code.matchAll(/\bimport\(\s*["']([^"']+)["']/gm) : [];
  return [...statics, ...others, ...dynamics].map(([, specifier]) => specifier ?? "");
}

/** The path from the root that a relative import of a file means. */
export function resolveImport(file: string, specifier: string): string {
  return relative(ROOT, join(ROOT, dirname(file), specifier));
}

export type Span = {
  /** Its first line, as it stands. */
  readonly head: string;
  readonly line: number;
  readonly lines: number;
};

const OPENS = /(?:=>|\)(?:: .+)?) \{$/;
const CONTROL = /^\s*(?:\} )?(?:if|else|for|while|do|switch|try|catch|finally)\b/;

/**
 * Finds functions by their indentation, which the formatter makes dependable: from the line that
 * begins one to the first line after its `{` that closes at the same depth.
 */
export function functionsIn(text: string): readonly Span[] {
  const lines = text.split("\n");
  const spans: Span[] = [];
  for (const [index, line] of lines.entries()) {
    if (!OPENS.test(line)) continue;
    const depth = depthOf(line);
    let start = index;
    // A signature of several lines ends in `): T {` at the depth where it began.
    if (/^\s*\)/.test(line)) {
      do start -= 1;
      while (start > 0 && depthOf(lines[start] ?? "") > depth);
    }
    const head = lines[start] ?? "";
    if (CONTROL.test(head)) continue;
    const close = `${" ".repeat(depth)}}`;
    const end = lines.findIndex((other, at) => at > index && other.startsWith(close));
    if (end !== -1) spans.push({ head: head.trim(), line: start + 1, lines: end - start + 1 });
  }
  return spans;
}

/** Leading spaces; an empty line is deeper than any. */
function depthOf(line: string): number {
  const depth = line.search(/\S/);
  return depth === -1 ? Number.POSITIVE_INFINITY : depth;
}

/** Finds import cycles among files: each as the files of the circle, the first one again at its end. */
export function cyclesIn(imports: ReadonlyMap<string, readonly string[]>): readonly string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at !== -1) cycles.push([...path.slice(at), file]);
    if (at !== -1 || done.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return cycles;
}
