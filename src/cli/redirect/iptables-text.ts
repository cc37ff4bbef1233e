/**
 * The rules in the syntax of iptables-restore: chains of our own in nat, and a jump to each. The same
 * text does for both families: `-4` and `-6` tell each which lines are not for it. Pure.
 */
import { formatNetwork } from "../../mesh/network.ts";
import type { Chain, Exception, Plan } from "./plan.ts";
import { rangeTexts } from "./port-ranges.ts";

const CHAINS = { inbound: "OUTRIGGER_INBOUND", outbound: "OUTRIGGER_OUTBOUND" } as const;
const HOOKS = { inbound: "PREROUTING", outbound: "OUTPUT" } as const;

/** multiport(8) takes 15 ports, and a range counts as two. */
const MULTIPORT_RANGES_MAX = 7;

const OWN_CHAIN = /^:(OUTRIGGER_(?:INBOUND|OUTBOUND)) /;
const OWN_JUMP = /^-A ((?:PREROUTING|OUTPUT) .*-j OUTRIGGER_(?:INBOUND|OUTBOUND))$/;

/** What is there of ours already. */
export type Existing = {
  readonly chains: readonly string[];
  /** Rules that lead to them, without `-A`. */
  readonly jumps: readonly string[];
  /** All of them. */
  readonly text: string;
};

export const NOTHING: Existing = { chains: [], jumps: [], text: "" };

/** Reads what iptables-save says of nat. */
export function existingIn(saved: string): Existing {
  const lines = saved.split("\n").filter((line) => line.includes("OUTRIGGER_"));
  const found = (pattern: RegExp): string[] =>
    lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  return { chains: found(OWN_CHAIN), jumps: found(OWN_JUMP), text: lines.join("\n") };
}

/**
 * Returns text for `iptables-restore --noflush` that leaves just these rules in place, as one commit,
 * where `existing` was there before; without a plan it leaves none.
 */
export function iptablesText(plan: Plan | null, existing: Existing): string {
  const chains = plan?.chains ?? [];
  const names = chains.map(({ direction }) => CHAINS[direction] as string);
  const lines = [
    "# Made by outrigger redirect. For iptables-restore --noflush, and ip6tables-restore --noflush",
    "*nat",
    // To name a chain here makes it, and empties one that is there.
    ...new Set([...existing.chains, ...names].map((name) => `:${name} - [0:0]`)),
    ...existing.jumps.map((jump) => `-D ${jump}`),
    ...existing.chains.filter((name) => !names.includes(name)).map((name) => `-X ${name}`),
    ...chains.flatMap((chain) => chainLines(chain, plan?.mark ?? "")),
    "COMMIT",
  ];
  return `${lines.join("\n")}\n`;
}

function chainLines({ direction, steps, port, onlySyn, why }: Chain, mark: string): string[] {
  const name = CHAINS[direction];
  const lines: string[] = [];
  for (const { why: reason, exceptions } of steps) {
    const matches = exceptions.flatMap((each) => match(each, direction));
    if (matches.length === 0) continue;
    lines.push(`# ${reason}`, ...matches.map((text) => `-A ${name} ${text} -j RETURN`));
  }
  const which = onlySyn ? "-p tcp --syn" : "-p tcp";
  lines.push(`# ${why}`, `-A ${name} ${which} -j REDIRECT --to-ports ${port}`);
  const comment = `-m comment --comment ${mark}`;
  lines.push("# only TCP", `-A ${HOOKS[direction]} -p tcp ${comment} -j ${name}`);
  return lines;
}

function match(exception: Exception, direction: Chain["direction"]): readonly string[] {
  const isInbound = direction === "inbound";
  switch (exception.kind) {
    case "loopback":
      return [isInbound ? "-i lo" : "-o lo"];
    case "elsewhere":
      return ["-m addrtype ! --dst-type LOCAL"];
    case "user":
      return [`-m owner --uid-owner ${exception.id}`];
    case "group":
      return [`-m owner --gid-owner ${exception.id}`];
    case "network": {
      const { network } = exception;
      const family = network.ip.length === 4 ? "-4" : "-6";
      return [`${family} ${isInbound ? "-s" : "-d"} ${formatNetwork(network)}`];
    }
    case "ports": {
      const texts = rangeTexts(exception.ranges, ":");
      const rules: string[] = [];
      for (let at = 0; at < texts.length; at += MULTIPORT_RANGES_MAX) {
        const part = texts.slice(at, at + MULTIPORT_RANGES_MAX).join(",");
        rules.push(`-p tcp -m multiport --dports ${part}`);
      }
      return rules;
    }
    default:
      return exception satisfies never;
  }
}
