/** A gRPC client's thread: its channels and calls by the numbers that the main thread gave them. */
import { RequestHead } from "../codec/http1/request-head.ts";
import { ClientCall } from "./client-call.ts";
import { Channel } from "./client-channel.ts";
import type { FromClient, ToClient } from "./client-messages.ts";
import { CHANNELS_MAX } from "./limits.ts";
import { Status } from "./status.ts";
import { RpcThread, type RpcThreadStart } from "./thread.ts";

/** Runs a client until it is told to exit. */
export async function runRpcClient(start: RpcThreadStart): Promise<void> {
  await new RpcClient(start).run();
}

export class RpcClient {
  readonly thread: RpcThread<ToClient, FromClient>;
  readonly channels = new Map<number, Channel>();
  readonly calls = new Map<number, ClientCall>();
  /** A head is encoded before another is written: one serves all. */
  readonly head = new RequestHead();

  constructor(start: RpcThreadStart) {
    this.thread = new RpcThread(start);
  }

  async run(): Promise<void> {
    await this.thread.run((message) => this.#take(message));
    for (const channel of [...this.channels.values()]) channel.connection?.close();
  }

  #take(message: ToClient): void {
    switch (message.kind) {
      case "open":
        this.#open(message);
        break;
      case "call":
        this.#call(message);
        break;
      case "cancel":
        this.calls.get(message.call)?.fail(Status.cancelled, "the call was cancelled");
        break;
      case "read":
        this.calls.get(message.call)?.onRead(message.bytes);
        break;
      case "close":
        this.channels.get(message.channel)?.close();
        break;
      case "exit":
        this.thread.loop.stop();
    }
  }

  #open({ channel, address, tls, timeoutMs }: ToClient & { kind: "open" }): void {
    if (this.channels.size >= CHANNELS_MAX) {
      const reason = "too many channels are open";
      return this.thread.tell({ kind: "closed", channel, reason });
    }
    this.channels.set(channel, new Channel(this, channel, address, tls, timeoutMs));
  }

  #call(message: ToClient & { kind: "call" }): void {
    const channel = this.channels.get(message.channel);
    if (channel === undefined) {
      const text = "the channel is closed";
      const { call } = message;
      const status = Status.unavailable;
      return this.thread.tell({ kind: "ended", call, status, text, metadata: [] });
    }
    const call = new ClientCall(channel, message);
    this.calls.set(message.call, call);
    channel.begin(call);
  }
}
