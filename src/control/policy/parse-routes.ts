/** The part of a policy file that says how requests to a service are sent. */
import { parseDuration } from "../../lib/duration.ts";
import type { IdentityDefaults } from "../../mesh/identity.ts";
import type { RetryPolicy, Route, RouteMatch } from "../../mesh/policy.ts";
import { parseServiceName } from "../../mesh/service-name.ts";
import { DEFAULT_ROUTE, type WeightedService } from "./policy.ts";
import { type Place, PolicyFault, quoted } from "./yaml-place.ts";

/** A request is held against each of them. */
const ROUTES_MAX = 100;
const BACKENDS_MAX = 64;
const WEIGHT_MAX = 1_000_000;
/** Each one is load upon who is in trouble already. */
const RETRIES_MAX = 10;
const DURATION_MAX_MS = 3_600_000;
const PATH_CHARS_MAX = 2_048;
/** linkerd2's. */
const BACKOFF_MIN_MS = 25;
const BACKOFF_MAX_MS = 250;

/** RFC 9110 §9.2.2: sent twice, they do what they do sent once. */
const IDEMPOTENT = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
/** RFC 9110 §5.6.2, in capitals as methods are. */
const METHOD = /^[A-Z0-9!#$%&'*+.^_`|~-]{1,32}$/;
const SERVER_ERRORS = { from: 500, to: 599 };

/** What services and routes have in common. */
export const SENDING_KEYS = [
  "timeout",
  "idle-timeout",
  "allow-headers",
  "retries",
  "split",
] as const;

type Sending = Partial<Record<(typeof SENDING_KEYS)[number], Place>>;

/** A route as it is written: `methods` are those that may be sent again. */
type Written = {
  readonly timeoutMs: number;
  readonly idleMs: number;
  readonly allowsFields: boolean;
  readonly retries: { readonly retry: RetryPolicy; readonly methods: readonly string[] } | null;
  readonly split: readonly WeightedService[];
};

const NOTHING: Written = {
  timeoutMs: 0,
  idleMs: 0,
  allowsFields: false,
  retries: null,
  split: [],
};

/** Returns all routes of a service in their order, the one for all requests last. */
export function parseRoutes(
  fields: Sending & { readonly routes?: Place },
  defaults: IdentityDefaults,
): readonly Route[] {
  const base = parseSending(fields, NOTHING, defaults);
  const items = fields.routes?.list("routes") ?? [];
  if (items.length > ROUTES_MAX) fields.routes?.fail(`more than ${ROUTES_MAX} routes`);
  const own = items.flatMap((item) => parseRoute(item, base, defaults));
  return [...own, ...expand({ path: null, method: null }, base)];
}

function parseRoute(place: Place, base: Written, defaults: IdentityDefaults): readonly Route[] {
  const keys = ["path", "exact", "method", ...SENDING_KEYS] as const;
  const fields = place.fields(keys, "a route");
  if (fields.path !== undefined && fields.exact !== undefined) {
    fields.exact.fail("a route has path or exact, not both");
  }
  const { path, exact, method } = fields;
  const match: RouteMatch = {
    path:
      exact !== undefined
        ? { kind: "exact", path: pathOf(exact) }
        : path !== undefined
          ? { kind: "prefix", path: pathOf(path) }
          : null,
    method: method === undefined ? null : methodOf(method),
  };
  if (match.path === null && match.method === null) place.fail("expected path, exact or method");
  return expand(match, parseSending(fields, base, defaults));
}

/** One route for what may be sent again and one for what may not. */
function expand(match: RouteMatch, written: Written): readonly Route[] {
  const { allowsFields, idleMs, timeoutMs, retries, split } = written;
  const isAll = match.path === null && match.method === null;
  const plain: Route = {
    ...DEFAULT_ROUTE,
    matches: isAll ? [] : [match],
    backends: split,
    requestTimeoutMs: timeoutMs,
    ...(idleMs > 0 ? { idleTimeoutMs: idleMs } : {}),
    ...(allowsFields ? { allowsFields } : {}),
  };
  if (retries === null) return [plain];
  const { methods, retry } = retries;
  if (match.method !== null) return [methods.includes(match.method) ? { ...plain, retry } : plain];
  const matches = methods.map((method) => ({ path: match.path, method }));
  return [{ ...plain, matches, retry }, plain];
}

/** What is not said is as `base`. */
function parseSending(fields: Sending, base: Written, defaults: IdentityDefaults): Written {
  const { timeout, retries, split } = fields;
  const idle = fields["idle-timeout"];
  return {
    timeoutMs: timeout === undefined ? base.timeoutMs : durationOf(timeout),
    idleMs: idle === undefined ? base.idleMs : durationOf(idle),
    allowsFields: fields["allow-headers"]?.flag() ?? base.allowsFields,
    retries: retries === undefined ? base.retries : parseRetries(retries),
    split: split === undefined ? base.split : parseSplit(split, defaults),
  };
}

export function parseSplit(place: Place, defaults: IdentityDefaults): readonly WeightedService[] {
  const items = place.entries("weights of services");
  if (items.length > BACKENDS_MAX) place.fail(`more than ${BACKENDS_MAX} services`);
  const split = new Map<string, WeightedService>();
  for (const { key, keyLine, value } of items) {
    const service = parseServiceName(key, defaults)?.canonical;
    if (service === undefined) {
      throw new PolicyFault(keyLine, `${quoted(key)} is no name of a service`);
    }
    if (split.has(service)) throw new PolicyFault(keyLine, `${service} is there twice`);
    split.set(service, { service, weight: value.count(0, WEIGHT_MAX) });
  }
  const backends = [...split.values()].filter(({ weight }) => weight > 0);
  if (items.length > 0 && backends.length === 0) place.fail("one of the weights must not be 0");
  return backends;
}

function parseRetries(place: Place): Written["retries"] {
  const keys = ["limit", "on", "try-timeout", "backoff", "methods"] as const;
  const fields = place.fields(keys, "limit, on, try-timeout, backoff or methods");
  const limit = fields.limit?.count(0, RETRIES_MAX) ?? 1;
  const statuses = fields.on?.list("statuses").map(statusesOf) ?? [SERVER_ERRORS];
  if (statuses.length === 0) fields.on?.fail("a list of no statuses: leave it out, or limit: 0");
  if (statuses.length > ENTRIES_MAX) fields.on?.fail(`more than ${ENTRIES_MAX} entries`);
  const tryTimeout = fields["try-timeout"];
  const [backoffMinMs, backoffMaxMs] = backoffOf(fields.backoff);
  const methods = fields.methods?.list("methods").map(methodOf) ?? IDEMPOTENT;
  if (methods.length === 0) fields.methods?.fail("a list of no methods: leave it out, or limit: 0");
  if (methods.length > ENTRIES_MAX) fields.methods?.fail(`more than ${ENTRIES_MAX} entries`);
  if (limit === 0) return null;
  const tryTimeoutMs = tryTimeout === undefined ? 0 : durationOf(tryTimeout);
  const retry = { limit, statuses, tryTimeoutMs, backoffMinMs, backoffMaxMs };
  return { retry, methods: [...new Set(methods)] };
}

/** Of `on` and `methods`. */
const ENTRIES_MAX = 32;

/** `503`, `502-504` or `5xx`. */
function statusesOf(place: Place): { readonly from: number; readonly to: number } {
  const text = place.text("a status");
  const [, hundreds] = /^([1-5])xx$/.exec(text) ?? [];
  if (hundreds !== undefined) {
    return { from: Number(hundreds) * 100, to: Number(hundreds) * 100 + 99 };
  }
  const [, from, to = from] = /^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(text) ?? [];
  if (from === undefined || to === undefined || from > to) {
    return place.fail(`${quoted(text)}: expected a status such as 503, 502-504 or 5xx`);
  }
  return { from: Number(from), to: Number(to) };
}

/** `25ms..250ms`. */
function backoffOf(place: Place | undefined): readonly [minMs: number, maxMs: number] {
  if (place === undefined) return [BACKOFF_MIN_MS, BACKOFF_MAX_MS];
  const text = place.text("a range of durations");
  const [min = null, max = null, ...more] = text.split("..").map(parseDuration);
  const isRange = min !== null && max !== null && more.length === 0;
  if (isRange && min > 0 && min <= max && max <= DURATION_MAX_MS) return [min, max];
  return place.fail(`${quoted(text)}: expected a range such as 25ms..250ms`);
}

function durationOf(place: Place): number {
  const what = "a duration such as 500ms or 10s, at most 1h";
  const text = place.text(what);
  const ms = parseDuration(text);
  if (ms !== null && ms <= DURATION_MAX_MS) return ms;
  return place.fail(`${quoted(text)}: expected ${what}`);
}

function methodOf(place: Place): string {
  const text = place.text("a method");
  return METHOD.test(text) ? text : place.fail(`${quoted(text)} is no method such as GET`);
}

/** As it stands in a request: an absolute path without query, of visible ASCII. */
function pathOf(place: Place): string {
  const text = place.text("a path");
  const isPath = /^\/[!-"$->@-~]*$/.test(text) && text.length <= PATH_CHARS_MAX;
  return isPath ? text : place.fail(`${quoted(text)} is no path such as /api/`);
}
