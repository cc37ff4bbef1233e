/** The files of packaging/, the commands that stand in them, and the checkers of their formats. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { ROOT, read } from "../support/sources.ts";
import { type Finished, findTool, runTool } from "../support/tool.ts";

/** As .ci/run installs it: in a folder that every `npm ci` empties. */
const PYTHON_FOLDER = join(ROOT, "node_modules/.cache/python");

/** Paths of the files in a folder of packaging/ with such an end. */
export function packaged(folder: string, end: string): readonly string[] {
  const names = readdirSync(join(ROOT, "packaging", folder)).filter((name) => name.endsWith(end));
  if (names.length === 0) throw new Error(`packaging/${folder} has no ${end}`);
  return names.sort().map((name) => join("packaging", folder, name));
}

/** Every object in the documents of a YAML file, however deep. */
export function* objectsIn(path: string): Generator<Readonly<Record<string, unknown>>> {
  const waiting: unknown[] = parseAllDocuments(read(path)).map((document) => document.toJS());
  for (const value of waiting) {
    if (typeof value !== "object" || value === null) continue;
    waiting.push(...Object.values(value));
    yield value as Readonly<Record<string, unknown>>;
  }
}

/** As the image has it. */
const ENVIRONMENT = { XDG_STATE_HOME: "/var/lib" };

/**
 * The files that a sidecar or a control plane keeps or reads, by its arguments: its folder, and its
 * token's file.
 */
export function filesOf(argv: readonly string[]): readonly string[] {
  const line = parseCommandLine(argv, ENVIRONMENT);
  if (line.kind === "control") return [line.config.dir];
  if (line.kind !== "run") return [];
  const { state, identity } = line.config;
  return [state.dir ?? "nowhere", identity.token?.replace(/^@/, "") ?? "no token"];
}

/** What is wrong with the arguments of a command that stands in a file; empty if nothing is. */
export function commandFaults(where: string, argv: readonly string[]): readonly string[] {
  const line = parseCommandLine(argv, ENVIRONMENT);
  return line.kind === "bad" ? [`${where}: ${argv.join(" ")}: ${line.message}`] : [];
}

/** What systemd makes of a unit's text for the instance `web`. */
export function ofInstance(text: string): string {
  return text.replaceAll("%i", "web").replaceAll("%S", "/var/lib").replaceAll("%d", "/run/web");
}

/** Commands that comments and texts tell people to run: their arguments after `outrigger`. */
export function toldCommands(path: string): readonly (readonly string[])[] {
  const text = ofInstance(read(path)).replace(/\\\n#?/g, " ");
  const told = text.matchAll(
    /(?:^|[ /`])outrigger ((?:run|control|check|redirect) [^\n`<>|&#]*|redirect(?=`))/gm,
  );
  return [...told].map(([, words = ""]) => words.trim().split(/\s+/));
}

/** A temporary folder with these files, for as long as `work` takes. */
export async function withFiles<T>(
  files: Readonly<Record<string, string>>,
  work: (paths: readonly string[]) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-packaging-"));
  const paths = Object.entries(files).map(([name, text]) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  });
  try {
    return await work(paths);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a checker of the Python packages, which bring the published schemas with them. */
export async function runChecker(module: string, args: readonly string[]): Promise<Finished> {
  const python = findTool("python3");
  if (python === null) throw new Error("there is no python3");
  const inside = ["import sys, runpy", `sys.path.insert(0, ${JSON.stringify(PYTHON_FOLDER)})`];
  const code = `${inside.join("; ")}; runpy.run_module("${module}", run_name="__main__")`;
  const done = await runTool(python, ["-c", code, ...args]);
  if (!/No module named/.test(done.output)) return done;
  throw new Error(`${module} is missing in ${PYTHON_FOLDER}: see install_schemas in .ci/run`);
}
