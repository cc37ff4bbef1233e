/** A directory on clocks that are set by hand, and what its watchers and announcers see of it. */
import { Directory } from "../../src/control/directory/directory.ts";
import type { Endpoint } from "../../src/control/directory/endpoint.ts";
import type { Announced } from "../../src/control/directory/entry.ts";
import { Leaving, Topics } from "../../src/control/feed.ts";
import type { Mesh } from "../../src/control/methods/mesh.ts";
import { Watches } from "../../src/control/methods/watches.ts";
import { identityIn } from "../../src/control/policy/names.ts";
import { parsePolicy } from "../../src/control/policy/parse-policy.ts";
import { MeshPolicy } from "../../src/control/policy/policy.ts";
import { identityFor } from "../../src/mesh/identity.ts";
import { type ServiceName, serviceName } from "../../src/mesh/service-name.ts";
import type { CallInfo } from "../../src/rpc/server-handle.ts";
import { RpcError } from "../../src/rpc/status.ts";

export const TRUST_DOMAIN = "cluster.local";
export const DEFAULTS = { namespace: "default", trustDomain: TRUST_DOMAIN };

export function named(name: string, namespace = "default"): ServiceName {
  const found = serviceName(name, namespace, TRUST_DOMAIN);
  if (found === null) throw new Error(`${name}.${namespace}`);
  return found;
}

export function identityNamed(name: string, namespace = "default"): string {
  return identityFor(name, namespace, TRUST_DOMAIN)?.dns ?? "";
}

export function policyOf(text: string): MeshPolicy {
  const policy = parsePolicy(text, DEFAULTS);
  if (policy instanceof MeshPolicy) return policy;
  throw new Error(`${policy.line}: ${policy.reason}`);
}

/** An endpoint of `web` at 10.0.0.N:8080. */
export function endpoint(n: number, more: Partial<Endpoint> = {}): Endpoint {
  const ip = Uint8Array.of(10, 0, n >> 8, n & 0xff);
  const ports = { inboundPort: 4143, applicationPort: 8080 };
  const identity = identityNamed("web");
  return { ip, ...ports, protocol: "detect", weight: 10_000, identity, ...more };
}

export class DirectoryRig {
  nowMs = 1_000;
  wallMs = 1_700_000_000_000;
  policy = new MeshPolicy([], identityIn(TRUST_DOMAIN));
  readonly watches = new Watches();
  readonly leaving = new Leaving();
  readonly #pending: (() => void)[] = [];
  readonly topics = new Topics((run) => void this.#pending.push(run));
  readonly directory = new Directory(
    { topics: this.topics, nowMs: () => this.nowMs, wallMs: () => this.wallMs },
    this.policy,
  );
  readonly mesh: Mesh = {
    directory: this.directory,
    topics: this.topics,
    watches: this.watches,
    policy: () => this.policy,
    trustDomain: TRUST_DOMAIN,
    nowMs: () => this.nowMs,
    leaving: this.leaving,
  };

  /** Has watchers told of what happened. */
  tell(): void {
    for (const run of this.#pending.splice(0)) run();
  }

  apply(text: string): void {
    this.policy = policyOf(text);
    this.directory.applyPolicy(this.policy);
    this.topics.allChanged();
    this.tell();
  }

  /** Announces; throws when it is refused. The lease's end is put into `ends`. */
  announce(
    given: Endpoint,
    { service = named("web"), instance = "one" }: Partial<Announced> = {},
    ends: RpcError[] = [],
  ): { release(): void } {
    const holder = { onLeaseEnd: (error: RpcError) => void ends.push(error) };
    const entry = this.directory.announce({ service, endpoint: given, instance }, holder);
    if (entry instanceof RpcError) throw entry;
    return { release: () => this.directory.release(entry, holder) };
  }

  /** Passes time, as the clock's owner does. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.wallMs += ms;
    this.directory.expire();
    this.directory.forget();
  }

  /** The addresses of a service. */
  list(service = named("web")): readonly string[] {
    const { log } = this.directory.get(service.canonical) ?? {};
    return (log?.endpoints ?? []).map(({ endpoint: each }) => each.ip.join("."));
  }
}

/** A call as a server's connection has it. */
export function callBy(
  name: string | null,
  { address = "10.9.9.9:1000", signal = new AbortController().signal, isTls = true } = {},
): CallInfo {
  const identity = name === null ? null : { dns: identityNamed(name), uri: null };
  const peer = { address, isTls, identity };
  return { method: "", peer, metadata: [], timeoutMs: null, signal };
}
