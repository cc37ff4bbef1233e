/** One line per request, in the common log format with what a proxy adds: address, identity, … */
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { ClientOrigin } from "./client.ts";
import type { Outcome } from "./outcome.ts";

export type Requested = {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
};

export function accessLine(request: Requested, outcome: Outcome, origin: ClientOrigin): string {
  const { endpoint, status, latencyUs } = outcome;
  const to = endpoint === null ? "-" : formatHostPort(formatIp(endpoint.ip), endpoint.port);
  const line = `${request.method} ${request.target}`;
  const who = origin.client?.name ?? "-";
  return `${origin.peer} ${who} ${origin.kind} "${quote(line)}" ${quote(request.authority)} ${status} ${latencyUs}us ${to}`;
}

/** Heads hold no control bytes, so a quote and a backslash are all that could end the field. */
function quote(text: string): string {
  return text.replace(/["\\]/g, "\\$&");
}
