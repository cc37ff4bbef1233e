import * as assert from "uvu/assert";
import { eventually } from "./eventually.ts";
import { suite } from "./test.ts";

const test = suite("support/eventually");

test("eventually() asks again until the condition holds, and returns its value", async () => {
  let calls = 0;
  const value = await eventually(() => {
    calls += 1;
    return calls < 3 ? null : "there";
  });
  assert.is(value, "there");
  assert.is(calls, 3);
});

test("eventually() takes a check that no longer throws for true", async () => {
  let calls = 0;
  await eventually(() => {
    calls += 1;
    assert.is(calls, 2);
  });
});

test("eventually() says what did not come true and what was seen last", async () => {
  const message = await eventually(() => false, { withinMs: 20, what: "a row is free" }).then(
    () => "came true",
    (error: Error) => error.message,
  );
  assert.match(message, /not within [0-9]+ ms: a row is free/);
  assert.match(message, "last: false");
});

test.run();
