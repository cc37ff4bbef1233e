// timeout: 600s
// exclusive
/**
 * h2spec --strict against the program, in front of an HTTP/1 and of an HTTP/2 origin, on both
 * listeners. Ten runs in a row are `npm run soak -- h2spec`. h2spec comes by Go: without Go the
 * absence is said and nothing more is claimed; with Go and without h2spec the test fails.
 */
import * as assert from "uvu/assert";
import { startProgram } from "../support/program.ts";
import { suite } from "../support/test.ts";
import { findTool } from "../support/tool.ts";
import { describe, H2SPEC_PACKAGE, readReport, runH2spec } from "./h2spec.ts";
import { type Origin, startNginx } from "./nginx.ts";

/** A state that the first run leaves behind would show in the second. */
const RUNS = 2;

/** h2spec puts `localhost:PORT` into :authority, so the outbound side can route it by name. */
const HOST = "localhost";

const test = suite("conformance/h2spec");
test.timeout(280_000);

test("readReport() reads the counts and each failing case once", () => {
  const report = readReport(
    [
      "Generic tests for HTTP/2 server",
      "  3. Frame Definitions",
      "    3.1. DATA",
      "        1: Sends a DATA frame\r      ✔ 1: Sends a DATA frame",
      "        2: Sends two\r      × 2: Sends two",
      "        -> The endpoint MUST",
      "Hypertext Transfer Protocol Version 2 (HTTP/2)",
      "  5. Streams and Multiplexing",
      "      8: closed\r      × 8: closed",
      "Failures: ",
      "",
      "Generic tests for HTTP/2 server",
      "    3.1. DATA",
      "      × 2: Sends two",
      "Finished in 0.1 seconds",
      "4 tests, 1 passed, 1 skipped, 2 failed",
    ].join("\n"),
  );
  assert.equal(report, {
    tests: 4,
    passed: 1,
    skipped: 1,
    failed: 2,
    failures: ["Generic 3.1 #2 Sends two", "HTTP/2 5 #8 closed"],
  });
  assert.throws(() => readReport("Error: connection refused"), /no summary/);
});

const h2spec = findTool("h2spec");
if (h2spec !== null) addRuns(h2spec);
else if (findTool("go") === null) addAbsence();
else {
  test("h2spec is installed where there is Go", () => {
    assert.unreachable(`run: go install ${H2SPEC_PACKAGE}`);
  });
}

function addAbsence(): void {
  test("h2spec is ABSENT, conformance was not looked at", () => {
    console.log("not run: h2spec --strict, because there is neither h2spec nor Go on this machine");
  });
}

function addRuns(path: string): void {
  let origin: Origin | null = null;
  test.before(async () => {
    origin = await startNginx();
  });
  test.after(async () => {
    await origin?.stop();
  });
  for (const listener of ["inbound", "outbound"] as const) {
    for (const protocol of ["h1", "h2"] as const) {
      test(`h2spec --strict passes on the ${listener} side of an origin of ${protocol}`, async () => {
        const port = protocol === "h1" ? origin?.http1Port : origin?.http2Port;
        const endpoint = `${protocol}:127.0.0.1:${port}`;
        const flag =
          listener === "inbound" ? `--app=${endpoint}` : `--upstream=${HOST}=${endpoint}`;
        const program = await startProgram(["--workers=1", flag]);
        try {
          for (let run = 1; run <= RUNS; run++) {
            const report = await runH2spec(path, HOST, program.port(listener));
            assert.is(report.passed, report.tests, `run ${run}: ${describe(report)}`);
          }
          assert.is(program.child.exitCode, null, program.log());
          assert.not.match(program.log(), /a connection failed/);
        } finally {
          program.child.kill("SIGKILL");
          await program.exited;
        }
      });
    }
  }
}

test.run();
