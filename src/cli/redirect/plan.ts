/**
 * What is redirected and what is left alone, in the order in which it is asked, without the syntax of
 * either backend. Each first packet of a connection takes this walk; conntrack then does with all that
 * follow, and with the replies, as it was decided, so connections keep their way when rules change.
 * The rules are in nat, where a rule for TCP says nothing of UDP and ICMP. Pure.
 *
 * It is what proxy-init of Linkerd does, but for three things, said where they are: only addresses of
 * this host inbound, only SYNs outbound, and neighbours' link-local addresses.
 */
import { createHash } from "node:crypto";
import { formatNetwork } from "../../mesh/network.ts";
import type { Network } from "../../mesh/policy.ts";
import type { PortRange } from "./port-ranges.ts";

export type Direction = "inbound" | "outbound";

/** What a packet must be like to be left alone. A network is of clients inbound, of servers outbound. */
export type Exception =
  | { readonly kind: "loopback" }
  | { readonly kind: "elsewhere" }
  | { readonly kind: "user" | "group"; readonly id: number }
  | { readonly kind: "network"; readonly network: Network }
  | { readonly kind: "ports"; readonly ranges: readonly PortRange[] };

export type Step = { readonly why: string; readonly exceptions: readonly Exception[] };

export type Chain = {
  readonly direction: Direction;
  readonly steps: readonly Step[];
  /** Where the rest goes. */
  readonly port: number;
  /** Whether a connection must begin with this packet to be redirected. */
  readonly onlySyn: boolean;
  readonly why: string;
};

export type Plan = {
  /** One for each direction that is redirected. */
  readonly chains: readonly Chain[];
  readonly hasIpv6: boolean;
  /** Stands in the rules, to tell by it whether they are these. */
  readonly mark: string;
};

export type PlanOptions = {
  readonly inboundPort: number | null;
  readonly outboundPort: number | null;
  readonly hasIpv6: boolean;
  readonly users: readonly number[];
  readonly groups: readonly number[];
  readonly inboundPorts: readonly PortRange[];
  readonly outboundPorts: readonly PortRange[];
  readonly inboundNetworks: readonly Network[];
  readonly outboundNetworks: readonly Network[];
};

/** fe80::/10 */
const LINK_LOCAL: Network = {
  ip: Uint8Array.of(0xfe, 0x80, ...new Uint8Array(14)),
  prefixLength: 10,
};

const MARK_HEX_DIGITS = 12;

export function planOf(options: PlanOptions): Plan {
  const { hasIpv6, inboundPort, outboundPort } = options;
  const chains: Chain[] = [];
  if (inboundPort !== null) chains.push(inboundChain(inboundPort, options));
  if (outboundPort !== null) chains.push(outboundChain(outboundPort, options));
  return { chains, hasIpv6, mark: markOf(chains) };
}

function inboundChain(port: number, options: PlanOptions): Chain {
  const networks = options.inboundNetworks.map(networkException);
  return {
    direction: "inbound",
    steps: [
      {
        // Mostly decided on its way out, but where nothing hooks OUTPUT it comes by here first.
        why: "what comes from this host itself: the sidecar on its way to the application",
        exceptions: [{ kind: "loopback" }],
      },
      {
        // proxy-init is for pods, which route for nobody; a host may, for its containers.
        why: "what is only passing through",
        exceptions: [{ kind: "elsewhere" }],
      },
      { why: "clients that were asked to be left out", exceptions: networks },
      {
        why: "the admin API, and ports that were asked to be left out",
        exceptions: portsOf(options.inboundPorts),
      },
    ],
    port,
    // A SYN is not asked for: by a stray packet that nobody answers a client could have conntrack know
    // its connection before it begins, which would then reach the application and no policy.
    onlySyn: false,
    why: "all else goes to the sidecar",
  };
}

function outboundChain(port: number, options: PlanOptions): Chain {
  const { users, groups } = options;
  const networks = options.outboundNetworks.map(networkException);
  return {
    direction: "outbound",
    steps: [
      {
        // By the way a packet takes, not by 127.0.0.0/8: a host's own addresses lead here too.
        why: "what stays on this host, its own addresses included",
        exceptions: [{ kind: "loopback" }],
      },
      {
        why: "what the sidecar sends, which would come back to it for ever",
        exceptions: [
          ...users.map((id): Exception => ({ kind: "user", id })),
          ...groups.map((id): Exception => ({ kind: "group", id })),
        ],
      },
      {
        why: "neighbours: the sidecar is not told on which link they are",
        exceptions: [networkException(LINK_LOCAL)],
      },
      { why: "servers that were asked to be left out", exceptions: networks },
      { why: "ports that were asked to be left out", exceptions: portsOf(options.outboundPorts) },
    ],
    port,
    // What is under way when conntrack begins to look is a reply as likely as not, to a client that
    // came directly, and must go on as it was.
    onlySyn: true,
    why: "all else that begins goes to the sidecar",
  };
}

function networkException(network: Network): Exception {
  return { kind: "network", network };
}

function portsOf(ranges: readonly PortRange[]): readonly Exception[] {
  return ranges.length === 0 ? [] : [{ kind: "ports", ranges }];
}

function markOf(chains: readonly Chain[]): string {
  const text = JSON.stringify(chains, (_, value: unknown) =>
    typeof value === "object" && value !== null && "prefixLength" in value
      ? formatNetwork(value as Network)
      : value,
  );
  return `outrigger:${createHash("sha256").update(text).digest("hex").slice(0, MARK_HEX_DIGITS)}`;
}
