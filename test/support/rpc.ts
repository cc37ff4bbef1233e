/** A gRPC server of ours with a handler for each thing that can happen, and a client of ours. */
import type { Credentials } from "../../src/mesh/credentials.ts";
import { Arena } from "../../src/net/arena.ts";
import { listen } from "../../src/net/listener.ts";
import { RpcClientHandle } from "../../src/rpc/client-handle.ts";
import { type CallInfo, type RpcMethod, RpcServerHandle } from "../../src/rpc/server-handle.ts";
import type { ServerLimits } from "../../src/rpc/server-messages.ts";
import { RpcError, type Status, Status as Statuses } from "../../src/rpc/status.ts";

export const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const BACKLOG = 4_096;
const GRACE_MS = 2_000;

/** System calls with small arguments only. */
export const arena = new Arena(1);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const bytesOf = (text: string): Uint8Array => encoder.encode(text);
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);

/** The path of a method of the service of these tests. */
export const pathOf = (name: string): string => `/outrigger.test.Peer/${name}`;

export type RpcRig = {
  readonly server: RpcServerHandle;
  readonly port: number;
  /** Calls that handlers were given. */
  readonly calls: (CallInfo & { readonly request: Uint8Array })[];
  /** What the server's side told of bugs. */
  readonly faults: string[];
  /** Messages that streaming handlers were asked for. */
  yielded(): number;
  stop(): Promise<void>;
};

export type RigOptions = {
  readonly credentials?: Credentials | null;
  readonly limits?: Partial<ServerLimits>;
  readonly ip?: Uint8Array;
};

/** Starts a server with the methods below. */
export async function startRpcServer(options: RigOptions = {}): Promise<RpcRig> {
  const opened = listen(arena, { ip: options.ip ?? LOOPBACK, port: 0 }, BACKLOG);
  if ("error" in opened) throw new Error(opened.error);
  const calls: RpcRig["calls"] = [];
  const faults: string[] = [];
  let yielded = 0;
  const server = await RpcServerHandle.start({
    arena,
    listenFds: [opened.fd],
    methods: methodsFor(calls, () => yielded++),
    credentials: options.credentials ?? null,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    onFault: (text) => faults.push(text),
  });
  return {
    server,
    port: opened.port,
    calls,
    faults,
    yielded: () => yielded,
    stop: () => server.stop(GRACE_MS),
  };
}

function methodsFor(calls: RpcRig["calls"], onYield: () => void): RpcMethod[] {
  const unary = (
    name: string,
    answer: (request: Uint8Array, call: CallInfo) => Promise<Uint8Array>,
  ): RpcMethod => ({
    kind: "unary",
    path: pathOf(name),
    handler: (request, call) => {
      calls.push({ ...call, signal: call.signal, request });
      return answer(request, call);
    },
  });
  const streaming = (
    name: string,
    answer: (request: Uint8Array, call: CallInfo) => AsyncIterable<Uint8Array>,
  ): RpcMethod => ({
    kind: "server-streaming",
    path: pathOf(name),
    handler: (request, call) => {
      calls.push({ ...call, signal: call.signal, request });
      return answer(request, call);
    },
  });
  return [
    unary("Echo", async (request) => request),
    // The request is a status code; fails with it.
    unary("Fail", async (request) => {
      throw failure(Number(textOf(request)));
    }),
    unary("Throw", async () => {
      throw new Error("a secret of the server");
    }),
    unary("Hang", () => new Promise(() => {})),
    // "COUNT BYTES": as many messages of that size.
    streaming("Produce", async function* (request) {
      const [count = 0, size = 0] = textOf(request).split(" ").map(Number);
      for (let i = 0; i < count; i++) {
        onYield();
        yield new Uint8Array(size).fill(0x61);
      }
    }),
    streaming("FailLate", async function* (request) {
      yield bytesOf("one");
      yield bytesOf("two");
      throw failure(Number(textOf(request)));
    }),
    streaming("HangLate", async function* () {
      yield bytesOf("one");
      await new Promise(() => {});
    }),
    streaming("HangStream", async function* () {
      await new Promise(() => {});
      yield bytesOf("never");
    }),
  ];
}

function failure(code: number): RpcError {
  const metadata = [
    ["x-why", "asked for"],
    ["x-why-bin", "AAH+/w=="],
  ] as const;
  return new RpcError(code as Status, `details with 100% \u00fcnicode: ${code}`, metadata);
}

/** Starts a client; the faults of its thread fail whoever looks. */
export async function startRpcClient(): Promise<{
  readonly client: RpcClientHandle;
  readonly faults: string[];
}> {
  const faults: string[] = [];
  const client = await RpcClientHandle.start({ arena, onFault: (text) => faults.push(text) });
  return { client, faults };
}

/** The error that `work` fails with; throws when it does not, or with another one. */
export async function errorOf(work: Promise<unknown>): Promise<RpcError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

/** All messages of a stream. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

export { Statuses as Status };
