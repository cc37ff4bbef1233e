/** The flags of `run` about what is told to a control plane, and kept of what it said. */
import type { Flag } from "./keys.ts";
import { count, host, pathOrNone, service } from "./values.ts";

/** A hundred times what everybody has who says nothing. */
const WEIGHT_MAX = 1_000_000;

export const MESH = {
  service: {
    name: "--service",
    variable: "OUTRIGGER_SERVICE",
    placeholder: "NAME[.NAMESPACE]",
    fallback: null,
    fallbackText: "--name",
    isRepeatable: true,
    help: "a service of the mesh that --app is part of; announced while it accepts connections",
    parse: service,
  },
  advertise: {
    name: "--advertise",
    variable: "OUTRIGGER_ADVERTISE",
    placeholder: "HOST",
    fallback: null,
    fallbackText: "that of --inbound, else as the control plane sees it",
    help: "the address by which other sidecars reach this one",
    parse: host,
  },
  weight: {
    name: "--weight",
    variable: "OUTRIGGER_WEIGHT",
    placeholder: "N",
    fallback: "10000",
    help: "its share of requests, for those who heed it; Linkerd's proxies and ours do not",
    parse: count(1, WEIGHT_MAX),
  },
  stateDir: {
    name: "--state-dir",
    variable: "OUTRIGGER_STATE_DIR",
    placeholder: "DIR",
    fallback: null,
    fallbackText: "~/.local/state/outrigger/NAME.NAMESPACE",
    help: "what the control plane said is kept there across restarts; empty for nowhere",
    parse: pathOrNone,
  },
} as const satisfies Readonly<Record<string, Flag>>;
