/** The control plane's admin API: is it alive, is it ready, what has it done. Nothing secret. */
import { Hono } from "hono";
import type { Logger } from "../lib/log.ts";
import { METRICS_CONTENT_TYPE } from "../metrics/text.ts";
import type { ServerCounts } from "../rpc/server-messages.ts";
import { controlMetrics } from "./admin-metrics.ts";
import type { Authority } from "./authority/authority.ts";
import type { Certifier } from "./authority/certify.ts";
import type { MeshService } from "./mesh-service.ts";
import { servicesText, servicesView } from "./services-view.ts";

export type ControlAdminDeps = {
  readonly authority: Authority;
  readonly certifier: Certifier;
  readonly counts: () => ServerCounts;
  readonly meshService: MeshService;
  readonly log: Pick<Logger, "error">;
};

export type ControlAdmin = {
  readonly fetch: (request: Request, peer: string) => Response | Promise<Response>;
  /** Why it is not ready; null when it is. */
  fault(): string | null;
  /** It says that it is not ready from now on. */
  drain(): void;
};

export function controlAdmin(deps: ControlAdminDeps): ControlAdmin {
  const app = new Hono();
  let isDraining = false;
  const plain = (text: string, status: number): Response =>
    new Response(text, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });
  app.get("/live", () => plain("live\n", 200));
  const fault = (): string | null => (isDraining ? "draining" : deps.authority.fault);
  app.get("/ready", (context) => {
    const reason = fault();
    const line = reason === null ? "ready" : `not ready: ${reason}`;
    const isVerbose = context.req.query("verbose") !== undefined;
    const lines = [line, ...(isVerbose ? meshLines(deps.meshService) : [])];
    return plain(lines.map((each) => `${each}\n`).join(""), reason === null ? 200 : 503);
  });
  app.get("/services", (context) => {
    const services = servicesView(deps.meshService.mesh.directory);
    const { format } = context.req.query();
    if (format === "text") return plain(servicesText(services), 200);
    return context.body(`${JSON.stringify({ services })}\n`, 200, {
      "Content-Type": "application/json",
    });
  });
  app.get("/metrics", () => {
    const headers = { "Content-Type": METRICS_CONTENT_TYPE };
    return new Response(controlMetrics(deps), { headers });
  });
  app.onError((error) => {
    deps.log.error("the admin API failed", { error });
    return plain("internal error\n", 500);
  });
  app.notFound(() => new Response(null, { status: 404 }));
  return {
    fetch: (request) => app.fetch(request),
    fault,
    drain: () => {
      isDraining = true;
    },
  };
}

/** How the mesh fares. A refused policy is no reason not to be ready: the one before it is in force. */
function meshLines({ mesh, policySource }: MeshService): readonly string[] {
  const { directory } = mesh;
  const { fault, isLoaded, path, policy } = policySource;
  const inForce = isLoaded ? `${path}, ${policy.services.size} services` : "none, the default";
  return [
    `services: ${directory.serviceCount}`,
    `endpoints: ${directory.endpointCount}, of these leaving: ${directory.leavingCount}`,
    `policy: ${inForce}`,
    ...(fault === null ? [] : [`policy refused: ${fault}`]),
  ];
}
