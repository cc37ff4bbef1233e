// timeout: 60s
// The soak `failures` in its short form: one of three backends fails in each way that it knows.
import * as assert from "uvu/assert";
import { FAULTS, FaultRig } from "../support/faults.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/breaker-faults");
test.timeout(40_000);

const RATE = 200;
const SECONDS = 1;
/** A backend that answers 503 does so to a few before it is left alone. */
const TOLD_MAX = 60;

const rig = new FaultRig();
test.before(() => rig.start(1));
test.after(() => rig.stop());

for (const fault of FAULTS) {
  test(`one of three ${fault.name}: the others serve`, async () => {
    const report = await rig.run(fault, RATE, SECONDS, 100);
    const { failures, sent } = report.load;
    const seen = JSON.stringify(failures.slice(0, 5));
    const told = failures.filter(({ why }) => why === "503 the backend's").length;
    assert.is(report.unexcused - told, 0, seen);
    assert.ok(told === 0 || fault.name === "answers 503", seen);
    assert.ok(told < TOLD_MAX, `${told} of ${sent}`);
    assert.ok(report.amplification <= 1.2, `${report.amplification}`);
    assert.is(report.load.ok + failures.length, sent);
  });
}

test.run();
