/** What sets the rules: nft or iptables. */
import { readKernelFile } from "../../net/kernel-files.ts";
import { StartError } from "../start-error.ts";
import type { Plan } from "./plan.ts";
import type { Finished } from "./program.ts";

/** Of the rules that are there: none of ours, just those of a plan, or others of ours. */
export type State = "none" | "same" | "other";

export type Backend = {
  readonly name: "nft" | "iptables";
  /** Puts a plan's rules in place of those from before. Resolves with a notice, or null. */
  apply(plan: Plan): Promise<string | null>;
  /** Leaves none of ours; there need not be any. Resolves with a notice, or null. */
  remove(): Promise<string | null>;
  state(plan: Plan): Promise<State>;
};

const IPV6_SWITCH = "/proc/sys/net/ipv6/conf/all/disable_ipv6";

/** Whether this network namespace is without IPv6. Where that cannot be told it is not. */
export function isIpv6Off(): boolean {
  const text = readKernelFile(IPV6_SWITCH);
  if (text !== null) return text.trim() === "1";
  return readKernelFile("/proc/net/tcp") !== null && readKernelFile("/proc/net/if_inet6") === null;
}

/** What could not be done for IPv6 matters only where there is any. */
export function ipv6Failed({ complaint }: Finished): string {
  const why = explained(complaint);
  if (!isIpv6Off()) throw new StartError(`${why} (IPv6; --ipv6=off leaves it alone)`);
  return `IPv6 is off here, and no rules are set for it: ${why}`;
}

/** Whether a program failed for want of rights. */
export function isForbidden(complaint: string): boolean {
  return /not permitted|permission denied|must be root/i.test(complaint);
}

export function explained(complaint: string): string {
  return isForbidden(complaint) ? `${complaint}; it takes root or CAP_NET_ADMIN` : complaint;
}

/** Of both families together. Where IPv6 is off it need not have been possible to set rules for it. */
export function stateOfBoth({ hasIpv6 }: Plan, ip: State, ip6: State): State {
  if (ip6 === "none" && (!hasIpv6 || isIpv6Off())) return ip;
  return hasIpv6 && ip === ip6 ? ip : "other";
}
