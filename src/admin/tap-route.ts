/** `GET /tap`: the requests that this sidecar carries from now on, see taps.ts and tap-query.ts. */
import { TAPPERS_MAX } from "../mesh/tap.ts";
import { isSameOrigin } from "./guard.ts";
import { readTapQuery } from "./tap-query.ts";
import type { Taps } from "./taps.ts";

/** `request` has come from this host. */
export function answerTap(taps: Pick<Taps, "open">, request: Request): Response {
  // A page elsewhere could not read it, but take a place of the few there are.
  if (!isSameOrigin(request)) return text("not from another site\n", 403);
  const filter = readTapQuery(new URLSearchParams(/\?([^#]*)/.exec(request.url)?.[1] ?? ""));
  if ("wrong" in filter) return text("a parameter is unknown, wrong or given twice\n", 400);
  const headers = { "Content-Type": "application/x-ndjson" };
  // What never ends has no length to be told.
  if (request.method === "HEAD") return new Response(null, { headers });
  const lines = taps.open(filter);
  if (lines === null) return text(`${TAPPERS_MAX} taps are open already\n`, 503);
  return new Response(lines, { headers });
}

function text(body: string, status: number): Response {
  return new Response(body, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });
}
