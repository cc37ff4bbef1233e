/**
 * From flags and environment to a frozen configuration, or to one line that says what is wrong with
 * it. A flag beats its variable, which beats the default; a repeatable flag replaces all entries of
 * its variable. An empty variable is a value like any other. Opens nothing and looks nothing up.
 */

import type { BalancerName } from "../balancer/tuning.ts";
import type { Upstream } from "../discovery/target.ts";
import { assert } from "../lib/assert.ts";
import type { LogFormat, LogLevel } from "../lib/log.ts";
import type { HostPort } from "../mesh/address.ts";
import type { InboundPolicy } from "../mesh/snapshot.ts";
import { ENDPOINTS_MAX } from "../shared/layout.ts";
import { type AnnounceConfig, announceOf, announceProblem } from "./announce-config.ts";
import { type Failure, failure, type ParsedFlags, parseFlags } from "./args.ts";
import { DEMO } from "./demo-keys.ts";
import {
  type IdentityConfig,
  identityOf,
  identityProblem,
  policyOf,
  resolved,
} from "./identity-config.ts";
import { type CommandName, ENTRY_SEPARATOR, FLAGS, type Flag } from "./keys.ts";
import { listenersProblem } from "./listeners-problem.ts";
import { nearest } from "./nearest.ts";
import { RUN } from "./run-keys.ts";
import { type StateConfig, stateOf } from "./state-config.ts";
import { type ForwardConfig, quote, type UpstreamEndpoint, Wrong } from "./values.ts";

export type { HostPort } from "../mesh/address.ts";
export type { ForwardConfig, UpstreamConfig, UpstreamEndpoint } from "./values.ts";

/** Half of the rows in shared memory; the rest is for what DNS finds. */
export const ENDPOINTS_STATIC_MAX = ENDPOINTS_MAX / 2;

/** Each is a listening socket, and all are polled by one thread. */
export const FORWARDS_MAX = 64;

const MOVABLE = ["inbound", "outbound", "admin"] as const;

export type RunConfig = {
  /** The application to start, with its arguments; null: it is started by somebody else. */
  readonly command: readonly string[] | null;
  /** The service this application is, in lower case. */
  readonly name: string | null;
  readonly app: UpstreamEndpoint | null;
  /** Listeners have an IP address as host; port 0 picks one. */
  readonly inbound: HostPort;
  readonly outbound: HostPort;
  readonly admin: HostPort;
  /**
   * Listeners that nobody asked to be where they are by default: if the port is taken, by a sidecar
   * of another application mostly, any other will do. Only in a mesh, where names lead to ports.
   */
  readonly movable: readonly string[];
  readonly upstreams: readonly Upstream[];
  readonly forwards: readonly ForwardConfig[];
  readonly opaquePorts: ReadonlySet<number>;
  readonly detectTimeoutMs: number;
  /** Null: as the CPUs suggest. */
  readonly workers: number | null;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly balancer: BalancerName;
  readonly accessLog: "on" | "off";
  readonly shutdownGraceMs: number;
  readonly identity: IdentityConfig;
  readonly policy: InboundPolicy;
  readonly announce: AnnounceConfig;
  /** What the control plane said is kept there. */
  readonly state: StateConfig;
};

export type DemoConfig = {
  /** Null: until Ctrl-C. */
  readonly durationMs: number | null;
  /** Requests per second. */
  readonly rate: number;
  /** How often a replica is killed; null: never. */
  readonly killMs: number | null;
  readonly plain: boolean;
};

export type Environment = Readonly<Record<string, string | undefined>>;

export type Configured<T> = { readonly ok: true; readonly config: Readonly<T> } | Failure;

/** Reads the arguments that follow `run`. */
export function runConfig(argv: readonly string[], env: Environment): Configured<RunConfig> {
  return configure("run", argv, env, (values) => {
    const name = values.optional(RUN.name);
    const identity = identityOf(values, name);
    const { defaults } = identity;
    const config: RunConfig = {
      command: values.rest,
      name,
      app: values.optional(RUN.app),
      inbound: values.one(RUN.inbound),
      outbound: values.one(RUN.outbound),
      admin: values.one(RUN.admin),
      movable: identity.token === null ? [] : MOVABLE.filter((key) => !values.has(RUN[key])),
      upstreams: Object.freeze(values.many(RUN.upstream).map((each) => resolved(each, defaults))),
      forwards: values.many(RUN.forward),
      opaquePorts: values.one(RUN.opaquePorts),
      detectTimeoutMs: values.one(RUN.detectTimeout),
      workers: values.optional(RUN.workers),
      logLevel: values.one(RUN.logLevel),
      logFormat: values.one(RUN.logFormat),
      balancer: values.one(RUN.balancer),
      accessLog: values.one(RUN.accessLog),
      shutdownGraceMs: values.one(RUN.shutdownGrace),
      identity,
      policy: policyOf(values, defaults),
      announce: announceOf(values, identity),
      state: stateOf(values, env, identity, name),
    };
    values.refuse(announceProblem(config));
    values.refuse(upstreamsProblem(config) ?? listenersProblem(config) ?? identityProblem(config));
    return config;
  });
}

/** Reads the arguments that follow `demo`. */
export function demoConfig(argv: readonly string[], env: Environment): Configured<DemoConfig> {
  return configure("demo", argv, env, (values) => ({
    durationMs: values.optional(DEMO.duration),
    rate: values.one(DEMO.rate),
    killMs: values.optional(DEMO.kill),
    plain: values.one(DEMO.plain),
  }));
}

export function configure<T>(
  command: CommandName,
  argv: readonly string[],
  env: Environment,
  build: (values: Values) => T,
  wordsMax = 0,
): Configured<T> {
  const flags = parseFlags(command, argv);
  if (!flags.ok) return flags;
  if (flags.rest !== null && command !== "run")
    return failure(`${command}: unexpected argument "--"`);
  if (flags.rest?.[0] === "" || flags.rest?.length === 0) {
    return failure("--: expected a command and its arguments");
  }
  const word = flags.words[wordsMax];
  if (word !== undefined) return failure(`${command}: unexpected argument ${quote(word)}`);
  const values = new Values(flags, env);
  values.refuse(variableProblem(env));
  const config = Object.freeze(build(values));
  return values.problem === null ? { ok: true, config } : failure(values.problem);
}

/** Reads values and keeps the first problem; after one, what it returns is only of the right type. */
export class Values {
  problem: string | null = null;
  /** What was given beside the flags. */
  readonly words: readonly string[];
  /** What follows `--`. */
  readonly rest: readonly string[] | null;
  readonly #flags: ParsedFlags["values"];
  readonly #env: Environment;

  constructor(flags: ParsedFlags, env: Environment) {
    this.words = flags.words;
    this.rest = flags.rest === null ? null : Object.freeze([...flags.rest]);
    this.#flags = flags.values;
    this.#env = env;
  }

  refuse(problem: string | null): void {
    this.problem ??= problem;
  }

  /** The value of a flag that has a default. */
  one<T>(flag: Flag<T>): T {
    const given = this.optional(flag);
    if (given !== null) return given;
    const fallback = flag.parse(flag.fallback ?? "");
    assert(!(fallback instanceof Wrong), `the default of ${flag.name}`);
    return fallback;
  }

  /** The value of a flag, null when it was not given. */
  optional<T>(flag: Flag<T>): T | null {
    const [value] = this.many(flag);
    return value ?? null;
  }

  /** Whether a flag or its variable was given. */
  has(flag: Flag): boolean {
    return this.#flags.has(flag.name) || this.#env[flag.variable] !== undefined;
  }

  /** The values of a flag in the order given. */
  many<T>(flag: Flag<T>): readonly T[] {
    const given = this.#flags.get(flag.name);
    const source = given === undefined ? flag.variable : flag.name;
    const parsed: T[] = [];
    for (const text of given ?? this.#fromVariable(flag)) {
      const value = flag.parse(text);
      const shown = flag.isSecret === true ? "its value" : quote(text);
      if (value instanceof Wrong) this.refuse(`${source}: ${shown}: ${value.reason}`);
      else parsed.push(value);
    }
    return Object.freeze(parsed);
  }

  #fromVariable(flag: Flag): readonly string[] {
    const text = this.#env[flag.variable];
    if (text === undefined) return [];
    return flag.isRepeatable ? text.split(ENTRY_SEPARATOR) : [text];
  }
}

/**
 * A variable that is nearly one of ours is a slip. Others are left alone: a Kubernetes service named
 * outrigger puts OUTRIGGER_PORT and its like into every environment.
 */
function variableProblem(env: Environment): string | null {
  const known = FLAGS.map(({ variable }) => variable);
  for (const name of Object.keys(env)) {
    if (!name.startsWith("OUTRIGGER_") || known.some((variable) => variable === name)) continue;
    const meant = nearest(name, known);
    if (meant !== null) return `unknown variable ${quote(name)}; did you mean ${meant}?`;
  }
  return null;
}

function upstreamsProblem({
  upstreams,
  forwards,
}: Pick<RunConfig, "upstreams" | "forwards">): string | null {
  const names = new Set<string>();
  let endpointsCount = 0;
  for (const { name, endpoints } of upstreams) {
    if (names.has(name)) return `--upstream: ${quote(name)}: given twice`;
    names.add(name);
    endpointsCount += endpoints.length;
  }
  if (endpointsCount > ENDPOINTS_STATIC_MAX) {
    return `--upstream: ${endpointsCount} endpoints: expected at most ${ENDPOINTS_STATIC_MAX}`;
  }
  if (forwards.length > FORWARDS_MAX) {
    return `--forward: ${forwards.length} listeners: expected at most ${FORWARDS_MAX}`;
  }
  return null;
}
