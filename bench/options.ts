/** The command line of the bench. */
import { parseArgs } from "node:util";
import { BALANCERS, type BalancerName } from "../src/balancer/tuning.ts";
import { CONTENDERS, type Contender } from "./contenders.ts";
import { namedProxy } from "./proxies/named.ts";
import { RUNTIMES, type Runtime } from "./runtimes.ts";
import type { ClosedLoop } from "./scenarios/keepalive.ts";
import type { Rate } from "./scenarios/latency.ts";
import { WORLDS, type WorldName } from "./sim/worlds.ts";

export const SCENARIOS = [
  "keepalive",
  "latency",
  "burst",
  "connections",
  "bodies",
  "http2",
  "chain",
  "tcp",
  "mtls-chain",
  "mtls-keepalive",
  "handshakes",
  "mtls-tcp",
  "idle",
  "burst-memory",
  "start",
  "micro",
  "balance",
  "balance-sim",
] as const;
/** Experiments, with nothing but ourselves in them: only by their names. */
const EXPERIMENTS = ["micro", "balance", "balance-sim"] as const;
export type ScenarioName = (typeof SCENARIOS)[number];
export type ComparisonName = Exclude<ScenarioName, (typeof EXPERIMENTS)[number]>;
/** Those of the article and those that something is promised of. */
const WORLDS_USUAL: readonly WorldName[] = [
  ...["slow", "cold-start", "temporary-failure", "permanent-failure"],
  ...["fast-failing", "fast-failing-4", "joining", "hanging", "slow-20"],
] as WorldName[];

const RATES_USUAL = "20,200,2000,half";

/** What `compare` measures if no scenario is named. */
const COMPARED_USUAL: readonly ScenarioName[] = ["keepalive", "chain"];
const BUDGET_DEFAULT = "1.05";

export const USAGE = `npm run bench -- [SCENARIO…] [flags]
       npm run bench -- compare BASE HEAD [SCENARIO…] [flags]

compare measures outrigger of two commits in turn (HEAD may be "." for the files as they are), in
${COMPARED_USUAL.join(" and ")} if no scenario is named, and fails if HEAD's CPU per request is over the
budget: in the median, and in every repeat more than BASE's

scenarios: ${SCENARIOS.join(" ")}
(all: every one but ${EXPERIMENTS.join(", ")}, as without a name; "all micro": that too)

  --repeats N          measurements of each contender, interleaved (3)
  --seconds S          length of one measurement (10)
  --warm-up S          before each, not counted (2)
  --contenders LIST    of ${CONTENDERS.map((each) => each.name).join(",")}
  --runtimes LIST      of ${RUNTIMES.join(",")}: for micro, and for outrigger without --contenders
                       (in compare only bun)
  --budget N           in compare, the ratio HEAD ÷ BASE that is still allowed (${BUDGET_DEFAULT})
  --proxy 'NAME=PORT COMMAND'
                       another contender, in the HTTP/1 scenarios: what the shell is given to start it,
                       with {origin} for the origin's port, and the port of 127.0.0.1 it listens on;
                       as often as there are such
  --rates LIST         requests/s in latency; half is half of what HAProxy reaches in keepalive, which
                       is also the rate of burst (${RATES_USUAL})
  --load wrk|autocannon  load generator of keepalive (wrk)
  --worlds LIST        in balance and balance-sim, of 
                       ${Object.keys(WORLDS).join(",")}
                       (${WORLDS_USUAL.join(",")});
                       without --seconds at their published length, without --repeats once
  --balancers LIST     of ${BALANCERS.join(",")} (all)
  --svg FILE           where latency draws its latencies by percentile, or balance the article's plot
                       (nowhere)
  --out FILE           JSON lines are added to it (bench/results/local-TIME.jsonl)
  --markdown           tables as Markdown
`;

/** Two commits to be measured against each other, and the ratio that HEAD may cost of BASE. */
export interface CompareOptions {
  readonly base: string;
  readonly head: string;
  readonly budget: number;
}

export interface Options {
  /** Null if it is contenders that are compared, and not commits. */
  readonly commits: CompareOptions | null;
  readonly scenarios: readonly ScenarioName[];
  readonly repeats: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly contenders: readonly Contender[];
  readonly runtimes: readonly Runtime[];
  readonly rates: readonly Rate[];
  readonly load: ClosedLoop;
  readonly worlds: readonly WorldName[];
  readonly balancers: readonly BalancerName[];
  readonly svgPath: string | null;
  /** Whether --seconds was given: experiments have lengths of their own. */
  readonly isLengthGiven: boolean;
  readonly isRepeatGiven: boolean;
  readonly outPath: string | null;
  readonly isMarkdown: boolean;
  readonly isHelp: boolean;
}

/** Reads the command line; throws an Error that names the flag, the value and what was expected. */
export function readOptions(words: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      repeats: { type: "string" },
      seconds: { type: "string" },
      "warm-up": { type: "string", default: "2" },
      contenders: { type: "string" },
      runtimes: { type: "string" },
      budget: { type: "string" },
      proxy: { type: "string", multiple: true, default: [] },
      rates: { type: "string", default: RATES_USUAL },
      load: { type: "string", default: "wrk" },
      worlds: { type: "string" },
      balancers: { type: "string" },
      svg: { type: "string" },
      out: { type: "string" },
      markdown: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const commits = commitsIn(positionals, values);
  const runtimesUsual = commits === null ? RUNTIMES : ["bun"];
  const runtimes = choices("--runtimes", values.runtimes?.split(",") ?? runtimesUsual, RUNTIMES);
  const all = CONTENDERS.map((each) => each.name);
  const wanted =
    values.contenders === undefined
      ? withRuntimes(all, runtimes)
      : choices("--contenders", values.contenders.split(","), all);
  const [load = "wrk"] = choices("--load", [values.load], ["wrk", "autocannon"] as const);
  const worlds = Object.keys(WORLDS) as WorldName[];
  const scenarios =
    commits === null ? scenariosIn(positionals) : scenariosCompared(positionals.slice(3));
  if (values.svg !== undefined) requireOneDrawing(scenarios);
  return {
    commits,
    scenarios,
    repeats: wholeNumber("--repeats", values.repeats ?? "3"),
    seconds: wholeNumber("--seconds", values.seconds ?? "10"),
    isLengthGiven: values.seconds !== undefined,
    isRepeatGiven: values.repeats !== undefined,
    worlds: values.worlds ? choices("--worlds", values.worlds.split(","), worlds) : WORLDS_USUAL,
    balancers: choices("--balancers", values.balancers?.split(",") ?? BALANCERS, BALANCERS),
    svgPath: values.svg ?? null,
    warmUpSeconds: wholeNumber("--warm-up", values["warm-up"]),
    contenders: [
      ...CONTENDERS.filter((each) => wanted.includes(each.name)),
      ...namedProxies(values.proxy, all),
    ],
    runtimes,
    rates: ratesIn(values.rates),
    load,
    outPath: values.out ?? null,
    isMarkdown: values.markdown,
    isHelp: values.help,
  };
}

export function isComparison(name: ScenarioName): name is ComparisonName {
  return !EXPERIMENTS.some((each) => each === name);
}

/** In the order of SCENARIOS with "all", else in that of the words. */
function scenariosIn(words: readonly string[]): readonly ScenarioName[] {
  const named = choices(
    "scenario",
    words.filter((word) => word !== "all"),
    SCENARIOS,
  );
  if (words.length > 0 && !words.includes("all")) return [...new Set(named)];
  return SCENARIOS.filter((name) => isComparison(name) || named.includes(name));
}

/** In compare there is nothing that would measure this checkout only. */
function scenariosCompared(words: readonly string[]): readonly ScenarioName[] {
  return words.length === 0
    ? COMPARED_USUAL
    : choices("scenario", words, SCENARIOS.filter(isComparison));
}

interface CompareFlags {
  readonly budget?: string | undefined;
  readonly contenders?: string | undefined;
  readonly proxy: readonly string[];
}

/** Reads `compare BASE HEAD` at the front of the words. */
function commitsIn(words: readonly string[], flags: CompareFlags): CompareOptions | null {
  const [command, base, head] = words;
  if (command !== "compare") {
    if (flags.budget !== undefined) throw new Error("--budget: only with compare");
    return null;
  }
  if (base === undefined || head === undefined) {
    throw new Error('compare: expected BASE and HEAD, commits or "." for the files as they are');
  }
  if (flags.contenders !== undefined || flags.proxy.length > 0) {
    throw new Error("compare: its contenders are the two commits, so no --contenders or --proxy");
  }
  const { budget = BUDGET_DEFAULT } = flags;
  if (!/^\d(\.\d{1,3})?$/.test(budget) || Number(budget) < 1) {
    throw new Error(`--budget ${budget}: expected a ratio from 1, such as ${BUDGET_DEFAULT}`);
  }
  return { base, head, budget: Number(budget) };
}

/** The file of --svg is one drawing. */
function requireOneDrawing(scenarios: readonly ScenarioName[]): void {
  const drawn = scenarios.filter((name) => name === "latency" || name === "balance");
  if (new Set(drawn).size !== 1) {
    throw new Error("--svg: expected one of latency and balance among the scenarios");
  }
}

function ratesIn(text: string): Rate[] {
  const rates = text
    .split(",")
    .map((word) => (word === "half" ? "half" : wholeNumber("--rates", word)));
  return [...new Set(rates)];
}

function namedProxies(words: readonly string[], taken: readonly string[]): Contender[] {
  const proxies = words.map(namedProxy);
  const names = [...taken, ...proxies.map(({ name }) => name)];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`--proxy ${twice}: there is one of this name already`);
  return proxies;
}

function withRuntimes(names: readonly string[], runtimes: readonly Runtime[]): string[] {
  const dropped = RUNTIMES.filter((runtime) => !runtimes.includes(runtime));
  return names.filter((name) => !dropped.some((runtime) => name === `outrigger-${runtime}`));
}

function choices<T extends string>(
  flag: string,
  words: readonly string[],
  known: readonly T[],
): T[] {
  return words.map((word) => {
    const found = known.find((each) => each === word);
    if (found === undefined) {
      throw new Error(`${flag} ${word}: expected ${known.join(", ")}`);
    }
    return found;
  });
}

function wholeNumber(flag: string, text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) {
    throw new Error(
      `${flag} ${text}: expected a whole number from 1${flag === "--rates" ? ", or half" : ""}`,
    );
  }
  return Number(text);
}
