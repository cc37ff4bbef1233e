/**
 * How much of the machine a sidecar takes: workers by the CPUs unless it is told, and of the memory
 * that its cgroup allows a part for buffers.
 */
import { availableParallelism } from "node:os";
import { CHUNK_BYTES, CHUNKS_MAX } from "../net/arena.ts";
import { readKernelFile } from "../net/kernel-files.ts";
import { WORKERS_MAX } from "../shared/layout.ts";
import { cpuLimit, memoryLimit, type ReadText } from "./cgroup-limits.ts";

/** Four workers use a host well; more are for who asks for them. */
const WORKERS_DEFAULT_MAX = 4;
/**
 * The part of a memory limit that the buffers of all workers may grow to, and a quarter as much again
 * what their HTTP/2 streams keep. Of 128 MB the runtime takes 70 when idle, and what is in flight needs
 * objects and TLS sessions beside its buffers.
 */
const BUFFERS_PART = 1 / 8;
/** 4 MiB: with less, a few slow clients would be all that a worker can serve. */
const CHUNKS_MIN = 64;
/** With 500 connections two workers are killed at 32 MiB, and slow at 48. */
const MEMORY_MIN_BYTES = 64 << 20;

export type Share = {
  readonly workers: number;
  /** What each worker's buffers may take, in chunks of the arena. */
  readonly chunks: number;
  /** Why the kernel may end this program; null: there is no reason that it should. */
  readonly problem: string | null;
};

/** `workers`: as configured; null: by the CPUs. */
export function shareOf(workers: number | null, read: ReadText = readKernelFile): Share {
  const count = workers ?? defaultWorkers(read);
  const bytes = memoryLimit(read) ?? Number.POSITIVE_INFINITY;
  const fair = Math.floor((bytes * BUFFERS_PART) / count / CHUNK_BYTES);
  const chunks = Math.max(CHUNKS_MIN, Math.min(fair, CHUNKS_MAX));
  return { workers: count, chunks, problem: bytes < MEMORY_MIN_BYTES ? tooLittle(bytes) : null };
}

function tooLittle(bytes: number): string {
  const [has, takes] = [bytes, MEMORY_MIN_BYTES].map((each) => Math.floor(each / 2 ** 20));
  return `its cgroup has ${has} MiB, and traffic takes ${takes}: the kernel may end it`;
}

/** A limit is rounded up: the last part of a CPU would lie idle otherwise. */
function defaultWorkers(read: ReadText): number {
  const cpus = Math.min(allowedCpus(read), Math.ceil(cpuLimit(read) ?? Number.POSITIVE_INFINITY));
  return Math.max(1, Math.min(cpus, WORKERS_DEFAULT_MAX, WORKERS_MAX));
}

/**
 * By affinity or a cpuset, `Cpus_allowed_list` of proc(5): `0-3,8`. The runtimes count cgroups in,
 * rounded down.
 */
function allowedCpus(read: ReadText): number {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(read("/proc/self/status") ?? "")?.[1];
  if (list === undefined) return availableParallelism();
  return list.split(",").reduce((sum, range) => {
    const [first = "", last = first] = range.split("-");
    return sum + Number(last) - Number(first) + 1;
  }, 0);
}
