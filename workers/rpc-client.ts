/** Entry of a gRPC client's thread, started by tinypool as one task that ends when it is told to. */
import { runRpcClient } from "../src/rpc/client.ts";
import type { RpcThreadStart } from "../src/rpc/thread.ts";

export default function rpcClient(data: RpcThreadStart): Promise<void> {
  return runRpcClient(data);
}
