/** From flags and environment to which running sidecars are looked at, and what for. */
import type { TapFilter } from "../admin/tap-query.ts";
import { formatHostPort, type HostPort } from "../mesh/address.ts";
import { TAP_ALL } from "../mesh/tap.ts";
import { type Configured, configure, type Environment, type Values } from "./config.ts";
import { CHECK, IDENTITY_COMMAND, LOOK, STAT, TAP, TOP } from "./look-keys.ts";
import { Wrong } from "./values.ts";

export type LookConfig = {
  /** `http://HOST:PORT`. */
  readonly adminUrl: string;
};

export type TopConfig = {
  /** At least one. */
  readonly adminUrls: readonly string[];
  readonly windowMs: number;
};

export type StatConfig = TopConfig & { readonly isJson: boolean };

export type TapConfig = {
  readonly adminUrls: readonly string[];
  readonly filter: TapFilter;
  /** Null: no end. */
  readonly max: number | null;
  readonly durationMs: number | null;
  readonly isJson: boolean;
};

/** Sidecars that are looked at together: a screen has no more lines. */
const ADMINS_MAX = 64;

/** Reads the arguments that follow `identity`. */
export function identityConfig(
  argv: readonly string[],
  env: Environment,
): Configured<LookConfig & { readonly isJson: boolean }> {
  return configure("identity", argv, env, (values) => ({
    adminUrl: urlOf(values.one(LOOK.admin)),
    isJson: values.one(IDENTITY_COMMAND.json),
  }));
}

/** Reads the arguments that follow `check`. */
export function checkConfig(
  argv: readonly string[],
  env: Environment,
): Configured<LookConfig & { readonly isReadyOnly: boolean }> {
  return configure("check", argv, env, (values) => ({
    adminUrl: urlOf(values.one(CHECK.admin)),
    isReadyOnly: values.one(CHECK.ready),
  }));
}

/** Reads the arguments that follow `stat`. */
export function statConfig(argv: readonly string[], env: Environment): Configured<StatConfig> {
  return configure("stat", argv, env, (values) => ({
    adminUrls: adminUrls(values),
    windowMs: values.one(STAT.window),
    isJson: values.one(STAT.json),
  }));
}

/** Reads the arguments that follow `top`. */
export function topConfig(argv: readonly string[], env: Environment): Configured<TopConfig> {
  return configure("top", argv, env, (values) => ({
    adminUrls: adminUrls(values),
    windowMs: values.one(TOP.window),
  }));
}

/** Reads the arguments that follow `tap`. */
export function tapConfig(argv: readonly string[], env: Environment): Configured<TapConfig> {
  return configure("tap", argv, env, (values) => ({
    adminUrls: adminUrls(values),
    filter: {
      ...TAP_ALL,
      to: values.optional(TAP.to),
      from: values.optional(TAP.from),
      method: values.optional(TAP.method),
      path: values.optional(TAP.path),
      ...values.optional(TAP.status),
      sample: values.one(TAP.sample),
      query: values.one(TAP.query),
    },
    max: values.optional(TAP.max),
    durationMs: values.optional(TAP.duration),
    isJson: values.one(TAP.json),
  }));
}

function adminUrls(values: Values): readonly string[] {
  const given = values.many(TOP.admin);
  const urls = new Set((given.length === 0 ? defaults() : given).map(urlOf));
  if (urls.size > ADMINS_MAX) {
    values.refuse(`--admin: ${urls.size} sidecars: expected at most ${ADMINS_MAX}`);
  }
  return [...urls];
}

function defaults(): readonly HostPort[] {
  const parsed = TOP.admin.parse(TOP.admin.fallback);
  return parsed instanceof Wrong ? [] : [parsed];
}

function urlOf({ host, port }: HostPort): string {
  return `http://${formatHostPort(host, port)}`;
}
