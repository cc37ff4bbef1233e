/** `npm run bench`: measures the contenders and prints tables. Progress goes to stderr. Exits with 1 if
 * outrigger was asked for and could not be measured, or if anything failed while being measured. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import process from "node:process";
import { type BalanceOptions, runBalance, runBalanceSim } from "./balance/command.ts";
import { killChildrenOnExit, LOAD_CORE, PROXY_CORE } from "./child.ts";
import { checkOutBoth, renderVerdicts, TO_BASE, verdictsOn } from "./compare.ts";
import { estimateSeconds, scenariosOf } from "./comparisons.ts";
import { describeEnvironment, type Environment } from "./environment.ts";
import { makeIdentities } from "./identities.ts";
import { interleave, type Sample, type ScenarioResult, type Setting } from "./interleave.ts";
import { plotLatencies } from "./latency-plot.ts";
import { isComparison, type Options, readOptions, type ScenarioName, USAGE } from "./options.ts";
import { startOrigin } from "./origin.ts";
import { findProgram } from "./programs.ts";
import { isBuilt, outriggerBuilt, SERVICE } from "./proxies/outrigger.ts";
import { halfOfReference } from "./rate.ts";
import { renderEnvironment, renderScenario } from "./report.ts";
import { localResultsPath, resultsWriter } from "./results.ts";
import type { Timing } from "./scenario.ts";
import { renderMicro, runMicro } from "./scenarios/micro.ts";
import { renderSummary } from "./summary.ts";
import type { TableStyle } from "./table.ts";

/** Measurements of each contender in `start`, without --repeats. */
const STARTS = 5;
const EXIT_FAILED = 1;
const EXIT_USAGE = 64;

process.exit(await main());

async function main(): Promise<number> {
  const options = optionsOrUsage();
  if (typeof options === "number") {
    return options;
  }
  requireMachine(options.scenarios);
  killChildrenOnExit();
  const directory = mkdtempSync(`${os.tmpdir()}/outrigger-bench-`);
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  try {
    return (await runAll(options, directory)) ? 0 : EXIT_FAILED;
  } catch (error) {
    console.error(error instanceof Error ? `bench: ${error.message}` : error);
    return EXIT_FAILED;
  }
}

/** Runs every scenario asked for, one after the other; tells whether all went well. */
async function runAll(given: Options, directory: string): Promise<boolean> {
  const { commits, runtimes } = given;
  const options =
    commits === null
      ? given
      : { ...given, contenders: await checkOutBoth(commits, runtimes, directory) };
  const environment = describeEnvironment(options.contenders);
  const timing: Timing = { seconds: options.seconds, warmUpSeconds: options.warmUpSeconds };
  const outPath = options.outPath ?? localResultsPath();
  const write = resultsWriter(outPath, timing, environment);
  console.log(renderEnvironment(environment));
  let isGood = true;
  const balance = balanceOptions(options);
  if (options.scenarios.includes("balance-sim")) isGood &&= runBalanceSim(balance, onProgress);
  if (options.scenarios.includes("balance")) {
    isGood = (await runBalance(balance, write, onProgress)) && isGood;
  }
  if (options.scenarios.includes("micro")) {
    const result = await runMicro(options.runtimes, options.repeats, write, onProgress);
    console.log(renderMicro(result, options.runtimes, styleOf(options)));
    isGood &&= result.failures.length === 0;
  }
  if (options.scenarios.some(isComparison)) {
    const results = await compare(options, directory, timing, write);
    isGood &&= results.every(hasSucceeded);
    if (commits !== null) {
      const verdicts = verdictsOn(results, commits, runtimes);
      console.log(renderVerdicts(verdicts, commits));
      isGood &&= verdicts.every((verdict) => !verdict.isExceeded);
    }
    if (options.svgPath !== null && options.scenarios.includes("latency")) {
      drawLatencies(options.svgPath, results, environment);
    }
  }
  onProgress(`results are in ${outPath}`);
  return isGood;
}

/** Measures all comparisons asked for, and prints a table after each and the summary at the end. */
async function compare(
  options: Options,
  directory: string,
  timing: Timing,
  onSample: (sample: Sample) => void,
): Promise<readonly ScenarioResult[]> {
  onProgress(`the comparisons take about ${Math.ceil(estimateSeconds(options) / 60)} minutes`);
  const { contenders, repeats } = options;
  const origin = await startOrigin(directory);
  const identities = await makeIdentities(directory, SERVICE);
  const setting: Setting = {
    ...{ contenders, repeats, timing, origin, identities, directory },
    ...{ onSample, onProgress },
  };
  const style = styleOf(options);
  const results: ScenarioResult[] = [];
  let rate: number | null = null;
  const half = async (): Promise<number> => {
    rate ??= await halfOfReference(results, setting);
    return rate;
  };
  for (const name of options.scenarios.filter(isComparison)) {
    for (const scenario of await scenariosOf(name, options, setting, half)) {
      const its = name === "start" ? settingOfStart(setting, options) : setting;
      const result = await interleave(scenario, its);
      await scenario.stop();
      results.push(result);
      console.log(renderScenario(result, style, options.commits === null ? undefined : TO_BASE));
    }
  }
  await origin.stop();
  const names = contenders.map((each) => each.name);
  const summary = renderSummary(results, names, style);
  if (summary !== null) console.log(summary);
  return results;
}

/** A start takes less than a second, so there are more of them; and the built program is there too. */
function settingOfStart(setting: Setting, options: Options): Setting {
  const isOurs = setting.contenders.some(({ name }) => name === "outrigger-bun");
  return {
    ...setting,
    contenders: isOurs && isBuilt() ? [...setting.contenders, outriggerBuilt] : setting.contenders,
    repeats: options.isRepeatGiven ? options.repeats : STARTS,
  };
}

function drawLatencies(
  path: string,
  results: readonly ScenarioResult[],
  environment: Environment,
): void {
  const { cores, cpu, kernel, gitSha } = environment;
  const svg = plotLatencies(results, `${cores} × ${cpu}, ${kernel}, commit ${gitSha}`);
  if (svg === null) return;
  writeFileSync(path, svg);
  onProgress(`latency by percentile is drawn in ${path}`);
}

function balanceOptions(options: Options): BalanceOptions {
  const { balancers, runtimes, svgPath, warmUpSeconds, worlds } = options;
  return {
    ...{ balancers, runtimes, svgPath, warmUpSeconds, worlds },
    repeats: options.isRepeatGiven ? options.repeats : 1,
    seconds: options.isLengthGiven ? options.seconds : null,
    style: styleOf(options),
  };
}

function styleOf({ isMarkdown }: Options): TableStyle {
  return isMarkdown ? "markdown" : "plain";
}

/** A contender that is not ours may be missing; ours may not, and nobody may answer with errors. */
function hasSucceeded({ samples, failures }: ScenarioResult): boolean {
  return (
    samples.every((sample) => sample.errors === 0) &&
    failures.every(
      (failure) =>
        !failure.contender.startsWith("outrigger") && failure.reason.startsWith("not available"),
    )
  );
}

function optionsOrUsage(): Options | number {
  try {
    const options = readOptions(process.argv.slice(2));
    if (!options.isHelp) {
      return options;
    }
    console.log(USAGE);
    return 0;
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
}

/** The layout of cores needs two, and Linux's tools to pin a process and to bind its life to ours. */
function requireMachine(scenarios: readonly ScenarioName[]): void {
  const loads = scenarios.includes("http2") ? ["wrk", "h2load"] : ["wrk"];
  const compared = scenarios.some(isComparison) ? ["nginx", ...loads] : [];
  const tools = ["taskset", "setpriv", ...compared];
  const missing = tools.filter((tool) => findProgram(tool) === null);
  if (missing.length > 0 || os.cpus().length <= Math.max(PROXY_CORE, LOAD_CORE)) {
    console.error(
      `bench: needs two cores and these programs: ${missing.join(" ") || "(all found)"}`,
    );
    process.exit(EXIT_FAILED);
  }
  spawnSync("taskset", ["-acp", String(LOAD_CORE), String(process.pid)]); // we are no load ourselves
}

function onProgress(text: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
}
