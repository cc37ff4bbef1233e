/** Opening the listener of an admin API. */
import { formatHostPort, type HostPort } from "../mesh/address.ts";
import { type HttpServer, type HttpServerOptions, runtime } from "./runtime.ts";

/** Returns the server, or one line that says why there is none. */
export async function openHttp(
  at: HostPort,
  fetch: HttpServerOptions["fetch"],
): Promise<HttpServer | { readonly error: string }> {
  try {
    return await runtime.serveHttp({ host: at.host, port: at.port, fetch });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { error: `${formatHostPort(at.host, at.port)}: ${reason}` };
  }
}
