/** The rules in the syntax of nft: a table of our own for each family, made anew as a whole. Pure. */
import { formatNetwork } from "../../mesh/network.ts";
import type { Chain, Exception, Plan } from "./plan.ts";
import { rangeTexts } from "./port-ranges.ts";

/** Two tables, not one of `inet`: IPv4 must not depend on what the kernel has of IPv6. */
export type NftFamily = "ip" | "ip6";
export const NFT_TABLE = "outrigger";

/** Just after what others have at `dstnat`, -100: what they translate stays theirs. */
const PRIORITY = -99;

const HOOKS = { inbound: "prerouting", outbound: "output" } as const;

/** Returns text that, as one transaction, leaves just these rules in place. */
export function nftText(plan: Plan, families: readonly NftFamily[]): string {
  const lines = ["# Made by outrigger redirect. For nft -f -", nftRemoval(families)];
  for (const family of families) {
    if (family === "ip6" && !plan.hasIpv6) continue;
    lines.push(`table ${family} ${NFT_TABLE} {`);
    for (const chain of plan.chains) lines.push(...chainLines(chain, family, plan.mark));
    lines.push("}");
  }
  return `${lines.join("\n")}\n`;
}

/** Returns text that leaves none in place. A table that is deleted has to be there: so it is made. */
export function nftRemoval(families: readonly NftFamily[]): string {
  return families
    .flatMap((family) => [`table ${family} ${NFT_TABLE}`, `delete table ${family} ${NFT_TABLE}`])
    .join("\n");
}

function chainLines(
  { direction, steps, port, onlySyn, why }: Chain,
  family: NftFamily,
  mark: string,
): string[] {
  const lines = [
    `\tchain ${direction} {`,
    `\t\ttype nat hook ${HOOKS[direction]} priority ${PRIORITY}; policy accept;`,
    "\t\t# only TCP",
    "\t\tmeta l4proto != tcp return",
  ];
  for (const { why: reason, exceptions } of steps) {
    const matches = exceptions.map((each) => match(each, direction, family));
    const rules = matches.filter((text) => text !== null).map((text) => `\t\t${text} return`);
    if (rules.length > 0) lines.push(`\t\t# ${reason}`, ...rules);
  }
  const which = onlySyn ? "tcp flags & (fin | syn | rst | ack) == syn" : "meta l4proto tcp";
  lines.push(`\t\t# ${why}`, `\t\t${which} redirect to :${port} comment "${mark}"`, "\t}");
  return lines;
}

/** Null: it is of the other family. */
function match(
  exception: Exception,
  direction: Chain["direction"],
  family: NftFamily,
): string | null {
  switch (exception.kind) {
    case "loopback":
      return direction === "inbound" ? 'iifname "lo"' : 'oifname "lo"';
    case "elsewhere":
      return "fib daddr type != local";
    case "user":
      return `meta skuid ${exception.id}`;
    case "group":
      return `meta skgid ${exception.id}`;
    case "network": {
      const { network } = exception;
      if ((network.ip.length === 4) !== (family === "ip")) return null;
      // A prefix of no bits is no match for nft.
      if (network.prefixLength === 0) return "meta l4proto tcp";
      return `${family} ${direction === "inbound" ? "saddr" : "daddr"} ${formatNetwork(network)}`;
    }
    case "ports":
      return `tcp dport { ${rangeTexts(exception.ranges, "-").join(", ")} }`;
    default:
      return exception satisfies never;
  }
}
