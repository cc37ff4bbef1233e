/** Words for shells. */

/** In single quotes, as every POSIX shell and zsh read it: nothing in it means anything. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
