/** The flags of the commands that look at running sidecars. */
import {
  parseStatusRange,
  parseTapMethod,
  parseTapName,
  parseTapPath,
  parseTapSample,
  type StatusRange,
  TAP_SAMPLE_MAX,
} from "../admin/tap-query.ts";
import type { Flag } from "./keys.ts";
import { count, duration, onOff, type Parse, target, Wrong } from "./values.ts";

const HOUR_MS = 3_600_000;
/** Below this a window is mostly the time that two questions take. */
const WINDOW_MIN_MS = 100;
/** A person, and a file of a few hundred MB. */
const TAP_EVENTS_MAX = 1_000_000;

export const LOOK = {
  admin: {
    name: "--admin",
    variable: "OUTRIGGER_ADMIN",
    placeholder: "IP:PORT",
    fallback: "127.0.0.1:4191",
    help: "the admin API of the sidecar to look at, as it logs it when it starts",
    parse: target,
  },
} as const satisfies Readonly<Record<string, Flag>>;

export const CHECK = {
  ...LOOK,
  ready: {
    name: "--ready",
    variable: "OUTRIGGER_CHECK_READY",
    placeholder: null,
    fallback: "off",
    help: "only whether it is ready, within a second and in one line; also of a control plane",
    parse: onOff,
  },
} as const satisfies Readonly<Record<string, Flag>>;

export const IDENTITY_COMMAND = {
  ...LOOK,
  json: json("OUTRIGGER_IDENTITY_JSON", "the admin API's answer as it is"),
} as const satisfies Readonly<Record<string, Flag>>;

/** Of several sidecars. */
const admins = {
  ...LOOK.admin,
  isRepeatable: true,
  help: "the admin API of a sidecar to look at, as it logs it when it starts",
} as const satisfies Flag;

export const TOP = {
  admin: admins,
  window: {
    name: "--window",
    variable: "OUTRIGGER_STAT_WINDOW",
    placeholder: "DURATION",
    fallback: "1s",
    help: "the time that rates and latencies are of",
    parse: duration(WINDOW_MIN_MS, HOUR_MS),
  },
} as const satisfies Readonly<Record<string, Flag>>;

export const STAT = {
  ...TOP,
  json: json("OUTRIGGER_STAT_JSON", "JSON instead of tables"),
} as const satisfies Readonly<Record<string, Flag>>;

export const TAP = {
  admin: admins,
  to: {
    name: "--to",
    variable: "OUTRIGGER_TAP_TO",
    placeholder: "NAME",
    fallback: null,
    help: "only to this service or authority; web is also web:80 and web.shop.svc.cluster.local",
    parse: read(parseTapName, "expected a name, such as web or web.shop"),
  },
  from: {
    name: "--from",
    variable: "OUTRIGGER_TAP_FROM",
    placeholder: "NAME",
    fallback: null,
    help: "only from this client: what its identity or its address begins with",
    parse: read(parseTapName, "expected an identity or an address, such as shop or 10.0.0.7"),
  },
  method: {
    name: "--method",
    variable: "OUTRIGGER_TAP_METHOD",
    placeholder: "METHOD",
    fallback: null,
    help: "only requests with this method, in capitals as it is sent",
    parse: read(parseTapMethod, "expected a method, such as GET"),
  },
  path: {
    name: "--path",
    variable: "OUTRIGGER_TAP_PATH",
    placeholder: "PREFIX",
    fallback: null,
    help: "only requests whose path begins with this, percent-encoded as it is sent",
    parse: read(parseTapPath, "expected the beginning of a path, such as /api/"),
  },
  status: {
    name: "--status",
    variable: "OUTRIGGER_TAP_STATUS",
    placeholder: "503|5xx|cut",
    fallback: null,
    help: "only requests that ended so; cut: without a whole answer",
    parse: read<StatusRange>(parseStatusRange, "expected a status such as 503 or 5xx, or cut"),
  },
  sample: {
    name: "--sample",
    variable: "OUTRIGGER_TAP_SAMPLE",
    placeholder: "N",
    fallback: "1",
    help: "one of N requests, by chance",
    parse: read(parseTapSample, `expected a whole number from 1 to ${TAP_SAMPLE_MAX}`),
  },
  query: {
    name: "--query",
    variable: "OUTRIGGER_TAP_QUERY",
    placeholder: null,
    fallback: "off",
    help: "shows paths with their query, which may hold secrets",
    parse: onOff,
  },
  max: {
    name: "--max",
    variable: "OUTRIGGER_TAP_MAX",
    placeholder: "N",
    fallback: null,
    fallbackText: "no end",
    help: "ends after so many requests",
    parse: count(1, TAP_EVENTS_MAX),
  },
  duration: {
    name: "--duration",
    variable: "OUTRIGGER_TAP_DURATION",
    placeholder: "DURATION",
    fallback: null,
    fallbackText: "until Ctrl-C",
    help: "ends after this time",
    parse: duration(WINDOW_MIN_MS, 24 * HOUR_MS),
  },
  json: json("OUTRIGGER_TAP_JSON", "a line of JSON for each request"),
} as const satisfies Readonly<Record<string, Flag>>;

function json<V extends `OUTRIGGER_${string}`>(variable: V, help: string) {
  const flag = { name: "--json", placeholder: null, fallback: "off", parse: onOff } as const;
  return { ...flag, variable, help };
}

function read<T>(parse: (text: string) => T | null, expected: string): Parse<T> {
  return (text) => parse(text) ?? new Wrong(expected);
}
