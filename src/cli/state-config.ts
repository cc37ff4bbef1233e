/** Where a sidecar keeps what outlives it, as configured. */
import { join } from "node:path";
import type { Environment, Values } from "./config.ts";
import type { IdentityConfig } from "./identity-config.ts";
import { RUN } from "./run-keys.ts";
import { stateHome } from "./state-home.ts";

export type StateConfig = {
  /** null: nothing is kept. */
  readonly dir: string | null;
  /** Why nothing is kept though there is something to keep and nobody said so; else null. */
  readonly problem: string | null;
};

/**
 * Without a control plane there is nothing to keep. Replicas of one name on one machine share the
 * default folder: any of them can go on with what another one wrote.
 */
export function stateOf(
  values: Values,
  env: Environment,
  { defaults, token }: IdentityConfig,
  name: string | null,
): StateConfig {
  const given = values.optional(RUN.stateDir);
  if (token === null || name === null || given === "") return { dir: null, problem: null };
  if (given !== null) return { dir: given, problem: null };
  const base = stateHome(env);
  if (base === null) return { dir: null, problem: "HOME is not set: name a --state-dir" };
  return { dir: join(base, `${name}.${defaults.namespace}`), problem: null };
}
