/**
 * What an attack must not do: disturb a canary on another connection, kill a worker, or take more
 * memory than ten times the bytes that it sent; and what it must do: raise a counter.
 */
import { spawnSync } from "node:child_process";
import * as assert from "uvu/assert";
import { requestFields } from "./http2-fields.ts";
import { ErrorCode } from "./http2-frames.ts";
import { Http2Peer } from "./http2-peer.ts";
import { assertHealthy, http2Counters, type Rig, type Service, to } from "./http2-rig.ts";
import { nameOf } from "./http2-state.ts";
import { later } from "./later.ts";
import type { Program } from "./program.ts";

/** What an attack may cost: ten times what it sent, and what the runtime's heap breathes. */
const GROWTH_FACTOR = 10;
const GROWTH_KIB = 16 * 1024;

export type Canary = {
  /** What went wrong with its requests. */
  readonly failures: string[];
  /** Lets it send no more. */
  end(): void;
  /** Ends it and returns how many requests were answered. */
  stop(): Promise<number>;
};

/** Between two requests of a canary. */
const CANARY_EVERY_MS = 10;

/** A good client on a connection of its own, with one request after the other. */
export async function startCanary(port: number, service: Service = "web"): Promise<Canary> {
  const peer = await Http2Peer.connect(port);
  const failures: string[] = [];
  let count = 0;
  let isOver = false;
  const run = async (): Promise<void> => {
    do {
      const stream = await peer.ask(to(service, requestFields("/canary")));
      if (stream.outcome !== "200 ended" || stream.body !== "ok") failures.push(stream.outcome);
      count++;
      await new Promise<void>((resolve) => later(CANARY_EVERY_MS, resolve));
    } while (!isOver);
  };
  const running = run().catch((error: unknown) => void failures.push(String(error)));
  return {
    failures,
    end: () => {
      isOver = true;
    },
    stop: async () => {
      isOver = true;
      await running;
      failures.push(...peer.link.violations);
      peer.close();
      return count;
    },
  };
}

/**
 * Runs `attack`, which returns the bytes that it sent, and shows that a canary, the worker and the
 * program did not suffer and that a counter of HTTP/2 tells of it.
 */
export async function withstands(
  rig: Rig,
  attack: () => Promise<number>,
  service: Service = "web",
): Promise<void> {
  const pid = rig.program.child.pid;
  const before = await http2Counters(rig.program);
  const canary = await startCanary(rig.port, service);
  const startKib = beginPeak(rig.program);
  const sentBytes = await attack().finally(() => canary.end());
  const answered = await canary.stop();
  assert.equal(canary.failures, []);
  assert.ok(answered > 0);
  assert.is(rig.program.child.pid, pid);
  await assertHealthy(rig);
  const risen = [...(await http2Counters(rig.program))].filter(
    ([name, value]) => value > (before.get(name) ?? 0),
  );
  assert.ok(risen.length > 0, "no counter of HTTP/2 rose");
  const grownKib = residentKib(rig.program, "VmHWM") - startKib;
  const allowedKib = (GROWTH_FACTOR * sentBytes) / 1024 + GROWTH_KIB;
  assert.ok(grownKib <= allowedKib, `grown by ${grownKib} KiB, allowed are ${allowedKib}`);
}

/** Lets the kernel begin a new high-water mark (proc(5), clear_refs) and returns what is there. */
function beginPeak(program: Program): number {
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
