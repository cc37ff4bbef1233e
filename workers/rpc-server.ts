/** Entry of a gRPC server's thread, started by tinypool as one task that ends when it has drained. */
import { runRpcServer } from "../src/rpc/server.ts";
import type { RpcServerStart } from "../src/rpc/server-messages.ts";

export default function rpcServer(data: RpcServerStart): Promise<void> {
  return runRpcServer(data);
}
