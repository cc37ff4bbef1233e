/** A control plane that says what it is told to say, and a registry that asks it. */
import { create } from "@bufbuild/protobuf";
import { Mesh } from "../../src/discovery/mesh.ts";
import type { LinkState, MeshSource, Refusal, Watcher } from "../../src/discovery/mesh-source.ts";
import type { Store } from "../../src/discovery/remembered.ts";
import type { Upstream } from "../../src/discovery/target.ts";
import { parseIp } from "../../src/mesh/address.ts";
import { type Update, UpdateSchema } from "../../src/proto/destination_pb.ts";
import { type Server, ServerSchema } from "../../src/proto/inbound_pb.ts";
import { type OutboundPolicy, OutboundPolicySchema } from "../../src/proto/outbound_pb.ts";
import { type Answer, RegistryFixture } from "./registry-fixture.ts";

export const TRUST_DOMAIN = "cluster.local";
export const DEFAULTS = { namespace: "default", trustDomain: TRUST_DOMAIN };
export const INBOUND_PORT = 4143;

/** `web` as `web.default.svc.cluster.local`. */
export const whole = (name: string): string => `${name}.default.svc.${TRUST_DOMAIN}`;
export const identityOf = (name: string): string =>
  `${name}.default.serviceaccount.identity.outrigger.${TRUST_DOMAIN}`;

class Call<T> {
  readonly #watcher: Watcher<T>;
  #isBegun = false;

  constructor(watcher: Watcher<T>) {
    this.#watcher = watcher;
  }

  say(message: T): void {
    this.#watcher.onMessage(message, !this.#isBegun);
    this.#isBegun = true;
  }

  /** The connection was lost: what is said next is of another call. */
  breakOff(): void {
    this.#isBegun = false;
  }

  /** Returns whether it is asked again. */
  refuse(refusal: Refusal): boolean {
    this.#isBegun = false;
    return this.#watcher.onRefused(refusal, `a ${refusal} call`);
  }
}

export class FakeMesh implements MeshSource {
  state: LinkState = "connected";
  readonly endpoints = new Map<string, Call<Update>>();
  readonly routes = new Map<string, Call<OutboundPolicy>>();
  readonly ports = new Map<number, Call<Server>>();

  watchEndpoints(service: string, watcher: Watcher<Update>): () => void {
    return keep(this.endpoints, service, watcher);
  }
  watchRoutes(service: string, watcher: Watcher<OutboundPolicy>): () => void {
    return keep(this.routes, service, watcher);
  }
  watchPort(port: number, watcher: Watcher<Server>): () => void {
    return keep(this.ports, port, watcher);
  }

  /** Names of services whose endpoints are watched, short. */
  get watched(): string[] {
    return [...this.endpoints.keys()].map((name) => name.split(".")[0] ?? "");
  }

  call(name: string): Call<Update> {
    const call = this.endpoints.get(whole(name));
    if (call === undefined) throw new Error(`nobody asks for ${name}`);
    return call;
  }

  add(name: string, ...addresses: readonly string[]): void {
    this.call(name).say(addition(name, addresses));
  }

  remove(name: string, ...addresses: readonly string[]): void {
    const addrs = addresses.map((address) => addrOf(address));
    this.call(name).say(create(UpdateSchema, { update: { case: "remove", value: { addrs } } }));
  }

  none(name: string, exists: boolean): void {
    const update = { case: "noEndpoints" as const, value: { exists } };
    this.call(name).say(create(UpdateSchema, { update }));
  }

  /** All requests of a service go to these backends, by weight; to its own without any. */
  route(name: string, backends: Readonly<Record<string, number>> = {}): void {
    this.routes.get(whole(name))?.say(policy(name, backends));
  }

  breakOff(state: LinkState): void {
    this.state = state;
    for (const call of [...this.endpoints.values(), ...this.routes.values()]) call.breakOff();
  }
}

function keep<K, T>(calls: Map<K, Call<T>>, key: K, watcher: Watcher<T>): () => void {
  const call = new Call(watcher);
  calls.set(key, call);
  return () => {
    if (calls.get(key) === call) calls.delete(key);
  };
}

export function addrOf(address: string) {
  const [host = "", port = ""] = address.split(":");
  const ip = parseIp(host) ?? new Uint8Array(4);
  const ipv4 = new DataView(ip.buffer, ip.byteOffset).getUint32(0);
  return { ip: { ip: { case: "ipv4" as const, value: ipv4 } }, port: Number(port) };
}

export function addition(name: string, addresses: readonly string[]): Update {
  const identity = { name: identityOf(name) };
  const addrs = addresses.map((address) => ({
    addr: addrOf(address),
    tlsIdentity: {
      strategy: { case: "dnsLikeIdentity" as const, value: identity },
      serverName: identity,
    },
    protocolHint: {
      protocol: { case: "h2" as const, value: {} },
      opaqueTransport: { inboundPort: INBOUND_PORT },
    },
  }));
  return create(UpdateSchema, { update: { case: "add", value: { addrs } } });
}

export function policy(name: string, backends: Readonly<Record<string, number>>): OutboundPolicy {
  const backend = (service: string) => {
    const dst = { case: "dst" as const, value: { path: `${whole(service)}:80` } };
    return {
      backend: { kind: { case: "balancer" as const, value: { discovery: { kind: dst } } } },
    };
  };
  const weighted = Object.entries(backends).map(([service, weight]) => {
    return { backend: backend(service), weight };
  });
  const kind =
    weighted.length > 0
      ? { case: "randomAvailable" as const, value: { backends: weighted } }
      : { case: "firstAvailable" as const, value: { backends: [backend(name)] } };
  const routes = [{ rules: [{ backends: { kind } }] }];
  return create(OutboundPolicySchema, {
    protocol: { kind: { case: "detect", value: { http1: { routes }, http2: { routes } } } },
  });
}

export function server(): Server {
  const any = { case: "ipv4" as const, value: 0 };
  const authentication = { permit: { case: "unauthenticated" as const, value: {} } };
  return create(ServerSchema, {
    protocol: { kind: { case: "detect", value: {} } },
    authorizations: [{ networks: [{ net: { ip: { ip: any }, prefixLen: 0 } }], authentication }],
  });
}

/** A folder in memory. */
export class FakeStore implements Store {
  readonly values = new Map<string, unknown>();

  read(name: string): unknown {
    return this.values.get(name) ?? null;
  }
  write(name: string, value: unknown): void {
    this.values.set(name, structuredClone(value));
  }
}

export type MeshFixtureOptions = {
  readonly upstreams?: readonly Upstream[];
  readonly dns?: Record<string, Answer>;
  readonly store?: Store;
  readonly appPort?: number;
  readonly state?: LinkState;
};

export class MeshFixture extends RegistryFixture {
  readonly mesh: FakeMesh;
  /** Ports of the application that somebody listens on; null: that cannot be told. */
  listening: ReadonlySet<number> | null = null;

  constructor(options: MeshFixtureOptions = {}) {
    const { upstreams = [], dns = {}, store = null, appPort = null, state = "connected" } = options;
    const source = new FakeMesh();
    source.state = state;
    super(
      upstreams,
      { ...dns },
      (deps) =>
        new Mesh({
          source,
          defaults: DEFAULTS,
          store,
          appPort,
          listening: () => this.listening,
          ...deps,
        }),
    );
    this.mesh = source;
  }

  async link(state: LinkState): Promise<void> {
    if (state === "connected") this.mesh.state = state;
    else this.mesh.breakOff(state);
    this.registry.onLinkChange();
    await this.settle();
  }

  /** Asks for a name, and is answered with these endpoints and no routes. */
  async find(name: string, ...addresses: readonly string[]): Promise<void> {
    await this.want(name);
    this.mesh.add(name, ...addresses);
    this.mesh.route(name);
    await this.settle();
  }

  /** As `view`, with the names of this mesh short, and where requests really go. */
  get shown(): string[] {
    return this.view.map((line) => line.replaceAll(`.default.svc.${TRUST_DOMAIN}`, ""));
  }

  get aliases(): string[] {
    return this.registry.snapshot().aliases.map(({ name, service }) => {
      return `${name} ${service.split(".")[0]}`;
    });
  }
}
