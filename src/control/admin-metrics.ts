/** The control plane's figures as Prometheus' text. */
import { formatLabels, joinLabels, MetricsText } from "../metrics/text.ts";
import type { ControlAdminDeps } from "./admin.ts";
import { REFUSAL_KINDS } from "./authority/refusal.ts";
import { fingerprintOf, listAnchors } from "./authority/rotation.ts";
import type { MeshService } from "./mesh-service.ts";
import { LAG_BOUNDS_MS, WATCH_KINDS, type Watches } from "./methods/watches.ts";

const PREFIX = "outrigger_control_";

export function controlMetrics(deps: ControlAdminDeps): string {
  const text = new MetricsText();
  authorityFigures(text, deps);
  serverFigures(text, deps);
  meshFigures(text, deps.meshService);
  lagFigures(text, deps.meshService.mesh.watches);
  return text.finish();
}

function authorityFigures(text: MetricsText, { authority, certifier }: ControlAdminDeps): void {
  text.family(`${PREFIX}certificates_issued_total`, "counter", "Certificates issued.");
  text.sample(`${PREFIX}certificates_issued_total`, "", certifier.issued);
  const refused = `${PREFIX}certificates_refused_total`;
  text.family(refused, "counter", "Requests for a certificate that were refused.");
  for (const kind of REFUSAL_KINDS) {
    text.sample(refused, formatLabels([["reason", kind]]), certifier.refused[kind]);
  }
  const { issuer } = authority.state;
  const expires = `${PREFIX}expiration_timestamp_seconds`;
  text.family(expires, "gauge", "When a certificate of the authority expires, since 1970.");
  const labels = formatLabels([
    ["kind", "issuer"],
    ["sha256", fingerprintOf(issuer.der)],
  ]);
  text.sample(expires, labels, issuer.notAfterMs / 1e3);
  const anchors = `${PREFIX}trust_anchors`;
  text.family(anchors, "gauge", "Trust anchors by their part in the mesh.");
  for (const role of ["active", "next", "old"] as const) {
    const count = listAnchors(authority.state).filter((anchor) => anchor.role === role).length;
    text.sample(anchors, formatLabels([["role", role]]), count);
  }
}

function serverFigures(text: MetricsText, { counts }: ControlAdminDeps): void {
  const { connections, calls, ...totals } = counts();
  gauge(text, "connections", "Connections of sidecars.", connections);
  gauge(text, "calls", "Calls under way.", calls);
  for (const [name, count] of Object.entries(totals)) {
    counter(text, `${name}_total`, `Events: ${name.replaceAll("_", " ")}.`, count);
  }
}

function meshFigures(text: MetricsText, { mesh, policySource }: MeshService): void {
  const { directory, watches } = mesh;
  gauge(text, "services", "Services that are remembered.", directory.serviceCount);
  gauge(text, "endpoints", "Endpoints of all services.", directory.endpointCount);
  const leaving = "Endpoints whose stream has ended and that are kept for a grace.";
  gauge(text, "endpoints_leaving", leaving, directory.leavingCount);
  const announcements = `${PREFIX}announcements_total`;
  text.family(announcements, "counter", "What became of announcements and their endpoints.");
  for (const [event, count] of Object.entries(directory.counts)) {
    text.sample(announcements, formatLabels([["event", event]]), count);
  }
  text.family(`${PREFIX}watches`, "gauge", "Streams that are open.");
  for (const kind of WATCH_KINDS) {
    text.sample(`${PREFIX}watches`, formatLabels([["kind", kind]]), watches.open[kind]);
  }
  const { begun, left_behind, refused } = watches.counts;
  counter(text, "watches_begun_total", "Streams begun.", begun);
  counter(text, "watches_refused_total", "Streams refused, there being too many.", refused);
  const behind = "Streams ended because their client was too slow.";
  counter(text, "watches_left_behind_total", behind, left_behind);
  const { counts, fault, isLoaded, policy } = policySource;
  gauge(text, "policy_loaded", "Whether a policy file is in force.", Number(isLoaded));
  const isRefused = "Whether the policy file, as it is now, is refused.";
  gauge(text, "policy_refused", isRefused, Number(fault !== null));
  gauge(text, "policy_services", "Services that the policy names.", policy.services.size);
  const reads = `${PREFIX}policy_reads_total`;
  text.family(reads, "counter", "Readings of the policy file by their result.");
  text.sample(reads, formatLabels([["result", "loaded"]]), counts.loaded);
  text.sample(reads, formatLabels([["result", "refused"]]), counts.refused);
}

function lagFigures(text: MetricsText, { lags, lagSumMs }: Watches): void {
  const name = `${PREFIX}push_lag_seconds`;
  const help = "From a change of an endpoint to its being given to a watcher's connection.";
  text.family(name, "histogram", help);
  let sum = 0;
  for (const [index, count] of lags.entries()) {
    sum += count;
    const bound = LAG_BOUNDS_MS[index];
    const le = bound === undefined ? "+Inf" : String(bound / 1e3);
    text.sample(`${name}_bucket`, joinLabels(formatLabels([["le", le]])), sum);
  }
  text.sample(`${name}_sum`, "", lagSumMs / 1e3);
  text.sample(`${name}_count`, "", sum);
}

function gauge(text: MetricsText, name: string, help: string, value: number): void {
  text.family(`${PREFIX}${name}`, "gauge", help);
  text.sample(`${PREFIX}${name}`, "", value);
}

function counter(text: MetricsText, name: string, help: string, value: number): void {
  text.family(`${PREFIX}${name}`, "counter", help);
  text.sample(`${PREFIX}${name}`, "", value);
}
