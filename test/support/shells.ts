/** Interactive shells on a terminal of their own, for what a person would see and type there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findTool, runTool } from "./tool.ts";

export type ShellName = "bash" | "zsh" | "fish";

/** What such a shell does with a command line is to print it, so that completions are seen. */
const SAY = "outrigger() { printf 'GOT'; printf '<%s>' \"$@\"; printf '\\n'; }";

/** Wide enough that a description is not cut. */
const COLUMNS = 250;

/** A folder with files to complete, and the completion script. */
export class ShellRig {
  readonly folder: string;

  constructor(shell: ShellName, script: string) {
    this.folder = mkdtempSync(join(tmpdir(), "outrigger-shell-"));
    process.on("exit", () => rmSync(this.folder, { recursive: true, force: true }));
    for (const name of ["my folder", "dirx"]) mkdirSync(join(this.folder, name));
    for (const name of ["web.token", "it's here"]) writeFileSync(join(this.folder, name), "");
    writeFileSync(join(this.folder, `.script.${shell}`), script);
    const start = [`cd '${this.folder}'`, `stty cols ${COLUMNS}`, "PS1='$ '", SAY];
    const own = {
      bash: [],
      zsh: ["autoload -Uz compinit", "compinit -D -u", "unsetopt beep list_beep"],
      fish: [],
    };
    const rc = [...start, ...own[shell], `. ./.script.${shell}`, ""].join("\n");
    writeFileSync(join(this.folder, shell === "zsh" ? ".zshrc" : ".bashrc"), rc);
  }

  /** Types into bash or zsh; `\t` completes. Returns all that the terminal showed. */
  async type(shell: "bash" | "zsh", lines: readonly string[]): Promise<string> {
    const command = {
      bash: `exec ${tool("bash")} --noprofile --rcfile '${this.folder}/.bashrc' -i`,
      zsh: `exec env ZDOTDIR='${this.folder}' ${tool("zsh")} -d -i`,
    };
    // Not the user's own settings; and a terminal without colours.
    const line = `HISTFILE= INPUTRC=/dev/null TERM=dumb ${command[shell]}`;
    const input = [...lines, "exit", ""].join("\n");
    const { output } = await runTool(tool("script"), ["-qec", line, "/dev/null"], input);
    return output.replaceAll("\r", "");
  }

  /** What fish offers for each line: candidates, each with a tab and what it is. */
  async offers(lines: readonly string[]): Promise<readonly (readonly string[])[]> {
    const each = "for line in $argv; complete -C $line; echo END; end";
    const code = `cd ${this.folder}; source .script.fish; ${each}`;
    const { output } = await runTool(tool("fish"), ["--no-config", "-c", code, "--", ...lines]);
    const offers = output.split("END\n").map((part) => part.split("\n"));
    return offers.slice(0, -1).map((part) => part.filter((offer) => offer !== ""));
  }
}

/** The words of each command line that was run, as `<word><word>`. */
export function commandsRun(shown: string): readonly string[] {
  return [...shown.matchAll(/^.*GOT(<.*>)$/gm)].map(([, words = ""]) => words);
}

function tool(name: string): string {
  const path = findTool(name);
  if (path === null) throw new Error(`${name} is not installed`);
  return path;
}
