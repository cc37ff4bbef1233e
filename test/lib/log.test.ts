import { spawn } from "node:child_process";
import * as assert from "uvu/assert";
import { LOG_LEVELS, Logger, type LoggerOptions, parseLogLevel } from "../../src/lib/log.ts";
import { runtime } from "../../src/net/runtime.ts";
import { suite } from "../support/test.ts";

const test = suite("lib/log");

type Desk = { log: Logger; lines: string[]; clock: { ms: number } };

function desk(options: Partial<LoggerOptions> = {}): Desk {
  const lines: string[] = [];
  const clock = { ms: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  const write = (line: string): boolean => {
    lines.push(line);
    return true;
  };
  const nowMs = (): number => clock.ms;
  return {
    log: new Logger({ level: "info", format: "text", write, nowMs, ...options }),
    lines,
    clock,
  };
}

test("a text line has time, level, message and fields", () => {
  const { log, lines } = desk();
  log.info("listening", { address: "127.0.0.1:4140", workers: 2, note: "a b", none: undefined });
  assert.equal(lines, [
    '2026-01-02T03:04:05.678Z info  listening address=127.0.0.1:4140 workers=2 note="a b"\n',
  ]);
});

test("a JSON line is an object, and fields cannot pose as time, level or message", () => {
  const { log, lines } = desk({ format: "json" });
  log.warn("odd", { level: "error", time: 0, message: "x", big: 1n, nan: Number.NaN, nil: null });
  assert.equal(JSON.parse(lines[0] ?? ""), {
    time: "2026-01-02T03:04:05.678Z",
    level: "warn",
    message: "odd",
    field_level: "error",
    field_time: 0,
    field_message: "x",
    big: "1",
    nan: "NaN",
    nil: null,
  });
});

test("what a peer sent can neither end a line nor steer a terminal", () => {
  const evil = 'a\r\n2026 error fake\u001b[31m\u0085\u2028\u2029\u009b\u202e\0\u007f\\"\ud800';
  for (const format of ["text", "json"] as const) {
    const { log, lines } = desk({ format });
    log.info(`seen ${evil}`, {
      sni: evil,
      [`k\n${evil}`]: 1,
      error: new Error(evil),
      deep: { evil },
    });
    assert.is(lines.length, 1);
    const line = (lines[0] ?? "").slice(0, -1);
    assert.not.match(line, /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
    assert.ok(line.isWellFormed());
    if (format === "json") assert.is(JSON.parse(line).sni, evil.toWellFormed());
  }
});

test("long values are cut", () => {
  const { log, lines } = desk();
  log.info("m".repeat(1e6), { body: "x".repeat(1e6) });
  assert.ok((lines[0] ?? "").length < 5_000);
});

test("an error is shown with its name and message on one line", () => {
  const { log, lines } = desk();
  log.error("failed", { error: new TypeError("no such thing") });
  assert.match(lines[0] ?? "", /error="TypeError: no such thing/);
  assert.is(lines.join("").split("\n").length, 2);
});

test("levels below the one that is set are silent, and it can change", () => {
  const { log, lines } = desk();
  for (const level of LOG_LEVELS) {
    log.level = level;
    lines.length = 0;
    for (const each of LOG_LEVELS) log[each](`${level} ${each}`);
    assert.is(lines.length, LOG_LEVELS.indexOf(level) + 1);
    assert.is(log.isEnabled("debug"), level === "debug");
  }
  assert.is(parseLogLevel("warn"), "warn");
  for (const text of ["", "WARN", "trace", "warn,x=info", "toString"]) {
    assert.is(parseLogLevel(text), null);
  }
});

test("a message that repeats is cut to ten lines a second, and the rest is counted", () => {
  const { log, lines, clock } = desk();
  for (let i = 0; i < 1_000; i++) log.warn("again", { i });
  log.warn("something else");
  assert.is(lines.length, 11);
  clock.ms += 1_000;
  log.warn("again");
  assert.is(lines.length, 13);
  assert.match(lines[11] ?? "", /warn {2}lines left out omitted=990 of=again\n$/);
  assert.match(lines[12] ?? "", /warn {2}again\n$/);
});

test("flush says what was left out, once", () => {
  const { log, lines } = desk();
  for (let i = 0; i < 12; i++) log.info("again");
  log.flush();
  log.flush();
  assert.is(lines.length, 11);
  assert.match(lines[10] ?? "", /omitted=2 /);
});

test("messages that are never the same are limited too", () => {
  const { log, lines } = desk();
  for (let i = 0; i < 10_000; i++) log.info(`message ${i}`);
  assert.ok(lines.length < 300, String(lines.length));
  log.flush();
  assert.match(lines.at(-1) ?? "", /of="other messages"/);
});

test("a clock that is set back does not silence a message", () => {
  const { log, lines, clock } = desk();
  for (let i = 0; i < 11; i++) log.info("again");
  clock.ms -= 86_400_000;
  log.info("again");
  assert.is(lines.length, 12);
});

test("what cannot be written is counted and never throws", () => {
  const { log } = desk({ write: () => false });
  log.info("lost");
  const broken = desk({
    write: () => {
      throw new Error("EPIPE");
    },
  });
  broken.log.info("lost too");
  assert.is(log.dropped, 1);
  assert.is(broken.log.dropped, 1);
  const odd = desk();
  const field = {
    get toJSON(): never {
      throw new Error("odd");
    },
  };
  odd.log.info("odd", { field });
  assert.is(odd.log.dropped, 1);
});

test("a closed stderr neither throws nor ends the process", async () => {
  const log = new URL("../../src/lib/log.ts", import.meta.url).href;
  const code = `
    import { Logger } from ${JSON.stringify(log)};
    process.stdin.resume();
    process.stdin.on("end", () => {
      const log = new Logger({ level: "info", format: "text" });
      for (let i = 0; i < 5; i++) log.info("nobody reads this");
      process.stdout.write("dropped " + log.dropped + "\\n", () => process.exit(0));
    });
  `;
  const args = runtime.name === "deno" ? ["eval", code] : ["-e", code];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  // Only when our end is closed may the child begin.
  await new Promise<void>((resolve) => child.stderr.on("close", resolve).destroy());
  child.stdin.end();
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  assert.is(output, "dropped 5\n");
  assert.is(status, 0);
});

test.run();
