/** The acceptor thread: listeners, commands, and nothing that waits. */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { assert } from "../lib/assert.ts";
import type { FromWorker, ListenerKind, ThreadStart } from "../mesh/snapshot.ts";
import { libc } from "../net/libc.ts";
import { ListenerHandler } from "./accept.ts";
import { Acceptor } from "./acceptor.ts";

export type AcceptorStart = {
  /** The listeners' descriptors belong to this thread from here on: it closes them. */
  readonly start: ThreadStart;
  /** Commands come here, each followed by a wake-up. */
  readonly port: MessagePort;
  readonly wakeFd: number;
};

/**
 * `stop-inbound`: closes the listeners for traffic to the application, and tells when none of it waits
 * for a verdict any more. `stop-accepting`: closes the listeners; what is being looked at gets its verdict soon, and then
 * this thread ends. `exit`: closes what is left and ends at once.
 */
export type AcceptorCommand = {
  readonly kind: "stop-inbound" | "stop-accepting" | "exit";
};

/** Runs until it is told to stop accepting and nothing waits for a verdict any more. */
export async function runAcceptor({ start, port, wakeFd }: AcceptorStart): Promise<void> {
  const acceptor = new Acceptor(start);
  const { loop } = acceptor;
  const handlers = start.listeners.map((spec, index) => new ListenerHandler(acceptor, index, spec));
  const commands = new Commands(acceptor, handlers, port);
  assert(loop.poller.add(wakeFd, commands, true) >= 0, "wake-up: epoll_ctl failed");
  loop.onFault = (error) => {
    acceptor.count("worker_faults");
    tell(port, error);
  };
  loop.onTurn = () => {
    acceptor.countViolations();
    commands.tellInbound();
    if (commands.isStopping && acceptor.pending.size === 0) loop.stop();
  };
  // What was sent before the wake-up descriptor was registered may have made no edge.
  commands.take();
  await loop.run();
  for (const handler of handlers) handler.stop();
  for (const pending of [...acceptor.pending]) pending.close();
  libc.close(loop.poller.fd);
  port.close();
}

class Commands {
  isStopping = false;
  #isInboundStopped = false;
  #isInboundTold = false;
  readonly #acceptor: Acceptor;
  readonly #handlers: readonly ListenerHandler[];
  readonly #port: MessagePort;

  constructor(acceptor: Acceptor, handlers: readonly ListenerHandler[], port: MessagePort) {
    this.#acceptor = acceptor;
    this.#handlers = handlers;
    this.#port = port;
  }

  onEvents(): void {
    this.take();
  }

  onFault(): void {}

  take(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: AcceptorCommand } | undefined;
      if (received === undefined) return;
      const { kind } = received.message;
      if (kind === "stop-inbound") this.#stop((each) => each === "inbound");
      else this.#stopAccepting();
      if (kind === "exit") this.#acceptor.loop.stop();
    }
  }

  #stopAccepting(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    this.#stop(() => true);
  }

  #stop(isMeant: (kind: ListenerKind) => boolean): void {
    for (const handler of this.#handlers) if (isMeant(handler.kind)) handler.stop();
    for (const pending of [...this.#acceptor.pending]) if (isMeant(pending.kind)) pending.hurry();
    this.#isInboundStopped = true;
  }

  /** Once, when all inbound connections are with a worker or closed. */
  tellInbound(): void {
    if (!this.#isInboundStopped || this.#isInboundTold) return;
    for (const { kind } of this.#acceptor.pending) if (kind === "inbound") return;
    this.#isInboundTold = true;
    const message: FromWorker = { kind: "inbound-drained" };
    this.#port.postMessage(message);
  }
}

function tell(port: MessagePort, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const message: FromWorker = { kind: "log", level: "error", text: `a connection failed: ${text}` };
  port.postMessage(message);
}
