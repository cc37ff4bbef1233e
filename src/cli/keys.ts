/**
 * The one table of commands and flags. The parser, the configuration and the help text are all made
 * from it; what a value looks like is in values.ts.
 */
import { WORKERS_MAX } from "../shared/layout.ts";
import { ANCHOR, CONTROL, ISSUER, POLICY, TOKEN } from "./control-keys.ts";
import { IDENTITY } from "./identity-keys.ts";
import { LOG } from "./log-keys.ts";
import { CHECK, IDENTITY_COMMAND, STAT, TAP, TOP } from "./look-keys.ts";
import { MESH } from "./mesh-keys.ts";
import {
  application,
  choice,
  count,
  duration,
  forward,
  listener,
  onOff,
  type Parse,
  ports,
  serviceName,
  upstream,
} from "./values.ts";

const HOUR_MS = 3_600_000;
/** Below this a slow but honest client would be cut off before it has said what it speaks. */
const DETECT_TIMEOUT_MIN_MS = 10;
/** The demo's clients and backends share one thread; above this they measure themselves. */
const DEMO_RATE_MAX = 5_000;

export type Flag<T = unknown> = {
  readonly name: `--${string}`;
  readonly variable: `OUTRIGGER_${string}`;
  /** How the value is called in the help text; null for a switch, which may stand alone. */
  readonly placeholder: string | null;
  /** Used when it is not given; null when there is no such value. */
  readonly fallback: string | null;
  /** What the help text shows instead of `fallback`. */
  readonly fallbackText?: string;
  readonly isRepeatable?: true;
  /** Its value is not shown, not even when it is wrong. */
  readonly isSecret?: true;
  readonly help: string;
  readonly parse: Parse<T>;
};

/** Separates the entries of a repeatable flag in its variable. */
export const ENTRY_SEPARATOR = ";";

export const RUN = {
  name: {
    name: "--name",
    variable: "OUTRIGGER_NAME",
    placeholder: "NAME",
    fallback: null,
    help: "the service this application is",
    parse: serviceName,
  },
  ...IDENTITY,
  ...MESH,
  app: {
    name: "--app",
    variable: "OUTRIGGER_APP",
    placeholder: "[h1:|h2:]HOST:PORT",
    fallback: null,
    help: "where the application listens; inbound traffic without another target goes there",
    parse: application,
  },
  inbound: {
    name: "--inbound",
    variable: "OUTRIGGER_INBOUND",
    placeholder: "IP:PORT",
    fallback: "0.0.0.0:4143",
    help: "the listener for traffic to the application; port 0 picks one; with --token also if taken",
    parse: listener,
  },
  outbound: {
    name: "--outbound",
    variable: "OUTRIGGER_OUTBOUND",
    placeholder: "IP:PORT",
    fallback: "127.0.0.1:4140",
    help: "the listener for traffic from the application; port 0 picks one; with --token also if taken",
    parse: listener,
  },
  admin: {
    name: "--admin",
    variable: "OUTRIGGER_ADMIN",
    placeholder: "IP:PORT",
    fallback: "127.0.0.1:4191",
    help: "the listener of the admin API; port 0 picks one; with --token also if taken",
    parse: listener,
  },
  upstream: {
    name: "--upstream",
    variable: "OUTRIGGER_UPSTREAM",
    placeholder: "NAME=[h1:|h2:|sidecar:[WHO[:PORT]@]]HOST:PORT[,…]",
    fallback: null,
    isRepeatable: true,
    help: "a static service; the prefix says what an endpoint speaks, WHO that it must prove to be that",
    parse: upstream,
  },
  forward: {
    name: "--forward",
    variable: "OUTRIGGER_FORWARD",
    placeholder: "IP:PORT=NAME:PORT",
    fallback: null,
    isRepeatable: true,
    help: "a local port that carries raw TCP to a service",
    parse: forward,
  },
  opaquePorts: {
    name: "--opaque-ports",
    variable: "OUTRIGGER_OPAQUE_PORTS",
    placeholder: "LIST",
    fallback: "25,587,3306,4444,5432,6379,9300,11211",
    help: "ports and ranges whose protocol is never detected; empty for none",
    parse: ports,
  },
  detectTimeout: {
    name: "--detect-timeout",
    variable: "OUTRIGGER_DETECT_TIMEOUT",
    placeholder: "DURATION",
    fallback: "10s",
    help: "a connection that is still unknown after this is opaque",
    parse: duration(DETECT_TIMEOUT_MIN_MS, HOUR_MS),
  },
  workers: {
    name: "--workers",
    variable: "OUTRIGGER_WORKERS",
    placeholder: "N",
    fallback: null,
    fallbackText: "the CPUs available, at most 4",
    help: `threads that carry traffic, 1 to ${WORKERS_MAX}`,
    parse: count(1, WORKERS_MAX),
  },
  ...LOG,
  accessLog: {
    name: "--access-log",
    variable: "OUTRIGGER_ACCESS_LOG",
    placeholder: null,
    fallback: "off",
    help: "one line for each request to stderr",
    parse: choice("on", "off"),
  },
  shutdownGrace: {
    name: "--shutdown-grace",
    variable: "OUTRIGGER_SHUTDOWN_GRACE",
    placeholder: "DURATION",
    fallback: "120s",
    help: "how long SIGTERM waits for what is in flight",
    parse: duration(0, HOUR_MS),
  },
} as const satisfies Readonly<Record<string, Flag>>;

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

export type Command = {
  /** What it is, in one line. */
  readonly summary: string;
  /** After `outrigger`. */
  readonly usage: string;
  readonly example: string;
  readonly flags: readonly Flag[];
};

export const COMMANDS = {
  run: {
    summary: "the sidecar beside one application; with a command, starts and ends it too",
    usage: "run [flags] [-- COMMAND ARGS…]",
    example: "outrigger run --app 127.0.0.1:8080 --upstream web=127.0.0.1:8081,127.0.0.1:8082",
    flags: Object.values<Flag>(RUN),
  },
  demo: {
    summary: "a whole small mesh on this machine, with traffic; also without a command",
    usage: "demo [flags]",
    example: "outrigger demo --duration 10s",
    flags: Object.values<Flag>(DEMO),
  },
  control: {
    summary: "the control plane: certificates of sidecars, who serves what, and policy",
    usage: "control [flags]",
    example: "outrigger control --dir /var/lib/outrigger",
    flags: Object.values<Flag>(CONTROL),
  },
  "control token": {
    summary: "tokens by which sidecars join",
    usage: "control token create|list|revoke [ID] [flags]",
    example: "outrigger control token create --dir /var/lib/outrigger --name web",
    flags: Object.values<Flag>(TOKEN),
  },
  "control anchor": {
    summary: "the mesh's trust anchors, and replacing one",
    usage: "control anchor list|add|promote|remove [SHA256] [flags]",
    example: "outrigger control anchor add --dir /var/lib/outrigger",
    flags: Object.values<Flag>(ANCHOR),
  },
  "control issuer": {
    summary: "renews the issuer's certificate at once; it renews itself in time",
    usage: "control issuer renew [flags]",
    example: "outrigger control issuer renew --dir /var/lib/outrigger",
    flags: Object.values<Flag>(ISSUER),
  },
  "control policy": {
    summary: "whether a policy file is as it should be; exits 1 and says in which line if not",
    usage: "control policy check [FILE] [flags]",
    example: "outrigger control policy check policy.yaml",
    flags: Object.values<Flag>(POLICY),
  },
  identity: {
    summary: "who a running sidecar is: its certificates, their ends, the next renewal",
    usage: "identity [flags]",
    example: "outrigger identity --admin 127.0.0.1:4191",
    flags: Object.values<Flag>(IDENTITY_COMMAND),
  },
  check: {
    summary: "whether a running sidecar is well; exits 1 if not",
    usage: "check [flags]",
    example: "outrigger check --admin 127.0.0.1:4191",
    flags: Object.values<Flag>(CHECK),
  },
  stat: {
    summary: "what running sidecars carry: rates, success, latencies, connections, by service",
    usage: "stat [flags]",
    example: "outrigger stat --admin 127.0.0.1:4191 --admin 127.0.0.1:4291 --window 10s",
    flags: Object.values<Flag>(STAT),
  },
  top: {
    summary: "the same, live until Ctrl-C",
    usage: "top [flags]",
    example: "outrigger top --admin 127.0.0.1:4191",
    flags: Object.values<Flag>(TOP),
  },
  tap: {
    summary: "requests that running sidecars carry, as they end; never headers or content",
    usage: "tap [flags]",
    example: "outrigger tap --to web --status 5xx --max 10",
    flags: Object.values<Flag>(TAP),
  },
  help: {
    summary: "this text, or that of one command",
    usage: "help [COMMAND]",
    example: "outrigger help run",
    flags: [],
  },
  version: {
    summary: "the version",
    usage: "version",
    example: "outrigger version",
    flags: [],
  },
} as const satisfies Readonly<Record<string, Command>>;

export type CommandName = keyof typeof COMMANDS;

export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

/** Every flag there is; one that several commands have is in it more than once. */
export const FLAGS: readonly Flag[] = Object.values<Command>(COMMANDS).flatMap(
  ({ flags }) => flags,
);
