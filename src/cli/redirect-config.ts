/** From flags and environment to what is redirected, and what is to be done about it. */
import type { HostPort } from "../mesh/address.ts";
import type { Network } from "../mesh/policy.ts";
import { type Configured, configure, type Environment, type Values } from "./config.ts";
import type { Flag } from "./keys.ts";
import { type PortRange, rangesOf } from "./redirect/port-ranges.ts";
import { REDIRECT } from "./redirect-keys.ts";

type RedirectTask = "print" | "apply" | "remove" | "check";
type BackendName = "nft" | "iptables";

export type RedirectConfig = {
  readonly task: RedirectTask;
  readonly backend: "auto" | BackendName;
  /** The sidecar's listeners; null: traffic of that direction is left alone. */
  readonly inbound: HostPort | null;
  readonly outbound: HostPort | null;
  readonly hasIpv6: boolean;
  /** Numbers or names of those whose outbound traffic is left alone. */
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** The admin port is among them. */
  readonly inboundPorts: readonly PortRange[];
  readonly outboundPorts: readonly PortRange[];
  readonly inboundNetworks: readonly Network[];
  readonly outboundNetworks: readonly Network[];
};

/** Each is a rule for each first packet. */
const OWNERS_MAX = 16;
/** iptables takes 7 ranges in a rule, and the whole text fits one argument of a program. */
const RANGES_MAX = 256;

/** Reads the arguments that follow `redirect`. */
export function redirectConfig(
  argv: readonly string[],
  env: Environment,
): Configured<RedirectConfig> {
  return configure("redirect", argv, env, (values) => {
    const direction = values.one(REDIRECT.direction);
    const inbound = values.one(REDIRECT.inbound);
    const outbound = values.one(REDIRECT.outbound);
    const admin = values.one(REDIRECT.admin);
    const skipInbound = new Set(values.optional(REDIRECT.skipInboundPorts)).add(admin.port);
    const users = values.many(REDIRECT.uid);
    const config: RedirectConfig = {
      task: taskOf(values),
      backend: values.one(REDIRECT.backend),
      inbound: direction === "outbound" ? null : inbound,
      outbound: direction === "inbound" ? null : outbound,
      hasIpv6: values.one(REDIRECT.ipv6),
      users: users.length === 0 ? [REDIRECT.uid.fallback] : users,
      groups: values.many(REDIRECT.gid),
      inboundPorts: rangesOf(skipInbound),
      outboundPorts: rangesOf(values.optional(REDIRECT.skipOutboundPorts) ?? new Set()),
      inboundNetworks: values.optional(REDIRECT.skipInboundSubnets) ?? [],
      outboundNetworks: values.optional(REDIRECT.skipOutboundSubnets) ?? [],
    };
    values.refuse(directionProblem(values, direction));
    values.refuse(portsProblem(inbound.port, outbound.port, admin.port));
    values.refuse(sizeProblem(config));
    return config;
  });
}

function taskOf(values: Values): RedirectTask {
  const tasks = (["apply", "remove", "check"] as const).filter((task) =>
    values.one(REDIRECT[task]),
  );
  const [task = "print", other] = tasks;
  if (other !== undefined) values.refuse(`--${other}: expected without --${task}`);
  return task;
}

/** What is said of traffic that is not redirected was meant otherwise. */
function directionProblem(values: Values, direction: string): string | null {
  const inbound: readonly Flag[] = [REDIRECT.skipInboundPorts, REDIRECT.skipInboundSubnets];
  const { uid, gid, skipOutboundPorts, skipOutboundSubnets } = REDIRECT;
  const outbound: readonly Flag[] = [uid, gid, skipOutboundPorts, skipOutboundSubnets];
  if (direction === "both") return null;
  const moot = (direction === "inbound" ? outbound : inbound).find((flag) => values.has(flag));
  return moot === undefined ? null : `${moot.name}: expected without --direction ${direction}`;
}

function portsProblem(inbound: number, outbound: number, admin: number): string | null {
  if (inbound === outbound) return `--outbound: port ${outbound} is that of --inbound`;
  if (admin === inbound) return `--admin: port ${admin} is that of --inbound`;
  return admin === outbound ? `--admin: port ${admin} is that of --outbound` : null;
}

function sizeProblem(config: RedirectConfig): string | null {
  const { users, groups, inboundPorts, outboundPorts } = config;
  for (const [flag, list, max] of [
    [REDIRECT.uid, users, OWNERS_MAX],
    [REDIRECT.gid, groups, OWNERS_MAX],
    [REDIRECT.skipInboundPorts, inboundPorts, RANGES_MAX],
    [REDIRECT.skipOutboundPorts, outboundPorts, RANGES_MAX],
  ] as const) {
    if (list.length > max) return `${flag.name}: ${list.length} entries: expected at most ${max}`;
  }
  return null;
}
