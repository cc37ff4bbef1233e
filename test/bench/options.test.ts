import * as assert from "uvu/assert";
import { estimateSeconds } from "../../bench/comparisons.ts";
import type { Task } from "../../bench/contenders.ts";
import { readOptions, SCENARIOS } from "../../bench/options.ts";
import { suite } from "../support/test.ts";

const test = suite("bench/options");

const ANY_TASK: Omit<Task, "mode"> = {
  ...{ port: 1, originPort: 4711, applicationPort: 4711, directory: "" },
  identities: { client: filesIn(""), service: filesIn("") },
};

function filesIn(directory: string): Task["identities"]["client"] {
  const none = { certificate: "", key: "", certificateAndKey: "", anchor: "" };
  return { directory, dnsName: "", ...none };
}

test("without a scenario, and with all, it is every one but the experiments", () => {
  const usual = SCENARIOS.filter((name) => !["micro", "balance", "balance-sim"].includes(name));
  assert.equal(readOptions([]).scenarios, usual);
  assert.equal(readOptions(["all"]).scenarios, usual);
  assert.equal(readOptions(["micro", "all"]).scenarios, [...usual, "micro"]);
  assert.equal(readOptions(["tcp", "latency", "tcp"]).scenarios, ["tcp", "latency"]);
});

test("--rates takes numbers and half, each once", () => {
  assert.equal(readOptions([]).rates, [20, 200, 2_000, "half"]);
  assert.equal(readOptions(["--rates", "half,50,half,50"]).rates, ["half", 50]);
  for (const rates of ["", "0", "20,", "2.5", "-1", "third", "99999999"]) {
    assert.throws(
      () => readOptions([`--rates=${rates}`]),
      /^--rates .*whole number from 1, or half/,
    );
  }
  assert.throws(() => readOptions(["--rate", "20"]), /--rate/);
});

test("--svg is one drawing: latency's or balance's", () => {
  assert.is(readOptions(["--svg", "a.svg"]).svgPath, "a.svg");
  assert.is(readOptions(["balance", "--svg", "a.svg"]).svgPath, "a.svg");
  assert.throws(() => readOptions(["tcp", "--svg", "a.svg"]), /^--svg: expected one of latency/);
  assert.throws(() => readOptions(["latency", "balance", "--svg", "a.svg"]), /^--svg: /);
});

test("--proxy is a contender more, started by the shell in front of the origin", () => {
  const words = [
    "--contenders",
    "haproxy",
    "--proxy",
    "envoy=9001 envoy -c a.yaml --to {origin} {origin}",
  ];
  const { contenders } = readOptions([...words, "--proxy", "other.2=80 true"]);
  assert.equal(
    contenders.map(({ name }) => name),
    ["haproxy", "envoy", "other.2"],
  );
  assert.equal(contenders[1]?.plan({ ...ANY_TASK, mode: "http" }), {
    kind: "command",
    command: ["sh", "-c", "envoy -c a.yaml --to 4711 4711"],
    port: 9_001,
  });
  for (const mode of ["http2", "tcp", "chain-client", "mtls-http"] as const) {
    assert.is(contenders[1]?.plan({ ...ANY_TASK, mode }).kind, "absent", mode);
  }
});

test("--proxy says what it expected", () => {
  for (const text of [
    "",
    "envoy",
    "envoy=9001",
    "envoy=9001 ",
    "=9001 a",
    "e=0 a",
    "e=65536 a",
    "E=1 a",
  ]) {
    assert.throws(
      () => readOptions([`--proxy=${text}`]),
      /^--proxy .*expected 'NAME=PORT COMMAND'/,
      text,
    );
  }
  assert.throws(() => readOptions(["--proxy", "nginx=1 a"]), /^--proxy nginx: there is one/);
  assert.throws(() => readOptions(["--proxy", "a=1 a", "--proxy", "a=2 a"]), /^--proxy a: there/);
});

test("the estimate grows with scenarios, rates, contenders, repeats and time", () => {
  const of = (...words: string[]): number => estimateSeconds(readOptions(words));
  const one = of("latency", "--rates", "20", "--contenders", "haproxy", "--repeats", "1");
  assert.ok(one > 12 && one < 14, `${one} s of 2 s and 10 s and a start`);
  assert.is(
    of("latency", "--rates", "20,200", "--contenders", "haproxy", "--repeats", "1"),
    2 * one,
  );
  assert.is(
    of("latency", "--rates", "20", "--contenders", "haproxy,nginx", "--repeats", "1"),
    2 * one,
  );
  assert.is(of("latency", "--rates", "20", "--contenders", "haproxy", "--repeats", "3"), 3 * one);
  assert.ok(of("bodies") > of("connections"));
  assert.is(of("balance"), 0);
  // What bench/README.md says of it.
  const short = of("--seconds", "3", "--repeats", "2", "--warm-up", "3") / 60;
  assert.ok(short > 15 && short < 30, `${short} minutes`);
});

test("compare takes two commits, and without more keepalive and chain on Bun", () => {
  const { commits, scenarios, runtimes } = readOptions(["compare", "HEAD~1", "."]);
  assert.equal(commits, { base: "HEAD~1", head: ".", budget: 1.05 });
  assert.equal(scenarios, ["keepalive", "chain"]);
  assert.equal(runtimes, ["bun"]);
});

test("compare takes scenarios, runtimes and a budget", () => {
  const words = ["compare", "v1", "v2", "tcp", "--budget", "1.5", "--runtimes", "bun,deno"];
  const { commits, scenarios, runtimes } = readOptions(words);
  assert.equal(commits, { base: "v1", head: "v2", budget: 1.5 });
  assert.equal(scenarios, ["tcp"]);
  assert.equal(runtimes, ["bun", "deno"]);
});

test("compare refuses one commit, what is no scenario of proxies, and a budget below what it cost", () => {
  assert.throws(() => readOptions(["compare", "HEAD"]), /expected BASE and HEAD/);
  assert.throws(
    () => readOptions(["compare", "a", "b", "micro"]),
    /scenario micro: expected keepalive/,
  );
  assert.throws(
    () => readOptions(["compare", "a", "b", "all"]),
    /scenario all: expected keepalive/,
  );
  assert.throws(
    () => readOptions(["compare", "a", "b", "--budget", "0.9"]),
    /--budget 0.9: expected/,
  );
  assert.throws(
    () => readOptions(["compare", "a", "b", "--budget", "5%"]),
    /--budget 5%: expected/,
  );
  assert.throws(() => readOptions(["keepalive", "--budget", "1.1"]), /--budget: only with compare/);
  assert.throws(
    () => readOptions(["compare", "a", "b", "--contenders", "nginx"]),
    /no --contenders/,
  );
});

test.run();
