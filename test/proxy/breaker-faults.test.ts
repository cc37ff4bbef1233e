// timeout: 60s
// The soak `failures` in its short form: one of three backends fails in each way that it knows.
import * as assert from "uvu/assert";
import { FAULTS, FaultRig } from "../support/faults.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/breaker-faults");
test.timeout(40_000);

const RATE = 200;
const SECONDS = 1;
/** A backend has what cannot be repeated only of a few before it is left alone. */
const FAILED_MAX = 20;

const rig = new FaultRig();
test.before(() => rig.start(1));
test.after(() => rig.stop());

for (const fault of FAULTS) {
  test(`one of three ${fault.name}: the others serve`, async () => {
    const report = await rig.run(fault, RATE, SECONDS, 100);
    const { failures, sent } = report.load;
    const seen = JSON.stringify(failures.slice(0, 5));
    assert.is(report.unexcused, 0, seen);
    assert.ok(failures.length < FAILED_MAX, `${failures.length} of ${sent}: ${seen}`);
    assert.ok(report.amplification <= 1.2, `${report.amplification}`);
    assert.is(report.load.ok + failures.length, sent);
  });
}

test.run();
