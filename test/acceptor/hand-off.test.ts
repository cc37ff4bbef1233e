// timeout: 400s
// exclusive
/** The hand-off under stress, through the real program; `npm run soak -- hand-off` makes more. */
import * as assert from "uvu/assert";
import { handOffStress, KEPT_MAX } from "../support/hand-off-stress.ts";
import { suite } from "../support/test.ts";

const CONNECTIONS = 50_000;

const test = suite("acceptor/hand-off");
test.timeout(390_000);

test("no connection ever gets another's bytes, no descriptor is lost or closed twice", async () => {
  const figures = await handOffStress(CONNECTIONS);
  assert.is(figures.crossed, 0, JSON.stringify(figures));
  assert.is(figures.missing, 0, JSON.stringify(figures));
  assert.is(figures.violations, 0, JSON.stringify(figures));
  assert.ok(
    figures.descriptorsAfter <= figures.descriptorsBefore + KEPT_MAX,
    JSON.stringify(figures),
  );
  assert.ok(figures.echoed > CONNECTIONS / 3, JSON.stringify(figures));
});

test.run();
