/**
 * What an attack must not do: disturb a canary on another connection, kill a worker, or take more
 * memory than ten times the bytes that it sent; and what it must do: raise a counter.
 */
import { spawnSync } from "node:child_process";
import * as assert from "uvu/assert";
import { requestFields } from "./http2-fields.ts";
import { ErrorCode } from "./http2-frames.ts";
import { Http2Peer } from "./http2-peer.ts";
import { assertHealthy, evidence, type Rig, type Service, to } from "./http2-rig.ts";
import { nameOf } from "./http2-state.ts";
import { later } from "./later.ts";
import type { Program } from "./program.ts";

/** What an attack may cost: ten times what it sent, and what the runtime's heap breathes. */
const GROWTH_FACTOR = 10;
const GROWTH_KIB = 16 * 1024;

export type Canary = {
  /** What went wrong with its requests. */
  readonly failures: string[];
  /** Ends it after two more requests and returns how many were answered. */
  stop(): Promise<number>;
};

/** Between two requests of a canary. */
const CANARY_EVERY_MS = 10;

/** A good client on a connection of its own, with one request after the other. */
export async function startCanary(port: number, service: Service = "web"): Promise<Canary> {
  const peer = await Http2Peer.connect(port);
  const failures: string[] = [];
  let count = 0;
  let last = Number.POSITIVE_INFINITY;
  const run = async (): Promise<void> => {
    do {
      const stream = await peer.ask(to(service, requestFields("/canary")));
      if (stream.outcome !== "200 ended" || stream.body !== "ok") failures.push(stream.outcome);
      count++;
      await new Promise<void>((resolve) => later(CANARY_EVERY_MS, resolve));
    } while (count < last);
  };
  const running = run().catch((error: unknown) => void failures.push(String(error)));
  return {
    failures,
    stop: async () => {
      // The one that is being answered began before the end, the next has nothing to wait for.
      last = count + 2;
      await running;
      failures.push(...peer.link.violations);
      peer.close();
      return count;
    },
  };
}

/**
 * Runs `attack`, which returns the bytes that it sent, and shows that a canary, the worker and the
 * program did not suffer and, if it `isCounted` as misbehaviour, that a counter tells of it.
 */
export async function withstands(
  rig: Rig,
  attack: () => Promise<number>,
  service: Service = "web",
  isCounted = true,
): Promise<void> {
  const pid = rig.program.child.pid;
  const before = await evidence(rig.program);
  const canary = await startCanary(rig.port, service);
  const startKib = beginPeak(rig.program);
  let sentBytes = 0;
  try {
    sentBytes = await attack();
  } finally {
    await canary.stop();
  }
  assert.equal(canary.failures, []);
  assert.is(rig.program.child.pid, pid);
  await assertHealthy(rig);
  if (isCounted) assert.ok((await evidence(rig.program)) > before, "no counter tells of it");
  const grownKib = residentKib(rig.program, "VmHWM") - startKib;
  const allowedKib = (GROWTH_FACTOR * sentBytes) / 1024 + GROWTH_KIB;
  assert.ok(grownKib <= allowedKib, `grown by ${grownKib} KiB, allowed are ${allowedKib}`);
}

/** Lets the kernel begin a new high-water mark (proc(5), clear_refs) and returns what is there. */
export function beginPeak(program: Program): number {
  const done = spawnSync("sh", ["-c", `echo 5 >/proc/${program.child.pid}/clear_refs`]);
  assert.is(done.status, 0, "clear_refs");
  return residentKib(program, "VmRSS");
}

/** Resident memory of the program: `VmRSS` now, or `VmHWM` at its highest since the peak began. */
export function residentKib({ child }: Program, which: "VmRSS" | "VmHWM"): number {
  // By `cat`, because Deno lets nobody look into /proc without all permissions.
  const { stdout } = spawnSync("cat", [`/proc/${child.pid}/status`], { encoding: "utf8" });
  return Number(new RegExp(`${which}:\\s+([0-9]+) kB`).exec(stdout)?.[1] ?? Number.NaN);
}

/** Waits for GOAWAY ENHANCE_YOUR_CALM and for the connection's end. */
export async function assertCalmed(peer: Http2Peer, what = ""): Promise<void> {
  const code = await peer.closed();
  assert.is(nameOf(code), nameOf(ErrorCode.enhanceYourCalm), `${what}: ${peer.describe()}`);
}
