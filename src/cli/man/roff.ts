/**
 * roff for man pages: man(7), the part of it that groff and mandoc both know. Text is escaped so that
 * nothing in it is an instruction and all of it can be copied from a terminal: `-` stays a hyphen-minus.
 */

/** Returns text, in one line, as it may stand anywhere but at the beginning of one. */
export function escaped(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/[\\\-'`^~"]/g, (sign) => ESCAPES.get(sign) ?? sign)
    .replaceAll("…", "...")
    .replace(/[^\x20-\x7e]/gu, (sign) => `\\[u${codeOf(sign)}]`);
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\", "\\(rs"],
  ["-", "\\-"],
  ["'", "\\(aq"],
  ["`", "\\(ga"],
  ["^", "\\(ha"],
  ["~", "\\(ti"],
  ['"', "\\(dq"],
]);

/** groff wants at least four digits, in capitals. */
function codeOf(sign: string): string {
  return (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}

/** A line of text. A `.` at its beginning is no instruction. */
export function text(plain: string): string {
  return guarded(escaped(plain));
}

/** Text that was escaped, as a line of its own. */
function guarded(roff: string): string {
  return roff.startsWith(".") ? `\\&${roff}` : roff;
}

export function bold(plain: string): string {
  return `\\fB${escaped(plain)}\\fR`;
}

export function italic(plain: string): string {
  return `\\fI${escaped(plain)}\\fR`;
}

/** An instruction with its arguments, each in quotes. */
export function macro(name: string, ...args: readonly string[]): string {
  return [`.${name}`, ...args.map((arg) => `"${escaped(arg)}"`)].join(" ");
}

/** A list's entry: its head, already escaped, and what is to be said of it. */
export function entry(head: string, ...paragraphs: readonly string[]): string {
  return [".TP", guarded(head), paragraphs.map(text).join("\n.br\n")].join("\n");
}

/** Lines as they are, for a shell. */
export function example(lines: readonly string[]): readonly string[] {
  return [".RS 4", ".EX", ...lines.map(text), ".EE", ".RE"];
}
