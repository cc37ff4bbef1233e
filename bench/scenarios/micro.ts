/** Every bench/micro/**\/*.bench.ts on each runtime, interleaved, on the proxies' core. */
import { readdirSync } from "node:fs";
import { PROXY_CORE, runChild } from "../child.ts";
import { numberAt, parseObject, textAt } from "../json.ts";
import { ROOT, type Runtime, scriptCommand } from "../runtimes.ts";
import { median } from "../stats.ts";
import { renderTable, type TableStyle } from "../table.ts";

const FOLDER = `${ROOT}bench/micro`;
const FILE_TIMEOUT_MS = 180_000; // a measurement takes about a second, a file has a dozen

export interface MicroSample {
  readonly scenario: "micro";
  readonly file: string;
  readonly name: string;
  readonly runtime: Runtime;
  readonly repeat: number;
  readonly medianNs: number;
  readonly p99Ns: number;
}

export interface MicroResult {
  readonly samples: readonly MicroSample[];
  readonly failures: readonly string[];
  readonly notes: readonly string[];
}

/** Runs all files `repeats` times on each runtime. A file that fails is named, and the rest goes on. */
export async function runMicro(
  runtimes: readonly Runtime[],
  repeats: number,
  onSample: (sample: MicroSample) => void,
  onProgress: (text: string) => void,
): Promise<MicroResult> {
  const samples: MicroSample[] = [];
  const failures = new Set<string>();
  const notes = new Set<string>();
  for (let repeat = 1; repeat <= repeats; repeat++) {
    for (const file of microFiles()) {
      for (const runtime of runtimes) {
        onProgress(`micro ${repeat}/${repeats} ${file} ${runtime}`);
        try {
          const measured = await runFile(file, runtime, repeat);
          samples.push(...measured);
          measured.forEach(onSample);
          if (measured.length === 0) {
            notes.add(`${file} prints no JSON lines: run it by itself`);
          }
        } catch (error) {
          failures.add(`${file} on ${runtime}: ${error instanceof Error ? error.message : error}`);
        }
      }
    }
  }
  return { samples, failures: [...failures], notes: [...notes] };
}

/** Returns a table with one line per measurement and the runtimes side by side. */
export function renderMicro(
  { samples, failures, notes }: MicroResult,
  runtimes: readonly Runtime[],
  style: TableStyle,
): string {
  const titles = ["", ...runtimes.flatMap((runtime) => [`${runtime} ns`, `${runtime} p99 ns`])];
  const labels = [...new Set(samples.map(labelOf))];
  const rows = labels.map((label) => [
    label,
    ...runtimes.flatMap((runtime) => {
      const own = samples.filter((each) => labelOf(each) === label && each.runtime === runtime);
      return [
        nanoseconds(own.map((each) => each.medianNs)),
        nanoseconds(own.map((each) => each.p99Ns)),
      ];
    }),
  ]);
  const heading = style === "markdown" ? "### Micro-benchmarks\n" : "Micro-benchmarks";
  const body = rows.length === 0 ? "none found" : renderTable(titles, rows, style);
  const remarks = [...failures.map((failure) => `failed: ${failure}`), ...notes];
  const bullets = remarks.map((remark) => `- ${remark.replaceAll("\n", " ")}`);
  return [heading, body, ...(bullets.length > 0 ? ["", ...bullets] : []), ""].join("\n");
}

function microFiles(): string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".bench.ts"))
    .sort();
}

async function runFile(file: string, runtime: Runtime, repeat: number): Promise<MicroSample[]> {
  const script = scriptCommand(runtime, `${FOLDER}/${file}`, ["--json"]);
  const printed = await runChild(["env", "DENO_V8_FLAGS=--expose-gc", ...script], {
    core: PROXY_CORE,
    killAfterMs: FILE_TIMEOUT_MS,
  });
  return printed
    .split("\n")
    .map(parseObject)
    .filter((line) => line !== null)
    .map((line) => ({
      scenario: "micro",
      file,
      name: textAt(line, "name"),
      runtime,
      repeat,
      medianNs: numberAt(line, "medianNs"),
      p99Ns: numberAt(line, "p99Ns"),
    }));
}

function labelOf(sample: MicroSample): string {
  return `${sample.file.replace(/\.bench\.ts$/, "")}: ${sample.name}`;
}

function nanoseconds(values: readonly number[]): string {
  return values.length === 0 ? "–" : median(values).toFixed(1);
}
