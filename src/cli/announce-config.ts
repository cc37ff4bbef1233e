/** What a sidecar tells the control plane of itself, as configured. */
import type { RunConfig, Values } from "./config.ts";
import type { IdentityConfig } from "./identity-config.ts";
import { RUN } from "./run-keys.ts";

export type AnnounceConfig = {
  /** Whether --service was given. */
  readonly isAsked: boolean;
  /** NAME.NAMESPACE each; none without an application. */
  readonly services: readonly string[];
  /** A name or an address; null: that of the listener, or as the control plane sees it. */
  readonly advertise: string | null;
  readonly weight: number;
};

export function announceOf(values: Values, { defaults }: IdentityConfig): AnnounceConfig {
  const given = values.many(RUN.service);
  const own = values.optional(RUN.name);
  const names = given.length > 0 || own === null ? given : [own];
  const whole = names.map((name) => (name.includes(".") ? name : `${name}.${defaults.namespace}`));
  return Object.freeze({
    isAsked: given.length > 0,
    services: values.optional(RUN.app) === null ? [] : [...new Set(whole)],
    advertise: values.optional(RUN.advertise),
    weight: values.one(RUN.weight),
  });
}

/** Each service is a call to the control plane that goes on. */
const SERVICES_MAX = 64;

/** What does not go together. */
export function announceProblem({ app, identity, announce }: RunConfig): string | null {
  if (announce.isAsked && (app === null || identity.token === null)) {
    return "--service: expected with --app and --token";
  }
  if (announce.services.length > SERVICES_MAX) return `--service: at most ${SERVICES_MAX}`;
  if (announce.advertise === null || identity.token !== null) return null;
  return "--advertise: expected with --token, to tell a control plane";
}
