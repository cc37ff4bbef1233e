/** Entry of the acceptor thread, started by tinypool as one task that ends when the process drains. */
import { type AcceptorStart, runAcceptor } from "../src/acceptor/main.ts";

export default function acceptor(data: AcceptorStart): Promise<void> {
  return runAcceptor(data);
}
