/** The acceptor thread: listeners, commands, and nothing that waits. */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { ThreadStart } from "../mesh/snapshot.ts";
import { libc } from "../net/libc.ts";
import { drainWake } from "../net/wake.ts";
import { ListenerHandler } from "./accept.ts";
import { Acceptor } from "./acceptor.ts";

export type AcceptorStart = {
  readonly start: ThreadStart;
  /** Commands come here, each followed by a wake-up. */
  readonly port: MessagePort;
  readonly wakeFd: number;
};

/** The process ends: nothing is accepted any more. */
export type AcceptorCommand = { readonly kind: "stop-accepting" };

/** Runs until it is told to stop accepting and nothing waits for a verdict any more. */
export async function runAcceptor({ start, port, wakeFd }: AcceptorStart): Promise<void> {
  const acceptor = new Acceptor(start);
  const { loop } = acceptor;
  const handlers = start.listeners.map((spec, index) => new ListenerHandler(acceptor, index, spec));
  const onCommand = (): void => {
    drainWake(acceptor.arena, wakeFd);
    if (receiveMessageOnPort(port) !== undefined) stopAccepting(acceptor, handlers);
  };
  loop.poller.add(wakeFd, { onEvents: onCommand, onFault: () => {} }, true);
  loop.onFault = () => acceptor.count("worker_faults");
  loop.onTurn = () => {
    if (acceptor.isStopping && acceptor.pending.size === 0) loop.stop();
  };
  // Whoever connected before the listeners were registered has made no edge.
  for (const handler of handlers) loop.defer(handler);
  await loop.run();
}

function stopAccepting(acceptor: Acceptor, handlers: readonly ListenerHandler[]): void {
  if (acceptor.isStopping) return;
  acceptor.isStopping = true;
  handlers.forEach((handler, index) => {
    handler.stop();
    acceptor.loop.poller.forget(handler.place);
    libc.close(acceptor.start.listeners[index]?.fd ?? -1);
  });
  for (const pending of [...acceptor.pending]) pending.finish();
}
