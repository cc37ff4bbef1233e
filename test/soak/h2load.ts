/**
 * A million requests (or --requests N) by h2load, 100 connections of 100 streams, to an HTTP/2
 * origin; every one must succeed while resident memory stays bounded.
 */
import { runH2load } from "../conformance/h2load.ts";
import { startNginx } from "../conformance/nginx.ts";
import { startProgram } from "../support/program.ts";
import { findTool, residentMiB } from "../support/tool.ts";

const REQUESTS_DEFAULT = 1_000_000;
const SAMPLE_EVERY_MS = 500;
const SAMPLES_SHOWN = 16;

/**
 * How much higher the second half of the samples may reach than the first. A collector lets some
 * hundred MiB of garbage pile up and then drops them, so the peaks are compared.
 */
const GROWTH_MIB_MAX = 128;

const at = process.argv.indexOf("--requests");
const requests = at === -1 ? REQUESTS_DEFAULT : Number(process.argv[at + 1]);
const path = findTool("h2load");
if (path === null) throw new Error("h2load is missing: install nghttp2-client");

const origin = await startNginx();
const program = await startProgram(["--workers=1", `--app=h2:127.0.0.1:${origin.http2Port}`]);
const samples: number[] = [];
const sampler = setInterval(() => samples.push(residentMiB(program)), SAMPLE_EVERY_MS);
const before = residentMiB(program);
const load = { requests, connections: 100, streams: 100 };
const result = await runH2load(path, program.port("inbound"), load);
clearInterval(sampler);
samples.push(residentMiB(program));

const half = samples.length >> 1;
const first = Math.max(...samples.slice(0, half));
const second = Math.max(...samples.slice(half));
const step = Math.max(1, Math.floor(samples.length / SAMPLES_SHOWN));
const shown = samples.filter((_, i) => i % step === step - 1).map((mib) => mib.toFixed(1));
console.log(result);
console.log(`resident MiB: ${before.toFixed(1)} at rest; under load ${shown.join(", ")}`);
console.log(`at most ${first.toFixed(1)} in the first half, ${second.toFixed(1)} in the second`);
const isWhole = result.succeeded === requests && result.status2xx === requests;
await program.stop();
await origin.stop();
process.exit(isWhole && second - first < GROWTH_MIB_MAX ? 0 : 1);
