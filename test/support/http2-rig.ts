/**
 * The real program between raw HTTP/2 clients and two origins: the service `web` speaks HTTP/1, the
 * service `two` HTTP/2. What every test of hostile peers has to show is here too: the program and its
 * worker live, the origins saw nothing impure, and its counters tell what happened.
 */
import * as assert from "uvu/assert";
import type { Field } from "./http2-fields.ts";
import { type Http2Origin, http2Origin } from "./http2-peer.ts";
import { type Program, startProgram } from "./program.ts";
import { parseMetrics } from "./prometheus.ts";
import { type RecordingOrigin, recordingOrigin } from "./recording-origin.ts";

export type Service = "web" | "two";
export const SERVICES: readonly Service[] = ["web", "two"];

export type Rig = {
  readonly program: Program;
  /** The outbound listener. */
  readonly port: number;
  readonly web: RecordingOrigin;
  readonly two: Http2Origin;
  stop(): Promise<void>;
};

export type RigOptions = {
  readonly web?: RecordingOrigin;
  readonly two?: Http2Origin;
  readonly args?: readonly string[];
};

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const web = options.web ?? (await recordingOrigin());
  const two = options.two ?? (await http2Origin());
  const program = await startProgram([
    `--upstream=web=h1:127.0.0.1:${web.port}`,
    `--upstream=two=h2:127.0.0.1:${two.port}`,
    `--app=h1:127.0.0.1:${web.port}`,
    "--workers=1",
    ...(options.args ?? []),
  ]);
  return {
    program,
    port: program.port("outbound"),
    web,
    two,
    stop: async () => {
      program.child.kill("SIGKILL");
      await program.exited;
      await web.close();
      await two.close();
    },
  };
}

/** The same request to another service. */
export function to(service: Service, fields: readonly Field[]): Field[] {
  return fields.map(([name, value, form]) =>
    name === ":authority" && value === "web"
      ? [name, service, form ?? "plain"]
      : [name, value, form ?? "plain"],
  );
}

/** Requests that the origins have got whole. */
export function completed({ web, two }: Rig): number {
  const whole = two.requests.filter(({ stream }) => stream.isEnded && stream.resetCode === null);
  return web.requests.length + whole.length;
}

/** Throws unless the program lives, never lost a worker, and wrote nothing impure to the origins. */
export async function assertHealthy({ program, web, two }: Rig): Promise<void> {
  assert.is(program.child.exitCode, null, `the program died: ${program.log()}`);
  assert.not.match(program.log(), /a connection failed/);
  assert.is(await counter(program, "outrigger_worker_restarts_total"), 0);
  assert.is(await counter(program, "outrigger_worker_faults_total"), 0);
  assert.equal(web.faults, []);
  assert.equal(two.violations(), []);
}

/** The sum of a family's samples over all label sets. */
export async function counter(program: Program, name: string): Promise<number> {
  const families = parseMetrics(await (await program.admin("/metrics")).text());
  const samples = families.get(name)?.samples ?? [];
  return samples.reduce((sum, { value }) => sum + value, 0);
}

/** Counters one of which rises with whatever a peer does wrong. */
const EVIDENCE: readonly string[] = [
  "bad_request",
  "bad_response",
  "client_aborted",
  "http2_floods",
  "http2_malformed",
  "http2_protocol_errors",
  "refused_memory",
];

/** The sum of the counters that tell of misbehaviour. */
export async function evidence(program: Program): Promise<number> {
  const families = parseMetrics(await (await program.admin("/metrics")).text());
  let sum = 0;
  for (const name of EVIDENCE) {
    const family = families.get(`outrigger_${name}_total`);
    assert.ok(family !== undefined, `no counter ${name}`);
    for (const { value } of family?.samples ?? []) sum += value;
  }
  return sum;
}
