/** Who the sidecar is and whom it lets in, as configured: the flags of identity-keys.ts together. */
import type { Upstream } from "../discovery/target.ts";
import { readJoinArgument } from "../identity/join-argument.ts";
import type { HostPort } from "../mesh/address.ts";
import type { Identity } from "../mesh/credentials.ts";
import {
  expandName,
  type IdentityDefaults,
  identityFor,
  parseDnsName,
  parseIdentityPattern,
  serverNameOf,
  TRUST_DOMAIN_DEFAULT,
} from "../mesh/identity.ts";
import type { EndpointPeer, InboundPolicy } from "../mesh/snapshot.ts";
import type { RunConfig, Values } from "./config.ts";
import { RUN } from "./run-keys.ts";
import { quote, type UpstreamConfig, type Who } from "./values.ts";

export type IdentityConfig = {
  /** What short names are completed with. */
  readonly defaults: IdentityDefaults;
  /** Both names of `--name`; null without one, and for one that is more than a label. */
  readonly own: Identity | null;
  /** Certificates from files. */
  readonly dir: string | null;
  /** Certificates from a control plane; null: the token says where it is. */
  readonly control: HostPort | null;
  /** The token itself, or `@FILE`. */
  readonly token: string | null;
};

export function identityOf(values: Values, name: string | null): IdentityConfig {
  const token = values.optional(RUN.token);
  const joined = token === null ? null : readJoinArgument(token);
  const tokenDomain = joined === null || "refused" in joined ? null : joined.trustDomain;
  const defaults = {
    namespace: values.one(RUN.namespace),
    trustDomain: values.optional(RUN.trustDomain) ?? tokenDomain ?? TRUST_DOMAIN_DEFAULT,
  };
  return Object.freeze({
    defaults,
    own: name === null ? null : identityFor(name, defaults.namespace, defaults.trustDomain),
    dir: values.optional(RUN.identityDir),
    control: values.optional(RUN.control),
    token,
  });
}

export function policyOf(values: Values, defaults: IdentityDefaults): InboundPolicy {
  const texts = values.many(RUN.allowFrom).flat();
  const allowFrom = texts
    .map((text) => parseIdentityPattern(text, defaults))
    .filter((pattern) => pattern !== null);
  return Object.freeze({
    requiresIdentity: values.one(RUN.requireIdentity) || texts.length > 0,
    allowFrom: texts.length === 0 ? null : allowFrom,
  });
}

/** An upstream with whole names. */
export function resolved(
  { name, endpoints }: UpstreamConfig,
  defaults: IdentityDefaults,
): Upstream {
  const whole = endpoints.map(({ host, port, speaks, who }) =>
    Object.freeze({ host, port, speaks, peer: who === null ? null : peerOf(who, defaults) }),
  );
  return Object.freeze({ name, endpoints: Object.freeze(whole) });
}

/** A name that TLS cannot ask for gets an empty server name, which `identityProblem` refuses. */
function peerOf({ name, port }: Who, defaults: IdentityDefaults): EndpointPeer {
  const identity = expandName(name, defaults) ?? "";
  const dns = parseDnsName(identity);
  const serverName = serverNameOf(dns === null ? { dns, uri: identity } : { dns, uri: null });
  return { identity, serverName: serverName ?? "", port };
}

/** What does not go together. */
export function identityProblem({ identity, name, policy, upstreams }: RunConfig): string | null {
  const { control, dir, own, token } = identity;
  const isSecured = dir !== null || token !== null;
  if (dir !== null && (control !== null || token !== null)) {
    return "--identity-dir: expected without --control and --token, which get certificates too";
  }
  if (control !== null && token === null) return "--control: expected with --token";
  if (token !== null && name === null) return "--token: expected with --name";
  if (token !== null && own === null) {
    return `--name: ${quote(name ?? "")}: expected one label of letters, digits and hyphens`;
  }
  if (isSecured) return peersProblem(upstreams);
  const peers = upstreams.flatMap(({ endpoints }) => endpoints.map(({ peer }) => peer ?? null));
  if (peers.some((peer) => peer !== null)) {
    return "--upstream: WHO@ is expected with --token or --identity-dir, to prove who we are";
  }
  if (policy.requiresIdentity) {
    const flag = policy.allowFrom === null ? "--require-identity" : "--allow-from";
    return `${flag}: expected with --token or --identity-dir, else nobody could come in`;
  }
  return null;
}

function peersProblem(upstreams: readonly Upstream[]): string | null {
  for (const { name, endpoints } of upstreams) {
    const bad = endpoints.find(({ peer }) => peer?.serverName === "");
    if (bad === undefined) continue;
    return `--upstream: ${quote(name)}: expected spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/NAME`;
  }
  return null;
}
