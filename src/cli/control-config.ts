/** From flags and environment to what `control` and its helpers are to do. */
import { join } from "node:path";
import type { ControlConfig } from "../control/serve.ts";
import type { LogLevel } from "../lib/log.ts";
import type { HostPort } from "../mesh/address.ts";
import { type Configured, configure, type Environment, type Values } from "./config.ts";
import {
  ANCHOR,
  ANCHOR_VERBS,
  CONTROL,
  ISSUER_VERBS,
  POLICY_VERBS,
  TOKEN,
  TOKEN_VERBS,
} from "./control-keys.ts";
import type { Flag, Verb } from "./keys.ts";
import { stateHome } from "./state-home.ts";
import { readVerb } from "./verb.ts";

export type ControlRun = ControlConfig & { readonly logLevel: LogLevel };

/** What is to be done in a control plane's folder. */
export type ControlTask = { readonly dir: string } & (
  | {
      readonly kind: "create-token";
      readonly name: string;
      readonly namespace: string;
      readonly ttlMs: number;
      /** How long the folder may take to become a control plane's. */
      readonly waitMs: number;
      /** null: as the control plane advertises. */
      readonly address: HostPort | null;
    }
  | { readonly kind: "list-tokens" }
  | { readonly kind: "revoke-token"; readonly id: string }
  | { readonly kind: "list-anchors" | "add-anchor" }
  | { readonly kind: "promote-anchor"; readonly force: boolean }
  | {
      readonly kind: "remove-anchor";
      /** First digits of its fingerprint; null: all old ones. */
      readonly fingerprint: string | null;
      readonly force: boolean;
    }
  | { readonly kind: "renew-issuer" }
  /** `path` null: the one in the folder. */
  | { readonly kind: "check-policy"; readonly path: string | null }
);

/** Reads the arguments that follow `control`. */
export function controlConfig(argv: readonly string[], env: Environment): Configured<ControlRun> {
  return configure("control", argv, env, (values) => ({
    dir: dirOf(values, env),
    listen: values.one(CONTROL.listen),
    advertise: values.optional(CONTROL.advertise),
    admin: values.one(CONTROL.admin),
    trustDomain: values.one(CONTROL.trustDomain),
    lifetimeMs: values.one(CONTROL.lifetime),
    policyFile: values.optional(CONTROL.policy),
    logLevel: values.one(CONTROL.logLevel),
    logFormat: values.one(CONTROL.logFormat),
    shutdownGraceMs: values.one(CONTROL.shutdownGrace),
  }));
}

/** Reads the arguments that follow `control token`. */
export function tokenTask(argv: readonly string[], env: Environment): Configured<ControlTask> {
  return task("control token", TOKEN_VERBS, argv, env, (values, verb, word) => {
    const dir = dirOf(values, env);
    if (verb === "list") return { dir, kind: "list-tokens" };
    if (verb === "revoke") {
      if (word === null) values.refuse("control token revoke: expected the token's ID");
      return { dir, kind: "revoke-token", id: word ?? "" };
    }
    return {
      dir,
      kind: "create-token",
      name: required(values, TOKEN.name),
      namespace: values.one(TOKEN.namespace),
      ttlMs: values.one(TOKEN.ttl),
      waitMs: values.one(TOKEN.wait),
      address: values.optional(TOKEN.address),
    };
  });
}

/** Reads the arguments that follow `control anchor`. */
export function anchorTask(argv: readonly string[], env: Environment): Configured<ControlTask> {
  return task("control anchor", ANCHOR_VERBS, argv, env, (values, verb, word) => {
    const dir = dirOf(values, env);
    const force = values.one(ANCHOR.force);
    if (verb === "promote") return { dir, kind: "promote-anchor", force };
    if (verb === "remove") return { dir, kind: "remove-anchor", fingerprint: word, force };
    return { dir, kind: `${verb === "add" ? "add-anchor" : "list-anchors"}` };
  });
}

/** Reads the arguments that follow `control issuer`. */
export function issuerTask(argv: readonly string[], env: Environment): Configured<ControlTask> {
  return task("control issuer", ISSUER_VERBS, argv, env, (values) => ({
    dir: dirOf(values, env),
    kind: "renew-issuer",
  }));
}

/** Reads the arguments that follow `control policy`. */
export function policyTask(argv: readonly string[], env: Environment): Configured<ControlTask> {
  return task("control policy", POLICY_VERBS, argv, env, (values, _verb, word) => ({
    dir: dirOf(values, env),
    kind: "check-policy",
    path: word,
  }));
}

function task<Name extends string>(
  command: "control token" | "control anchor" | "control issuer" | "control policy",
  verbs: readonly (Verb & { readonly name: Name })[],
  argv: readonly string[],
  env: Environment,
  build: (values: Values, verb: Name, word: string | null) => ControlTask,
): Configured<ControlTask> {
  const make = (values: Values): ControlTask => {
    const { verb, word } = readVerb(values, command, verbs);
    return build(values, verb, word);
  };
  return configure(command, argv, env, make, 2);
}

/** The folder given, or the one in which a user's programs keep their state. */
function dirOf(values: Values, env: Environment): string {
  const given = values.optional(CONTROL.dir);
  if (given !== null) return given;
  const state = stateHome(env);
  if (state === null) values.refuse(`${CONTROL.dir.name}: missing, and HOME is not set`);
  return join(state ?? "", "control");
}

/** The value of a flag without which nothing can be done. */
function required(values: Values, flag: Flag<string>): string {
  const value = values.optional(flag);
  if (value === null) values.refuse(`${flag.name}: missing, expected ${flag.placeholder}`);
  return value ?? "";
}
