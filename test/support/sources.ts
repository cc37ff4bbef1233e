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
  return text.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/(^|\s)\/\/ .*$/gm, "$1");
}

/** What a file imports or exports from, types too, static or `import()` of a literal. */
export function importsOf(text: string): readonly string[] {
  const code = withoutComments(text);
  const statics = code.matchAll(/^(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']/gm);
  const others = code.matchAll(/(?:^import\s*|\bimport\(\s*)["']([^"']+)["']/gm);
  return [...statics, ...others].map(([, specifier]) => specifier ?? "");
}

/** The path from the root that a relative import of a file means. */
export function resolveImport(file: string, specifier: string): string {
  return relative(ROOT, join(ROOT, dirname(file), specifier));
}

export type Span = { readonly name: string; readonly line: number; readonly lines: number };

const CONTROL = /^\s*(?:\} )?(?:if|else|for|while|do|switch|try|catch|finally|return|case|default)\b/;
const FUNCTION = /\bfunction\b|=> \{$|^\s*(?:[a-zA-Z#]|\[)[\w#. ]*(?:<.*>)?\(.*\{$|^\s*\).*\{$/;

/**
 * Finds functions by their indentation, which the formatter makes dependable: from a line that opens
 * one to the next line that closes at the same depth.
 */
export function functionsIn(text: string): readonly Span[] {
  const lines = text.split("\n");
  const spans: Span[] = [];
  for (const [index, line] of lines.entries()) {
    if (!line.endsWith("{") || CONTROL.test(line) || !FUNCTION.test(line)) continue;
    const indent = /^\s*/.exec(line)?.[0] ?? "";
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${indent}}`));
    let start = index;
    // A signature of several lines ends in `): T {` at the depth where it began.
    if (/^\s*\)/.test(line)) {
      do start -= 1;
      while (start > 0 && !(lines[start] ?? "").startsWith(`${indent}${firstChar(lines[start], indent)}`));
    }
    const name = /([\w#]+)\s*(?:<.*>)?\(|(\w+)(?:: .*)? =/.exec(lines[start] ?? "")?.[0] ?? "?";
    if (end !== -1) spans.push({ name: name.trim(), line: start + 1, lines: end - start + 1 });
  }
  return spans;
}
