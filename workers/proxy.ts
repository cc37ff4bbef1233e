/**
 * Entry of a worker thread, started by tinypool as one task that ends when the process drains.
 * `useAtomics` must be false: with it Deno parks the thread before it takes the task.
 */
import { runWorker } from "../src/worker/main.ts";
import type { WorkerStart } from "../src/worker/start.ts";

export default function proxy(data: WorkerStart): Promise<void> {
  return runWorker(data);
}
