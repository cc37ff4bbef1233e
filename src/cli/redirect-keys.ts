/**
 * The flags of `redirect`. Where the sidecar listens is said as `run` has it, by the same variables,
 * so that one environment does for both.
 */
import { type HostPort, isUnspecifiedIp, parseIp } from "../mesh/address.ts";
import { parseNetwork } from "../mesh/network.ts";
import type { Network } from "../mesh/policy.ts";
import type { Flag } from "./keys.ts";
import { RUN } from "./run-keys.ts";
import { choice, listener, onOff, type Parse, ports, quote, Wrong } from "./values.ts";

/** The kernel's own "nobody", -1, is one above. */
const ID_MAX = 4_294_967_294;
/** useradd(8), and the capitals and dots that directories have. */
const OWNER_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?$/;
/** A rule each, for each first packet. */
const SUBNETS_MAX = 128;

/** Where redirected connections can arrive: REDIRECT chooses the address, not we. */
function reachable(example: string, isAddress: (ip: Uint8Array) => boolean): Parse<HostPort> {
  return (text) => {
    const parsed = listener(text);
    if (parsed instanceof Wrong) return parsed;
    if (parsed.port === 0) return new Wrong("expected a port that is known, not 0");
    const ip = parseIp(parsed.host);
    if (ip !== null && isAddress(ip)) return parsed;
    return new Wrong(`expected ${example}: redirected connections do not come to that address`);
  };
}

const inboundListener = reachable("0.0.0.0:PORT or [::]:PORT", isUnspecifiedIp);

const outboundListener = reachable(
  "127.0.0.1:PORT, 0.0.0.0:PORT or [::]:PORT",
  (ip) => isUnspecifiedIp(ip) || ip.join(".") === "127.0.0.1",
);

const knownPort: Parse<HostPort> = (text) => {
  const parsed = listener(text);
  const isAny = !(parsed instanceof Wrong) && parsed.port === 0;
  return isAny ? new Wrong("expected a port that is known, not 0") : parsed;
};

/** A number or a name; what number a name has is looked up when it is needed. */
const owner: Parse<string> = (text) => {
  const isNumber = /^(?:0|[1-9][0-9]{0,9})$/.test(text) && Number(text) <= ID_MAX;
  return isNumber || OWNER_NAME.test(text) ? text : new Wrong("expected a number or a name");
};

const subnets: Parse<readonly Network[]> = (text) => {
  if (text === "") return [];
  const all: Network[] = [];
  for (const item of text.split(",")) {
    const net = parseNetwork(item);
    if (net === null) return new Wrong(`${quote(item)}: expected a subnet, such as 10.0.0.0/8`);
    all.push(net);
  }
  return all.length <= SUBNETS_MAX ? all : new Wrong(`expected at most ${SUBNETS_MAX} subnets`);
};

export const REDIRECT = {
  apply: {
    name: "--apply",
    variable: "OUTRIGGER_REDIRECT_APPLY",
    placeholder: null,
    fallback: "off",
    help: "puts the rules in place, instead of those from before; without it they are printed",
    parse: onOff,
  },
  remove: {
    name: "--remove",
    variable: "OUTRIGGER_REDIRECT_REMOVE",
    placeholder: null,
    fallback: "off",
    help: "takes the rules away, whatever they were applied with",
    parse: onOff,
  },
  check: {
    name: "--check",
    variable: "OUTRIGGER_REDIRECT_CHECK",
    placeholder: null,
    fallback: "off",
    help: "says whether the rules of just these flags are in place; exits 1 if not",
    parse: onOff,
  },
  inbound: {
    ...RUN.inbound,
    help: "where the sidecar takes inbound traffic, as it is told itself",
    parse: inboundListener,
  },
  outbound: {
    ...RUN.outbound,
    help: "where the sidecar takes outbound traffic, as it is told itself; [::]:4140 for IPv6 too",
    parse: outboundListener,
  },
  admin: {
    ...RUN.admin,
    help: "the sidecar's admin API; its port stays as it is",
    parse: knownPort,
  },
  uid: {
    name: "--uid",
    variable: "OUTRIGGER_REDIRECT_UID",
    placeholder: "USER",
    fallback: "65532",
    isRepeatable: true,
    help: "a user whose outbound traffic is left alone: the sidecar's own, by number or name",
    parse: owner,
  },
  gid: {
    name: "--gid",
    variable: "OUTRIGGER_REDIRECT_GID",
    placeholder: "GROUP",
    fallback: null,
    isRepeatable: true,
    help: "a group whose outbound traffic is left alone, by number or name",
    parse: owner,
  },
  skipInboundPorts: {
    name: "--skip-inbound-ports",
    variable: "OUTRIGGER_REDIRECT_SKIP_INBOUND_PORTS",
    placeholder: "LIST",
    fallback: null,
    fallbackText: "none",
    help: "ports of this host and ranges that are reached without the sidecar, such as 22",
    parse: ports,
  },
  skipOutboundPorts: {
    name: "--skip-outbound-ports",
    variable: "OUTRIGGER_REDIRECT_SKIP_OUTBOUND_PORTS",
    placeholder: "LIST",
    fallback: null,
    fallbackText: "none",
    help: "ports of others and ranges that are reached without the sidecar",
    parse: ports,
  },
  skipInboundSubnets: {
    name: "--skip-inbound-subnets",
    variable: "OUTRIGGER_REDIRECT_SKIP_INBOUND_SUBNETS",
    placeholder: "LIST",
    fallback: null,
    fallbackText: "none",
    help: "clients' addresses and subnets that come in without the sidecar",
    parse: subnets,
  },
  skipOutboundSubnets: {
    name: "--skip-outbound-subnets",
    variable: "OUTRIGGER_REDIRECT_SKIP_OUTBOUND_SUBNETS",
    placeholder: "LIST",
    fallback: null,
    fallbackText: "none",
    help: "addresses and subnets that are reached without the sidecar, such as 169.254.169.254",
    parse: subnets,
  },
  direction: {
    name: "--direction",
    variable: "OUTRIGGER_REDIRECT_DIRECTION",
    placeholder: "both|inbound|outbound",
    fallback: "both",
    help: "what is redirected",
    parse: choice("both", "inbound", "outbound"),
  },
  ipv6: {
    name: "--ipv6",
    variable: "OUTRIGGER_REDIRECT_IPV6",
    placeholder: null,
    fallback: "on",
    help: "off leaves IPv6 alone, so that it passes by the sidecar",
    parse: onOff,
  },
  backend: {
    name: "--backend",
    variable: "OUTRIGGER_REDIRECT_BACKEND",
    placeholder: "auto|nft|iptables",
    fallback: "auto",
    help: "what the rules are for; auto is nft, or where there is none iptables",
    parse: choice("auto", "nft", "iptables"),
  },
} as const satisfies Readonly<Record<string, Flag>>;
