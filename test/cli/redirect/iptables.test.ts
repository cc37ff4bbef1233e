/** The iptables backend with programs that fail; what real ones do is seen in test/netns. */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type { Backend } from "../../../src/cli/redirect/backend.ts";
import { findIptables } from "../../../src/cli/redirect/iptables.ts";
import { planOf } from "../../../src/cli/redirect/plan.ts";
import { StartError } from "../../../src/cli/start-error.ts";
import { suite } from "../../support/test.ts";

const test = suite("cli/redirect/iptables");

const folder = mkdtempSync(join(tmpdir(), "outrigger-iptables-"));
const written = join(folder, "written");
test.after(() => rmSync(folder, { recursive: true, force: true }));

const plan = planOf({
  ...{ inboundPort: 4143, outboundPort: 4140, hasIpv6: true, users: [1], groups: [] },
  ...{ inboundPorts: [], outboundPorts: [], inboundNetworks: [], outboundNetworks: [] },
});

/** iptables whose `-save` says `complaint` and fails, for both families. */
function failing(complaint: string): Backend {
  for (const name of ["iptables", "ip6tables"]) {
    const save = `echo '${complaint}' >&2\nexit 4`;
    for (const [kind, text] of Object.entries({ save, restore: `echo > ${written}` })) {
      const path = join(folder, `${name}-${kind}`);
      writeFileSync(path, `#!/bin/sh\n${text}\n`);
      chmodSync(path, 0o700);
    }
  }
  const backend = findIptables(folder);
  assert.ok(backend !== null);
  return backend;
}

async function refused(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.instance(error, StartError);
  return (error as StartError).message;
}

test("who may not read the rules is not told that there are none", async () => {
  const backend = failing("Could not fetch rule set generation id: Permission denied");
  assert.match(
    await refused(backend.remove()),
    /Permission denied; it takes root or CAP_NET_ADMIN/,
  );
  assert.match(await refused(backend.state(plan)), /Permission denied/);
  assert.match(await refused(backend.apply(plan)), /Permission denied/);
  assert.not(existsSync(written));
});

test("a kernel without the table has no rules, and nothing is made to remove them", async () => {
  const backend = failing("can't initialize iptables table `nat': Table does not exist");
  assert.is(await backend.state(plan), "none");
  assert.is(await backend.remove(), null);
  assert.not(existsSync(written));
});

test.run();
