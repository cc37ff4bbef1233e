/** A thread of ours: one file of workers/, run as one endless task by a pool of its own. */
import { fileURLToPath } from "node:url";
import { Tinypool } from "tinypool";
import { libc } from "./libc.ts";

/** Where the files of workers/ are: beside this one in a bundle, which is flat and JavaScript. */
const isSource = import.meta.url.endsWith("/src/net/thread.ts");
const pathOf = (name: string): string => (isSource ? `../../workers/${name}.ts` : `./${name}.js`);

/**
 * Halves of 8 MiB for V8's young space, which it would let grow to 16 each: in ten million requests that
 * was a step of 22 MiB. CPU per request is the same (bench/README.md, Memory). Bun does not look at it, and what a user says
 * in DENO_V8_FLAGS goes before it.
 */
const YOUNG_MIB_MAX = 16;

/** `entry` is the name of a file of workers/. */
export function poolFor(entry: string): Tinypool {
  return new Tinypool({
    filename: fileURLToPath(new URL(pathOf(entry), import.meta.url)),
    runtime: "worker_threads",
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 1,
    // With it Deno parks the thread before it takes the task.
    useAtomics: false,
    idleTimeout: 0,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB_MAX },
  } as ConstructorParameters<typeof Tinypool>[0]);
}

/** Asks the kernel by signal 0, which reaches nobody. */
export function isThreadAlive(threadId: number): boolean {
  return libc.tgkill(process.pid, threadId, 0) === 0;
}
