/**
 * h2spec against the sidecar: how it is started, and what its report says. h2spec is a client that
 * sends what RFC 9113 and RFC 7541 forbid and looks at the answer; with --strict it asks for the
 * SHOULDs too. It is written in Go and installed by .ci/run where there is Go.
 */
import { runTool } from "../support/tool.ts";

/** Fixed, so that a new case is met when somebody chooses to. */
export const H2SPEC_PACKAGE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";

export type Report = {
  readonly tests: number;
  readonly passed: number;
  readonly skipped: number;
  readonly failed: number;
  /** `6.9.1 #3 Sends multiple WINDOW_UPDATE frames …`, each failing case once. */
  readonly failures: readonly string[];
};

/**
 * Runs every case against `http://HOST:PORT/` and reports. Throws with the whole output when there
 * is no summary, as when nothing listens there.
 */
export async function runH2spec(path: string, host: string, port: number): Promise<Report> {
  const { output } = await runTool(path, ["--strict", "--host", host, "--port", String(port)]);
  return readReport(output);
}

/** One line that says it all: the counts, then each failing case on a line of its own. */
export function describe(report: Report): string {
  const { tests, passed, skipped, failed, failures } = report;
  const counts = `${tests} tests, ${passed} passed, ${skipped} skipped, ${failed} failed`;
  return [counts, ...failures].join("\n  ");
}

/** Reads h2spec's report. A line is written over as its case ends, with CR in between. */
export function readReport(output: string): Report {
  const counts = /^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/m.exec(output);
  if (counts === null) throw new Error(`h2spec gave no summary: ${output}`);
  const [tests = 0, passed = 0, skipped = 0, failed = 0] = counts.slice(1).map(Number);
  return { tests, passed, skipped, failed, failures: failuresIn(output) };
}

/** The failing cases of the part before `Failures:`, which lists them a second time. */
function failuresIn(output: string): string[] {
  const [cases = ""] = output.split(/^Failures:/m);
  const failures: string[] = [];
  let part = "";
  let section = "";
  for (const line of cases.split("\n")) {
    const shown = line.slice(line.lastIndexOf("\r") + 1);
    if (/^\S/.test(shown)) part = /^(Generic|HPACK)\b/.exec(shown)?.[0] ?? "HTTP/2";
    section = /^\s+([0-9.]+)\. /.exec(shown)?.[1] ?? section;
    const [, number, title] = /^\s+× ([0-9]+): (.*)$/.exec(shown) ?? [];
    if (number !== undefined) failures.push(`${part} ${section} #${number} ${title}`);
  }
  return failures;
}
