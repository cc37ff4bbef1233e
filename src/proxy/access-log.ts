/** One line per request, in the common log format with what a proxy adds: address, identity, … */
import type { RequestHead } from "../codec/http1/request-head.ts";
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { ClientOrigin } from "./client.ts";
import type { Outcome } from "./outcome.ts";

export type Requested = {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
};

/** What is told of the request whose text is in `bytes` at `base`; of each text `charsMax` at most. */
export function describeRequest(
  bytes: Uint8Array,
  base: number,
  head: RequestHead,
  charsMax: number,
): Requested {
  const cut = (start: number, end: number): string =>
    latin1(bytes, base + start, base + Math.min(end, start + charsMax));
  return {
    method: cut(head.methodStart, head.methodEnd),
    target: cut(head.targetStart, head.targetEnd),
    authority: cut(head.authorityStart, head.authorityEnd),
  };
}

/** One character for each byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let result = "";
  for (let at = start; at < end; at++) result += String.fromCharCode(bytes[at] ?? 0);
  return result;
}

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
