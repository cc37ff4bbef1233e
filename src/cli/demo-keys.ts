/** The flags of `demo`. */
import type { Flag } from "./keys.ts";
import { count, duration, onOff } from "./values.ts";

const HOUR_MS = 3_600_000;
/** The demo's clients and backends share one thread; above this they measure themselves. */
const DEMO_RATE_MAX = 5_000;

export const DEMO = {
  duration: {
    name: "--duration",
    variable: "OUTRIGGER_DEMO_DURATION",
    placeholder: "DURATION",
    fallback: null,
    fallbackText: "until Ctrl-C",
    help: "how long it runs",
    parse: duration(1_000, 24 * HOUR_MS),
  },
  rate: {
    name: "--rate",
    variable: "OUTRIGGER_DEMO_RATE",
    placeholder: "N",
    fallback: "200",
    help: `requests per second, 1 to ${DEMO_RATE_MAX}`,
    parse: count(1, DEMO_RATE_MAX),
  },
  kill: {
    name: "--kill",
    variable: "OUTRIGGER_DEMO_KILL",
    placeholder: "DURATION",
    fallback: null,
    fallbackText: "never",
    help: "how often a replica's sidecar is killed; it comes back after 4 s",
    parse: duration(1_000, 24 * HOUR_MS),
  },
  plain: {
    name: "--plain",
    variable: "OUTRIGGER_DEMO_PLAIN",
    placeholder: null,
    fallback: "off",
    help: "plain lines instead of a live view, also without a terminal",
    parse: onOff,
  },
} as const satisfies Readonly<Record<string, Flag>>;
