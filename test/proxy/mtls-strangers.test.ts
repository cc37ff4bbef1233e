// timeout: 120s
/**
 * Strangers at the door: each kind of certificate that is not a workload's of this mesh is refused
 * every time, by its own reason, while it says a request in the same breath; no byte of it arrives.
 */
import * as assert from "uvu/assert";
import {
  assertServes,
  assertUnharmed,
  counts,
  type Rig,
  rises,
  SNI,
  startRig,
} from "../support/mtls-rig.ts";
import { strangersOf } from "../support/strangers.ts";
import { suite } from "../support/test.ts";
import { askTls } from "../support/tls-peer.ts";

const test = suite("proxy/mtls-strangers");
test.timeout(20_000);
const TRIES = 25;
const REQUEST = "GET /stranger HTTP/1.1\r\nHost: web\r\n\r\n";

const rig: Rig = await startRig();
test.after(() => rig.stop());

for (const { who, party, counter } of await strangersOf(rig.mesh)) {
  test(`a client ${who} is refused, ${TRIES} times of ${TRIES}`, async () => {
    const { port, program } = rig;
    const before = await counts(program);
    for (let i = 0; i < TRIES; i++) {
      const reply = await askTls(port, party, SNI, REQUEST);
      assert.is(reply.text, "");
      assert.ok(reply.end === "alert" || reply.end === "cut", reply.end);
    }
    await rises(program, before, counter, TRIES);
    await assertServes(rig);
    await assertUnharmed(rig);
  });
}

test.run();
