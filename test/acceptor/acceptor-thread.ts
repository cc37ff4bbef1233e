/** The acceptor in a thread of a test's own: says "ended", or why it ended. */
import { parentPort, workerData } from "node:worker_threads";
import { type AcceptorStart, runAcceptor } from "../../src/acceptor/main.ts";

try {
  await runAcceptor(workerData as AcceptorStart);
  parentPort?.postMessage("ended");
} catch (error) {
  parentPort?.postMessage(error instanceof Error ? String(error.stack) : String(error));
}
