/** Services that are found by hosts: static upstreams, names of DNS and addresses. */
import type { EndpointAddress } from "./endpoint-table.ts";
import type { DnsFailure, Hosts } from "./hosts.ts";
import { type Entry, type Found, NO_ROUTES, newEntry } from "./service-builder.ts";
import type { Target } from "./target.ts";

export type HostEntry = Entry & { readonly targets: readonly Target[] };

/** `isStatic`: it is in the snapshot from the start, and else as soon as something is known. */
export function hostEntry(
  name: string,
  targets: readonly Target[],
  hosts: Hosts,
  isStatic: boolean,
): HostEntry {
  const entry = newEntry(name, () => find(targets, hosts, isStatic));
  return Object.assign(entry, { targets });
}

/** Whether a first lookup is on its way. */
export function isLookedUp({ targets }: HostEntry, hosts: Hosts): boolean {
  return targets.some(({ host, ip }) => {
    if (ip !== null) return false;
    const { answers, failure } = hosts.get(host);
    return answers.length === 0 && failure === null;
  });
}

function find(targets: readonly Target[], hosts: Hosts, isStatic: boolean): Found | null {
  const addresses: EndpointAddress[] = [];
  let failure: DnsFailure | null = null;
  for (const { host, ip, port, speaks, peer } of targets) {
    const known = ip === null ? hosts.get(host) : { answers: [ip], failure: null };
    for (const answer of known.answers) addresses.push({ ip: answer, port, speaks, peer });
    failure ??= known.failure;
  }
  const isPending = addresses.length === 0 && failure === null;
  return isPending && !isStatic ? null : { addresses, failure, routes: NO_ROUTES };
}
