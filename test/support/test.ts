/**
 * uvu with what it lacks: a deadline for each test, a failing hook that fails, a suite that is empty
 * or was never run that fails, and a process that ends with the right status though handles leak.
 * For each suite it prints `suite NAME: N passed, N failed`, which bin/test.mjs adds up.
 */
import "./uvu-defer.ts";

import { exec, suite as uvuSuite } from "uvu";
import { seedInUse } from "./random.ts";

/** A unit test takes milliseconds; half a minute says that it hangs. */
const TIMEOUT_DEFAULT_MS = 30_000;

type Body = () => void | Promise<void>;

interface Hook {
  /** Adds a function that is called once for the suite. */
  (hook: Body): void;
  /** Adds a function that is called for every test. */
  each(hook: Body): void;
}

export interface Suite {
  /** Adds a test. */
  (name: string, body: Body): void;
  /** Adds a test and leaves out all that are not `only`; for work at the desk, the file then fails. */
  only(name: string, body: Body): void;
  readonly before: Hook;
  readonly after: Hook;
  /** Sets how long each test and hook of this suite may take; 30 s unless said. */
  timeout(ms: number): void;
  /** Hands the suite in. To be called once, after its tests. */
  run(): void;
}

interface Result {
  readonly name: string;
  timeoutMs: number;
  tests: number;
  passed: number;
  isHandedIn: boolean;
  /** What failed outside the tests themselves. */
  readonly faults: string[];
}

const results: Result[] = [];
let starting: ReturnType<typeof setTimeout> | null = null;
let hasStarted = false;

/** Makes a suite, named after its path under test/ without `.test.ts`. */
export function suite(name: string): Suite {
  const result: Result = {
    name,
    timeoutMs: TIMEOUT_DEFAULT_MS,
    tests: 0,
    passed: 0,
    isHandedIn: false,
    faults: [],
  };
  results.push(result);
  const inner = uvuSuite(name);
  const beforeEach: Body[] = [];
  const afterEach: Body[] = [];

  const wrapped = (body: Body) => async (): Promise<void> => {
    const [broken] = result.faults;
    if (broken !== undefined) throw new Error(`not run: ${broken}`);
    try {
      for (const hook of beforeEach) await inTime(hook, result.timeoutMs);
      await inTime(body, result.timeoutMs);
    } finally {
      for (const hook of afterEach) await inTime(hook, result.timeoutMs);
    }
    result.passed += 1;
  };
  // uvu loses what a suite's hook throws, so it is kept here.
  const guarded = (kind: string, hook: Body) => async (): Promise<void> => {
    try {
      await inTime(hook, result.timeoutMs);
    } catch (error) {
      result.faults.push(`${kind}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  };
  const add = (name: string, body: Body, isOnly: boolean): void => {
    result.tests += 1;
    if (isOnly) inner.only(name, wrapped(body));
    else inner(name, wrapped(body));
  };

  return Object.assign((name: string, body: Body) => add(name, body, false), {
    only: (name: string, body: Body) => add(name, body, true),
    before: Object.assign((hook: Body) => inner.before(guarded("before", hook)), {
      each: (hook: Body) => void beforeEach.push(hook),
    }),
    after: Object.assign((hook: Body) => inner.after(guarded("after", hook)), {
      each: (hook: Body) => void afterEach.push(hook),
    }),
    timeout: (ms: number) => {
      result.timeoutMs = ms;
    },
    run: () => {
      if (hasStarted) throw new Error(`suite ${name}: run() came after the suites had started`);
      result.isHandedIn = true;
      inner.run();
      if (starting !== null) clearTimeout(starting);
      starting = setTimeout(() => void runAll(), 0);
    },
  });
}

/** Rejects when the body has not ended in time. The body itself cannot be stopped. */
async function inTime(body: Body, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not ended within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function runAll(): Promise<void> {
  hasStarted = true;
  await exec();
  const lines: string[] = [];
  let failures = 0;
  for (const result of results) {
    if (!result.isHandedIn) result.faults.push("was never handed in: call .run()");
    else if (result.tests === 0) result.faults.push("has no tests");
    const failed = Math.max(result.tests - result.passed, Math.min(result.faults.length, 1));
    failures += failed;
    for (const fault of result.faults) lines.push(`suite ${result.name}: ${fault}`);
    lines.push(`suite ${result.name}: ${result.passed} passed, ${failed} failed`);
  }
  const seed = seedInUse();
  if (failures > 0 && seed !== null) lines.push(`SEED=${seed}`);
  const status = failures > 0 ? 1 : 0;
  // Not `exitCode`: a leaked socket or worker would keep the process for ever.
  process.stdout.write(`${lines.join("\n")}\n`, () => process.exit(status));
}
