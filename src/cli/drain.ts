/**
 * How a sidecar ends: nothing new, then what is in flight, up to a grace; the admin API goes last. With
 * an application of its own what comes to it goes first, as the application still needs the way out.
 */
import type { Taps } from "../admin/taps.ts";
import type { Registry } from "../discovery/registry.ts";
import type { Logger } from "../lib/log.ts";
import type { StateFolder } from "../lib/state-folder.ts";
import type { HttpServer } from "../net/runtime.ts";
import { DrainPhase } from "../shared/layout.ts";
import { type Memory, startDraining } from "../shared/memory.ts";
import type { MeshMember } from "./mesh-member.ts";
import type { SidecarIdentity } from "./start-identity.ts";
import type { Threads } from "./threads.ts";

export type Draining = {
  readonly log: Logger;
  readonly threads: Threads;
  /** Our part in a mesh; null without one. */
  readonly member: MeshMember | null;
  readonly memory: Memory;
  readonly registry: Registry;
  readonly taps: Taps;
  readonly adminServer: HttpServer;
  readonly identity: SidecarIdentity | null;
  readonly folder: StateFolder;
  /** Called once, when nothing new is to come any more. */
  readonly onBegin: () => void;
};

/** The admin API's own connections are not waited for longer. */
const ADMIN_CLOSE_MS = 500;
/** A disk that hangs must not keep the process. */
const FLUSH_MS = 1_000;

export class Drain {
  readonly #running: Draining;
  #isBegun = false;
  #isEnding = false;

  constructor(running: Draining) {
    this.#running = running;
  }

  /** Nothing new is to come to us any more. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /**
   * Takes nothing new for the application and waits for the requests it has, at most `maxMs`; what is
   * then left goes on. Tunnels are not waited for.
   */
  async inbound(maxMs: number): Promise<void> {
    this.#begin();
    const { log, member, threads, memory } = this.#running;
    log.info("draining inbound", { maxMs });
    // Others stop coming before the door is closed.
    await member?.leave();
    const drained = async (): Promise<void> => {
      await threads.stopInbound();
      startDraining(memory, DrainPhase.inbound);
      threads.wakeAll();
      await threads.inboundDrained();
    };
    await within(drained(), maxMs);
  }

  /** Takes nothing new and waits for all that is in flight, at most `maxMs`; the rest is cut. */
  async all(maxMs: number): Promise<void> {
    if (this.#isEnding) return;
    this.#begin();
    this.#isEnding = true;
    const { log, threads, memory, registry, taps, identity, folder, adminServer } = this.#running;
    log.info("draining", { graceMs: maxMs });
    await this.#running.member?.leave();
    await threads.stopAccepting();
    startDraining(memory, DrainPhase.all);
    threads.wakeAll();
    const isDrained = await within(threads.drained(), maxMs);
    if (!isDrained && maxMs > 0) log.warn("the grace is over; what was still in flight is cut");
    registry.stop();
    await identity?.stop();
    await within(folder.flush(), FLUSH_MS);
    taps.end();
    await within(adminServer.close(), ADMIN_CLOSE_MS);
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#running.onBegin();
  }
}

/** Resolves to whether `work` was over in time. */
export async function within(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const isInTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return isInTime;
}
