/**
 * What is kept on disk of the mesh, so that a sidecar that starts while the control plane is away
 * serves as it did before: services, names that are none, and policies of ports.
 */
import type { Authorization, PortPolicy } from "../mesh/policy.ts";
import type { Speaks } from "../mesh/snapshot.ts";
import type { EndpointAddress } from "./endpoint-table.ts";
import type { KnownService, Memory } from "./mesh-service.ts";

/** A folder of values, see lib/state-folder.ts. */
export type Store = {
  /** null: there is none. */
  read(name: string): unknown;
  write(name: string, value: unknown): void;
};

/** Names that are kept, those in use and others; the oldest make room. */
export const REMEMBERED_MAX = 2_048;
/** Another shape has another number, and what was written by another version is not read. */
const VERSION = 1;
const SERVICES = "services";

export class Remembered {
  readonly #store: Store | null;
  readonly #services = new Map<string, KnownService | "absent">();

  constructor(store: Store | null) {
    this.#store = store;
    for (const [name, value] of this.#readServices()) {
      const memory = value === "absent" ? value : serviceOf(value);
      if (typeof name === "string" && memory !== null) this.#services.set(name, memory);
    }
  }

  service(name: string): Memory {
    return this.#services.get(name) ?? null;
  }

  port(port: number): PortPolicy | null {
    const value = this.#store?.read(nameOf(port));
    if (!isRecord(value) || value["version"] !== VERSION) return null;
    const policy = policyOf(value["policy"]);
    return policy?.port === port ? policy : null;
  }

  keepService(name: string, memory: KnownService | "absent"): void {
    // What was learned last is the last to go.
    this.#services.delete(name);
    this.#services.set(name, memory);
    const [oldest] = this.#services.keys();
    if (this.#services.size > REMEMBERED_MAX && oldest !== undefined) this.#services.delete(oldest);
    this.#store?.write(SERVICES, { version: VERSION, entries: [...this.#services] });
  }

  keepPort(policy: PortPolicy): void {
    this.#store?.write(nameOf(policy.port), { version: VERSION, policy });
  }

  #readServices(): [unknown, unknown][] {
    const value = this.#store?.read(SERVICES);
    if (!isRecord(value) || value["version"] !== VERSION) return [];
    const { entries } = value;
    if (!Array.isArray(entries)) return [];
    return entries
      .slice(0, REMEMBERED_MAX)
      .filter(Array.isArray)
      .map(([name, of]) => [name, of]);
  }
}

/** Each in a file of its own: replicas on one machine share the folder, and have different ports. */
function nameOf(port: number): string {
  return `port-${port}`;
}

function serviceOf(value: unknown): KnownService | null {
  if (!isRecord(value)) return null;
  const { endpoints, routes } = value;
  if (!Array.isArray(endpoints) || !Array.isArray(routes)) return null;
  // The version tells the shape of routes; where bytes go, and by what proof, is looked at.
  return { endpoints: endpoints.flatMap((each) => endpointOf(each) ?? []), routes };
}

const SPEAKS: readonly unknown[] = ["any", "http1", "http2", "sidecar"] satisfies Speaks[];

function endpointOf(value: unknown): EndpointAddress | null {
  if (!isRecord(value)) return null;
  const { ip, port, speaks, peer, weight: told } = value;
  if (!isIp(ip) || !isPort(port) || !isSpeaks(speaks)) return null;
  const weight = typeof told === "number" && told > 0 ? { weight: told } : {};
  if (peer === null) return { ip, port, speaks, peer, ...weight };
  if (!isRecord(peer)) return null;
  const { identity, serverName, port: behind } = peer;
  if (typeof identity !== "string" || typeof serverName !== "string") return null;
  if (behind !== null && !isPort(behind)) return null;
  return { ip, port, speaks, peer: { identity, serverName, port: behind }, ...weight };
}

function policyOf(value: unknown): PortPolicy | null {
  if (!isRecord(value)) return null;
  const { port, isOpaque, authorizations } = value;
  if (!isPort(port) || typeof isOpaque !== "boolean" || !Array.isArray(authorizations)) return null;
  return { port, isOpaque, authorizations: authorizations.filter(isAuthorization) };
}

function isAuthorization(value: unknown): value is Authorization {
  if (!isRecord(value) || !Array.isArray(value["networks"])) return false;
  const { clients } = value;
  if (!isRecord(clients)) return false;
  const { kind, identities, suffixes } = clients;
  if (kind === "anyone" || kind === "meshed") return true;
  return kind === "named" && Array.isArray(identities) && Array.isArray(suffixes);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isIp(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && (value.length === 4 || value.length === 16);
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= 65_535;
}

function isSpeaks(value: unknown): value is Speaks {
  return SPEAKS.includes(value);
}
