import * as assert from "uvu/assert";
import { fuzz } from "../support/fuzz.ts";
import { SEED } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("fuzz/runner");

/** Runs with the variables set, and puts back what was there. */
function withEnvironment(variables: Readonly<Record<string, string>>, body: () => void): void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

test("cases differ, and go on for the time", () => {
  const drawn: number[] = [];
  const startMs = performance.now();
  withEnvironment({ FUZZ_SECONDS: "1", FUZZ_CASE: "" }, () => {
    fuzz("numbers", (random) => {
      if (drawn.length < 1_000) drawn.push(random.u32());
    });
  });
  assert.ok(performance.now() - startMs >= 1_000);
  assert.is(drawn.length, 1_000);
  assert.is(new Set(drawn).size, 1_000);
});

test("a failure says how to have its case again, and that draws the same", () => {
  let number = 0;
  let unlucky = 0;
  const body = (isArmed: boolean): void =>
    fuzz("a target", (random) => {
      unlucky = random.u32();
      if (isArmed && number++ === 12) throw new Error("found it");
    });
  withEnvironment({ FUZZ_SECONDS: "1", FUZZ_CASE: "" }, () => {
    assert.throws(
      () => body(true),
      new RegExp(
        `^a target, case 12: found it\n +again: FUZZ_CASE=12 SEED=${SEED} npm test -- test/fuzz/runner`,
      ),
    );
  });
  const found = unlucky;
  unlucky = 0;
  withEnvironment({ FUZZ_CASE: "12" }, () => body(false));
  assert.is(unlucky, found);
});

test("a variable that is no number is a mistake", () => {
  withEnvironment({ FUZZ_CASE: "x" }, () => {
    assert.throws(() => fuzz("a target", () => {}), /FUZZ_CASE=x: expected an integer/);
  });
});

test.run();
