/**
 * Requests, sidecars and backends without a network: discrete events on a clock of their own, so that
 * a minute takes a second. What chooses is `src/balancer` itself, over shared rows as in the data path.
 * Everything is drawn from one seed: equal seeds give equal results.
 */
import { Balancer } from "../../src/balancer/balancer.ts";
import type { Tuning } from "../../src/balancer/tuning.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { Endpoint } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";
import { EventQueue } from "./event-queue.ts";

export interface Answer {
  /** Infinity: it never comes, and the client gives up after GIVE_UP_MS. */
  readonly latencyMs: number;
  readonly isFailure: boolean;
}

export interface World {
  readonly backends: number;
  /** Sidecars, each of which knows only what it has seen; requests come to one at random. */
  readonly sidecars: number;
  /** Of each sidecar; they share what they know. */
  readonly workers: number;
  readonly ratePerSecond: number;
  readonly seconds: number;
  /** Requests before this are not told: what is measured begins with a pool that is known. */
  readonly warmUpSeconds: number;
  /** When the endpoints change, if they do. */
  readonly joinsMs: number;
  /** Whether the backend is among the endpoints then. */
  isThere(backend: number, nowMs: number): boolean;
  /** When a sidecar gets to what happens then: later, while its loop stands still. */
  seenMs(nowMs: number): number;
  answer(backend: number, nowMs: number, unit: () => number, inFlight: number): Answer;
  weight(backend: number): number | undefined;
}

export interface Told {
  readonly sentMs: number;
  readonly backend: number;
  readonly latencyMs: number;
  readonly isFailure: boolean;
}

export const GIVE_UP_MS = 10_000;
/** What the clock of the data path starts at, somewhere. */
const EPOCH_MS = 1_000_000;
const UINT32 = 0x1_0000_0000;

interface Sidecar {
  readonly balancers: readonly Balancer[];
  endpoints: readonly Endpoint[];
}

/** Returns what came of each request, in the order in which they were sent. */
export function simulate(world: World, tuning: Tuning, seed: number): Told[] {
  const random = xorshift32(seed);
  const unit = (): number => random() / UINT32;
  const sidecars = Array.from({ length: world.sidecars }, () => sidecar(world, tuning, random));
  const queue = new EventQueue();
  const told: Told[] = [];
  const inFlight = new Array<number>(world.backends).fill(0);
  const total = Math.round(world.ratePerSecond * (world.warmUpSeconds + world.seconds));
  let there = -1;
  for (let i = 0; i < total; i++) {
    const dueMs = (i * 1_000) / world.ratePerSecond - world.warmUpSeconds * 1_000;
    const sinceMs = world.seenMs(dueMs);
    queue.runUntil(sinceMs);
    const now = backendsAt(world, sinceMs);
    if (now !== there) {
      there = now;
      for (const each of sidecars) each.endpoints = endpointsOf(world, there);
    }
    const { balancers, endpoints } = pickFrom(sidecars, random);
    const balancer = pickFrom(balancers, random);
    const nowMs = EPOCH_MS + Math.floor(sinceMs);
    const chosen = balancer.pick(endpoints, nowMs, []);
    if (chosen === null) throw new Error("nothing was picked");
    balancer.acquire(chosen, nowMs);
    const backend = chosen.row;
    inFlight[backend] = (inFlight[backend] ?? 0) + 1;
    const answer = world.answer(backend, sinceMs, unit, inFlight[backend] ?? 0);
    const latencyMs = Math.min(answer.latencyMs, GIVE_UP_MS);
    const isFailure = answer.isFailure || latencyMs === GIVE_UP_MS;
    const doneMs = world.seenMs(sinceMs + latencyMs);
    if (dueMs >= 0) {
      told.push({ sentMs: sinceMs, backend, latencyMs: doneMs - dueMs, isFailure });
    }
    queue.add(doneMs, (atMs) => {
      inFlight[backend] = (inFlight[backend] ?? 0) - 1;
      const endMs = EPOCH_MS + Math.floor(atMs);
      const rttUs = Math.round((doneMs - sinceMs) * 1_000);
      balancer.answered(chosen);
      if (isFailure) balancer.failed(chosen, rttUs, endMs);
      else balancer.observe(chosen, rttUs, endMs);
      balancer.release(chosen, true);
    });
  }
  return told;
}

function sidecar({ workers }: World, tuning: Tuning, random: () => number): Sidecar {
  const memory = allocate(workers);
  const balancers = Array.from(
    { length: workers },
    (_, worker) => new Balancer(new EndpointRows(memory), worker, random, tuning),
  );
  return { balancers, endpoints: [] };
}

/** One bit for each backend that is there. */
function backendsAt(world: World, nowMs: number): number {
  let bits = 0;
  for (let i = 0; i < world.backends; i++) if (world.isThere(i, nowMs)) bits |= 1 << i;
  return bits;
}

function endpointsOf(world: World, bits: number): Endpoint[] {
  return Array.from({ length: world.backends }, (_, i) => i)
    .filter((backend) => (bits & (1 << backend)) !== 0)
    .map((backend) => endpoint(world, backend));
}

function endpoint(world: World, backend: number): Endpoint {
  const weight = world.weight(backend);
  const ip = Uint8Array.of(127, 0, 0, 1);
  const fixed = {
    row: backend,
    series: 0,
    ip,
    port: 1 + backend,
    speaks: "any",
    peer: null,
  } as const;
  return weight === undefined ? fixed : { ...fixed, weight };
}

function pickFrom<T>(list: readonly T[], random: () => number): T {
  const chosen = list[random() % list.length];
  if (chosen === undefined) throw new Error("an empty list");
  return chosen;
}
