/**
 * h2spec --strict ten times in a row (or --runs N) in front of an HTTP/1 and of an HTTP/2 origin;
 * every case must pass every time.
 */
import { describe, H2SPEC_PACKAGE, runH2spec } from "../conformance/h2spec.ts";
import { startNginx } from "../conformance/nginx.ts";
import { startProgram } from "../support/program.ts";
import { findTool } from "../support/tool.ts";

const RUNS_DEFAULT = 10;

const at = process.argv.indexOf("--runs");
const runs = at === -1 ? RUNS_DEFAULT : Number(process.argv[at + 1]);
const path = findTool("h2spec");
if (path === null) throw new Error(`h2spec is missing: go install ${H2SPEC_PACKAGE}`);

const origin = await startNginx();
let failedRuns = 0;
for (const app of [`h1:127.0.0.1:${origin.http1Port}`, `h2:127.0.0.1:${origin.http2Port}`]) {
  const program = await startProgram(["--workers=1", `--app=${app}`]);
  for (let run = 1; run <= runs; run++) {
    const report = await runH2spec(path, "127.0.0.1", program.port("inbound"));
    if (report.passed !== report.tests) failedRuns++;
    console.log(`${app.slice(0, 2)} run ${run} of ${runs}: ${describe(report)}`);
  }
  if (program.child.exitCode !== null) throw new Error(`the program ended: ${program.log()}`);
  await program.stop();
}
await origin.stop();
console.log(`${2 * runs} runs, ${failedRuns} with failing cases`);
process.exit(failedRuns === 0 ? 0 : 1);
