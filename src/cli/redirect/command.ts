/** `outrigger redirect`: prints, applies, removes or checks the rules of the current namespace. */

import { writeStderr } from "../../lib/stderr.ts";
import type { HostPort } from "../../mesh/address.ts";
import { printed, statusOf } from "../printed.ts";
import type { RedirectConfig } from "../redirect-config.ts";
import { REDIRECT } from "../redirect-keys.ts";
import { StartError } from "../start-error.ts";
import { type Backend, isIpv6Off, type State } from "./backend.ts";
import { findIptables } from "./iptables.ts";
import { iptablesText, NOTHING } from "./iptables-text.ts";
import { findNft } from "./nft.ts";
import { nftText } from "./nft-text.ts";
import { type Plan, planOf } from "./plan.ts";
import { idsOf, refuseLoop } from "./users.ts";

const EXIT_FAILURE = 1;

type Planned = {
  readonly plan: Plan;
  readonly users: readonly number[];
  readonly groups: readonly number[];
};

/** Returns the exit status; what cannot be done is thrown as a StartError. */
export async function redirect(config: RedirectConfig): Promise<number> {
  switch (config.task) {
    case "print":
      // For any host: nothing of this one is looked at, but for the numbers of names.
      return statusOf(await printed(textOf(plannedOf(config).plan, config.backend)));
    case "apply":
      return await apply(config, plannedOf(config));
    case "remove":
      return await remove(config);
    case "check":
      return await check(config, plannedOf(config).plan);
    default:
      return config.task satisfies never;
  }
}

function plannedOf(config: RedirectConfig): Planned {
  const users = idsOf("user", config.users);
  const groups = idsOf("group", config.groups);
  const { inbound, outbound } = config;
  const ports = { inboundPort: inbound?.port ?? null, outboundPort: outbound?.port ?? null };
  return { plan: planOf({ ...config, ...ports, users, groups }), users, groups };
}

function textOf(plan: Plan, backend: RedirectConfig["backend"]): string {
  return backend === "iptables" ? iptablesText(plan, NOTHING) : nftText(plan, ["ip", "ip6"]);
}

/** Those there are; the one that is asked for is the first, and has to be. */
function backendsFor({ backend }: RedirectConfig): readonly [Backend, ...Backend[]] {
  const path = process.env["PATH"];
  const all = [findNft(path), findIptables(path)].filter((each) => each !== null);
  const [first, ...others] =
    backend === "iptables" ? all.toSorted((a, b) => a.name.localeCompare(b.name)) : all;
  const where = "in PATH, /usr/sbin or /sbin";
  if (backend !== "auto" && first?.name !== backend) {
    throw new StartError(`there is no ${backend} ${where}`);
  }
  if (first === undefined) throw new StartError(`there is neither nft nor iptables ${where}`);
  return [first, ...others];
}

async function apply(config: RedirectConfig, { plan, users, groups }: Planned): Promise<number> {
  const [backend, ...others] = backendsFor(config);
  if (config.outbound !== null) refuseLoop(config.outbound.port, users, groups);
  const notice = (await backend.apply(plan)) ?? listenersNotice(config);
  // What was applied with another backend would be asked first, or as well.
  for (const other of others) {
    if ((await stateOrNone(other, plan)) !== "none") await other.remove();
  }
  if (notice !== null) writeStderr(`outrigger: ${notice}\n`);
  await printed(`redirected, by ${backend.name}: ${directionsText(config)}\n`);
  return 0;
}

/** A backend that the kernel has nothing of has no rules either. */
async function stateOrNone(backend: Backend, plan: Plan): Promise<State> {
  try {
    return await backend.state(plan);
  } catch (error) {
    if (error instanceof StartError) return "none";
    throw error;
  }
}

/** Rather refused by the system than past the sidecar, but somebody should know. */
function listenersNotice({ hasIpv6, inbound, outbound }: RedirectConfig): string | null {
  if (!hasIpv6 || isIpv6Off()) return null;
  const listeners: readonly [string, HostPort | null][] = [
    [REDIRECT.inbound.name, inbound],
    [REDIRECT.outbound.name, outbound],
  ];
  const deaf = listeners.flatMap(([flag, at]) =>
    at === null || at.host.includes(":") ? [] : `${flag} ${at.host}:${at.port}`,
  );
  if (deaf.length === 0) return null;
  return `IPv6 will be refused, as only IPv4 comes to ${deaf.join(" and ")}: listen on [::], or give --ipv6=off`;
}

function directionsText({ hasIpv6, inbound, outbound }: RedirectConfig): string {
  const parts = [
    ...(inbound === null ? [] : [`inbound to port ${inbound.port}`]),
    ...(outbound === null ? [] : [`outbound to port ${outbound.port}`]),
  ];
  return `${parts.join(", ")}, ${hasIpv6 ? "IPv4 and IPv6" : "IPv4 only"}`;
}

async function remove(config: RedirectConfig): Promise<number> {
  const [backend, ...others] = backendsFor(config);
  await backend.remove();
  const { plan } = plannedOf({ ...config, users: [], groups: [] });
  for (const other of others) {
    if ((await stateOrNone(other, plan)) !== "none") await other.remove();
  }
  await printed("not redirected\n");
  return 0;
}

async function check(config: RedirectConfig, plan: Plan): Promise<number> {
  const [first, ...others] = backendsFor(config);
  const states: [Backend, State][] = [[first, await first.state(plan)]];
  for (const other of others) states.push([other, await stateOrNone(other, plan)]);
  const there = states.filter(([, state]) => state !== "none");
  const [only] = there;
  const isSame = there.length === 1 && only?.[1] === "same";
  const names = there.map(([{ name }]) => name).join(" and ");
  if (isSame) await printed(`redirected, by ${names}: ${directionsText(config)}\n`);
  else
    await printed(only === undefined ? "not redirected\n" : `redirected otherwise, by ${names}\n`);
  return isSame ? 0 : EXIT_FAILURE;
}
