/** What serves a client once it is known that it speaks HTTP. */
import type { ClientOrigin } from "./client.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { Context } from "./context.ts";
import { Downstream } from "./downstream.ts";
import { Http2Downstream } from "./http2-downstream.ts";

export function http1Client(context: Context, fd: number, origin: ClientOrigin): ClientConnection {
  return new Downstream(context, fd, origin);
}

export function http2Client(context: Context, fd: number, origin: ClientOrigin): ClientConnection {
  return new Http2Downstream(context, fd, origin);
}
