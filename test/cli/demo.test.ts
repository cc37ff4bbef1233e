// timeout: 60s
/** `outrigger demo` as a newcomer starts it: a control plane, four sidecars, traffic between them. */
import * as assert from "uvu/assert";
import { commandLine } from "../support/program.ts";
import { suite } from "../support/test.ts";
import { runTool } from "../support/tool.ts";

const test = suite("cli/demo");
test.timeout(50_000);

test("a mesh of its own carries requests by mutual TLS, and leaves nothing behind", async () => {
  const [command, flags] = commandLine(["demo", "--duration=3s", "--rate=50", "--plain"]);
  const { status, output } = await runTool(command, flags);
  assert.match(output, /^3s \d+ req\/s success=100.00% .* mtls=yes share/m);
  // Each of the three replicas has its share.
  assert.match(output, /1 ms=[\d.]+%\/.* 5 ms=[\d.]+%\/.* 40 ms=[\d.]+%\//);
  assert.match(output, /^demo over: \d{2,} requests succeeded, 0 failed, \d+ echoes$/m);
  assert.is(status, 0);
});

test.run();
