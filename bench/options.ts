/** The command line of the bench. */
import { parseArgs } from "node:util";
import { CONTENDERS, type Contender } from "./contenders.ts";
import { RUNTIMES, type Runtime } from "./runtimes.ts";
import type { ClosedLoop } from "./scenarios/keepalive.ts";

export const SCENARIOS = [
  "keepalive",
  "latency",
  "burst",
  "connections",
  "http2",
  "chain",
  "tcp",
  "mtls-chain",
  "mtls-keepalive",
  "handshakes",
  "mtls-tcp",
  "micro",
] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

export const USAGE = `npm run bench -- [SCENARIO…] [flags]

scenarios (all of them if none is named, or with "all"): ${SCENARIOS.join(" ")}

  --repeats N          measurements of each contender, interleaved (3)
  --seconds S          length of one measurement (10)
  --warm-up S          before each, not counted (2)
  --contenders LIST    of ${CONTENDERS.map((each) => each.name).join(",")}
  --runtimes LIST      of ${RUNTIMES.join(",")}: for micro, and for outrigger without --contenders
  --rate N             requests/s in latency and burst (half of what HAProxy reaches in keepalive)
  --load wrk|autocannon  load generator of keepalive (wrk)
  --out FILE           JSON lines are added to it (bench/results/local-TIME.jsonl)
  --markdown           tables as Markdown
`;

export interface Options {
  readonly scenarios: readonly ScenarioName[];
  readonly repeats: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly contenders: readonly Contender[];
  readonly runtimes: readonly Runtime[];
  readonly ratePerSecond: number | null;
  readonly load: ClosedLoop;
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
      repeats: { type: "string", default: "3" },
      seconds: { type: "string", default: "10" },
      "warm-up": { type: "string", default: "2" },
      contenders: { type: "string" },
      runtimes: { type: "string", default: RUNTIMES.join(",") },
      rate: { type: "string" },
      load: { type: "string", default: "wrk" },
      out: { type: "string" },
      markdown: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const runtimes = choices("--runtimes", values.runtimes.split(","), RUNTIMES);
  const all = CONTENDERS.map((each) => each.name);
  const wanted =
    values.contenders === undefined
      ? withRuntimes(all, runtimes)
      : choices("--contenders", values.contenders.split(","), all);
  const [load = "wrk"] = choices("--load", [values.load], ["wrk", "autocannon"] as const);
  const named = positionals.filter((word) => word !== "all");
  return {
    scenarios: named.length === 0 ? SCENARIOS : choices("scenario", named, SCENARIOS),
    repeats: wholeNumber("--repeats", values.repeats),
    seconds: wholeNumber("--seconds", values.seconds),
    warmUpSeconds: wholeNumber("--warm-up", values["warm-up"]),
    contenders: CONTENDERS.filter((each) => wanted.includes(each.name)),
    runtimes,
    ratePerSecond: values.rate === undefined ? null : wholeNumber("--rate", values.rate),
    load,
    outPath: values.out ?? null,
    isMarkdown: values.markdown,
    isHelp: values.help,
  };
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
    throw new Error(`${flag} ${text}: expected a whole number from 1`);
  }
  return Number(text);
}
