/** The control plane's admin API: is it alive, is it ready, what has it done. Nothing secret. */
import { Hono } from "hono";
import { formatLabels, METRICS_CONTENT_TYPE, MetricsText } from "../metrics/text.ts";
import type { ServerCounts } from "../rpc/server-messages.ts";
import type { Authority } from "./authority/authority.ts";
import type { Certifier } from "./authority/certify.ts";
import { REFUSAL_KINDS } from "./authority/refusal.ts";
import { fingerprintOf, listAnchors } from "./authority/rotation.ts";

export type ControlAdminDeps = {
  readonly authority: Authority;
  readonly certifier: Certifier;
  readonly counts: () => ServerCounts;
  readonly wallMs: () => number;
};

export type ControlAdmin = {
  readonly fetch: (request: Request, peer: string) => Response | Promise<Response>;
  /** It says that it is not ready from now on. */
  drain(): void;
};

export function controlAdmin(deps: ControlAdminDeps): ControlAdmin {
  const app = new Hono();
  let isDraining = false;
  const plain = (text: string, status: number): Response =>
    new Response(text, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });
  app.get("/live", () => plain("live\n", 200));
  app.get("/ready", () => {
    const reason = isDraining ? "draining" : deps.authority.fault;
    return reason === null ? plain("ready\n", 200) : plain(`not ready: ${reason}\n`, 503);
  });
  app.get("/metrics", () => {
    const headers = { "Content-Type": METRICS_CONTENT_TYPE };
    return new Response(metrics(deps), { headers });
  });
  app.notFound(() => new Response(null, { status: 404 }));
  return {
    fetch: (request) => app.fetch(request),
    drain: () => {
      isDraining = true;
    },
  };
}

function metrics({ authority, certifier, counts }: ControlAdminDeps): string {
  const text = new MetricsText();
  text.family("outrigger_control_certificates_issued_total", "counter", "Certificates issued.");
  text.sample("outrigger_control_certificates_issued_total", "", certifier.issued);
  const refused = "outrigger_control_certificates_refused_total";
  text.family(refused, "counter", "Requests for a certificate that were refused.");
  for (const kind of REFUSAL_KINDS) {
    text.sample(refused, formatLabels([["reason", kind]]), certifier.refused[kind]);
  }
  const { issuer } = authority.state;
  const expires = "outrigger_control_expiration_timestamp_seconds";
  text.family(expires, "gauge", "When a certificate of the authority expires, since 1970.");
  text.sample(
    expires,
    formatLabels([
      ["kind", "issuer"],
      ["sha256", fingerprintOf(issuer.der)],
    ]),
    issuer.notAfterMs / 1e3,
  );
  const { connections, calls, ...totals } = counts();
  text.family("outrigger_control_connections", "gauge", "Connections of sidecars.");
  text.sample("outrigger_control_connections", "", connections);
  text.family("outrigger_control_calls", "gauge", "Calls under way.");
  text.sample("outrigger_control_calls", "", calls);
  for (const [name, count] of Object.entries(totals)) {
    const family = `outrigger_control_${name}_total`;
    text.family(family, "counter", `Events: ${name.replaceAll("_", " ")}.`);
    text.sample(family, "", count);
  }
  const anchors = "outrigger_control_trust_anchors";
  text.family(anchors, "gauge", "Trust anchors by their part in the mesh.");
  for (const role of ["active", "next", "old"] as const) {
    const count = listAnchors(authority.state).filter((anchor) => anchor.role === role).length;
    text.sample(anchors, formatLabels([["role", role]]), count);
  }
  return text.finish();
}
