/** `npm run bench`: measures the contenders and prints tables. Progress goes to stderr. Exits with 1 if
 * outrigger was asked for and could not be measured, or if anything failed while being measured. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import process from "node:process";
import { type BalanceOptions, runBalance, runBalanceSim } from "./balance/command.ts";
import { killChildrenOnExit, LOAD_CORE, PROXY_CORE } from "./child.ts";
import { describeEnvironment } from "./environment.ts";
import { makeIdentities } from "./identities.ts";
import { interleave, type ScenarioResult, type Setting } from "./interleave.ts";
import {
  type ComparisonName,
  isComparison,
  type Options,
  readOptions,
  type ScenarioName,
  USAGE,
} from "./options.ts";
import { startOrigin } from "./origin.ts";
import { findProgram } from "./programs.ts";
import { SERVICE } from "./proxies/outrigger.ts";
import { halfOfReference } from "./rate.ts";
import { renderEnvironment, renderScenario } from "./report.ts";
import { localResultsPath, resultsWriter } from "./results.ts";
import type { Scenario, Timing } from "./scenario.ts";
import { http2Chain, oneHttp2Proxy } from "./scenarios/http2.ts";
import { keepAlive, newConnections } from "./scenarios/keepalive.ts";
import { bursts, evenRate } from "./scenarios/latency.ts";
import { renderMicro, runMicro } from "./scenarios/micro.ts";
import { mtlsChain, mtlsHandshakes, mtlsKeepAlive } from "./scenarios/mtls.ts";
import { mtlsTcp, opaqueTcp } from "./scenarios/tcp.ts";
import type { TableStyle } from "./table.ts";

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
async function runAll(options: Options, directory: string): Promise<boolean> {
  const environment = describeEnvironment();
  const timing: Timing = { seconds: options.seconds, warmUpSeconds: options.warmUpSeconds };
  const outPath = options.outPath ?? localResultsPath();
  const write = resultsWriter(outPath, timing, environment);
  const style: TableStyle = options.isMarkdown ? "markdown" : "plain";
  console.log(renderEnvironment(environment));
  let isGood = true;
  const balance = balanceOptions(options);
  if (options.scenarios.includes("balance-sim")) isGood &&= runBalanceSim(balance, onProgress);
  if (options.scenarios.includes("balance")) {
    isGood = (await runBalance(balance, write, onProgress)) && isGood;
  }
  const comparisons = options.scenarios.filter(isComparison);
  if (comparisons.length === 0) return isGood;
  const origin = await startOrigin(directory);
  const setting: Setting = {
    contenders: options.contenders,
    repeats: options.repeats,
    timing,
    origin,
    identities: await makeIdentities(directory, SERVICE),
    directory,
    onSample: write,
    onProgress,
  };
  const results: ScenarioResult[] = [];
  for (const name of comparisons) {
    if (name === "micro") {
      const result = await runMicro(options.runtimes, options.repeats, write, onProgress);
      console.log(renderMicro(result, options.runtimes, style));
      isGood &&= result.failures.length === 0;
      continue;
    }
    const scenario = await scenarioFor(name, options, results, setting);
    const result = await interleave(scenario, setting);
    await scenario.stop();
    results.push(result);
    console.log(renderScenario(result, style));
    isGood &&= hasSucceeded(result);
  }
  await origin.stop();
  onProgress(`results are in ${outPath}`);
  return isGood;
}

async function scenarioFor(
  name: Exclude<ComparisonName, "micro">,
  options: Options,
  earlier: readonly ScenarioResult[],
  setting: Setting,
): Promise<Scenario> {
  switch (name) {
    case "keepalive":
      return keepAlive(options.load);
    case "connections":
      return newConnections();
    case "tcp":
      return await opaqueTcp();
    case "http2":
      return oneHttp2Proxy(setting.origin.http2Port);
    case "chain":
      return http2Chain();
    case "mtls-chain":
      return mtlsChain();
    case "mtls-keepalive":
      return mtlsKeepAlive(setting.identities);
    case "handshakes":
      return mtlsHandshakes(setting.identities);
    case "mtls-tcp":
      return await mtlsTcp();
    case "latency":
      return evenRate(options.ratePerSecond ?? (await halfOfReference(earlier, setting)));
    case "burst":
      return bursts(options.ratePerSecond ?? (await halfOfReference(earlier, setting)));
  }
}

function balanceOptions(options: Options): BalanceOptions {
  const { balancers, runtimes, svgPath, warmUpSeconds, worlds } = options;
  return {
    ...{ balancers, runtimes, svgPath, warmUpSeconds, worlds },
    repeats: options.isRepeatGiven ? options.repeats : 1,
    seconds: options.isLengthGiven ? options.seconds : null,
    style: options.isMarkdown ? "markdown" : "plain",
  };
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
