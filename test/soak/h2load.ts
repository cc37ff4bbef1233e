/**
 * A million requests (or --requests N) by h2load, 100 connections of 100 streams, to an HTTP/2
 * origin; every one must succeed while resident memory stays flat.
 */
import { runH2load } from "../conformance/h2load.ts";
import { startNginx } from "../conformance/nginx.ts";
import { startProgram } from "../support/program.ts";
import { findTool, residentMiB } from "../support/tool.ts";

const REQUESTS_DEFAULT = 1_000_000;
const SAMPLES_PER_RUN = 8;

/** From the end of the first eighth, by when pools and tables are full, to the end of the last. */
const GROWTH_MIB_MAX = 32;

const at = process.argv.indexOf("--requests");
const requests = at === -1 ? REQUESTS_DEFAULT : Number(process.argv[at + 1]);
const path = findTool("h2load");
if (path === null) throw new Error("h2load is missing: install nghttp2-client");

const origin = await startNginx();
const program = await startProgram(["--workers=1", `--app=h2:127.0.0.1:${origin.http2Port}`]);
const samples: number[] = [];
const everyMs = 1_000;
const sampler = setInterval(() => samples.push(residentMiB(program)), everyMs);
const before = residentMiB(program);
const load = { requests, connections: 100, streams: 100 };
const result = await runH2load(path, program.port("inbound"), load);
clearInterval(sampler);
samples.push(residentMiB(program));

const step = Math.max(1, Math.floor(samples.length / SAMPLES_PER_RUN));
const shown = samples.filter((_, i) => i % step === step - 1 || i === samples.length - 1);
const grown = (shown.at(-1) ?? 0) - (shown[0] ?? 0);
console.log(result);
console.log(
  `resident MiB: ${before.toFixed(1)} at rest; then ${shown.map((mib) => mib.toFixed(1)).join(", ")}`,
);
console.log(`grown by ${grown.toFixed(1)} MiB from the first of these samples to the last`);
const isWhole = result.succeeded === requests && result.status2xx === requests;
await program.stop();
await origin.stop();
process.exit(isWhole && grown < GROWTH_MIB_MAX ? 0 : 1);
