/** The flags of `control` and of what is done beside a control plane in its folder. */
import { NAMESPACE_DEFAULT, TRUST_DOMAIN_DEFAULT } from "../mesh/identity.ts";
import type { Flag, Verb } from "./keys.ts";
import { LOG } from "./log-keys.ts";
import { duration, label, listener, onOff, path, target, trustDomain } from "./values.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** As the authority has it. */
const LIFETIME_MIN_MS = 5_000;
const LIFETIME_MAX_MS = 30 * DAY_MS;
const TTL_MIN_MS = 1_000;
const TTL_MAX_MS = 3_653 * DAY_MS;

const dir = {
  name: "--dir",
  variable: "OUTRIGGER_CONTROL_DIR",
  placeholder: "DIR",
  fallback: null,
  fallbackText: "outrigger/control in $XDG_STATE_HOME or ~/.local/state",
  help: "the folder of keys, tokens and settings; made on the first start",
  parse: path,
} as const satisfies Flag<string>;

export const CONTROL = {
  dir,
  listen: {
    name: "--listen",
    variable: "OUTRIGGER_CONTROL_LISTEN",
    placeholder: "IP:PORT",
    fallback: "0.0.0.0:4142",
    help: "where sidecars connect; without TLS only from this host",
    parse: listener,
  },
  advertise: {
    name: "--advertise",
    variable: "OUTRIGGER_CONTROL_ADVERTISE",
    placeholder: "HOST:PORT",
    fallback: null,
    fallbackText: "as it listens, and 127.0.0.1 for all addresses",
    help: "where join tokens tell sidecars to connect",
    parse: target,
  },
  admin: {
    name: "--admin",
    variable: "OUTRIGGER_CONTROL_ADMIN",
    placeholder: "IP:PORT",
    fallback: "127.0.0.1:4192",
    help: "the listener of the admin API; port 0 picks one",
    parse: listener,
  },
  trustDomain: {
    name: "--trust-domain",
    variable: "OUTRIGGER_TRUST_DOMAIN",
    placeholder: "NAME",
    fallback: TRUST_DOMAIN_DEFAULT,
    help: "the last part of all names that it certifies; the same for the folder's whole life",
    parse: trustDomain,
  },
  lifetime: {
    name: "--certificate-lifetime",
    variable: "OUTRIGGER_CONTROL_CERTIFICATE_LIFETIME",
    placeholder: "DURATION",
    fallback: "24h",
    help: "of sidecars' certificates, which are renewed at 70 % of it",
    parse: duration(LIFETIME_MIN_MS, LIFETIME_MAX_MS),
  },
  policy: {
    name: "--policy",
    variable: "OUTRIGGER_CONTROL_POLICY",
    placeholder: "FILE",
    fallback: null,
    fallbackText: "policy.yaml in --dir, if there is one",
    help: "who may call whom, and how; read again when it changes, see docs/policy.md",
    parse: path,
  },
  ...LOG,
  shutdownGrace: {
    name: "--shutdown-grace",
    variable: "OUTRIGGER_SHUTDOWN_GRACE",
    placeholder: "DURATION",
    fallback: "5s",
    help: "how long SIGTERM waits for calls under way",
    parse: duration(0, HOUR_MS),
  },
} as const satisfies Readonly<Record<string, Flag>>;

export const TOKEN = {
  dir,
  name: {
    name: "--name",
    variable: "OUTRIGGER_TOKEN_NAME",
    placeholder: "NAME",
    fallback: null,
    verbs: ["create"],
    help: "the service that may join with it",
    parse: label,
  },
  namespace: {
    name: "--namespace",
    variable: "OUTRIGGER_NAMESPACE",
    placeholder: "NAME",
    fallback: NAMESPACE_DEFAULT,
    verbs: ["create"],
    help: "the namespace of --name",
    parse: label,
  },
  ttl: {
    name: "--ttl",
    variable: "OUTRIGGER_TOKEN_TTL",
    placeholder: "DURATION",
    fallback: "1h",
    verbs: ["create"],
    help: "how long it can be used; certificates got with it are renewed without it",
    parse: duration(TTL_MIN_MS, TTL_MAX_MS),
  },
  wait: {
    name: "--wait",
    variable: "OUTRIGGER_TOKEN_WAIT",
    placeholder: "DURATION",
    fallback: "10s",
    verbs: ["create"],
    help: "how long a control plane may take that has only just been started",
    parse: duration(0, HOUR_MS),
  },
  address: {
    name: "--address",
    variable: "OUTRIGGER_TOKEN_ADDRESS",
    placeholder: "HOST:PORT",
    fallback: null,
    fallbackText: "what the control plane advertises",
    verbs: ["create"],
    help: "where the sidecar connects",
    parse: target,
  },
} as const satisfies Readonly<Record<string, Flag>>;

export const ANCHOR = {
  dir,
  force: {
    name: "--force",
    variable: "OUTRIGGER_ANCHOR_FORCE",
    placeholder: null,
    fallback: "off",
    verbs: ["promote", "remove"],
    help: "does not wait until all certificates from before have expired",
    parse: onOff,
  },
} as const satisfies Readonly<Record<string, Flag>>;

export const ISSUER = { dir } as const satisfies Readonly<Record<string, Flag>>;

export const POLICY = { dir } as const satisfies Readonly<Record<string, Flag>>;

export const TOKEN_VERBS = [
  { name: "create", summary: "makes a token and prints it, once", placeholder: null },
  { name: "list", summary: "the tokens there are, never their secrets", placeholder: null },
  { name: "revoke", summary: "a token can be used no more", placeholder: "ID" },
] as const satisfies readonly Verb[];

export const ANCHOR_VERBS = [
  {
    name: "list",
    summary: "the anchors, and which one the issuer is signed by",
    placeholder: null,
  },
  { name: "add", summary: "makes a new anchor, which all sidecars learn of", placeholder: null },
  { name: "promote", summary: "the newest anchor signs the issuer from now on", placeholder: null },
  { name: "remove", summary: "takes old anchors away: all, or one", placeholder: "SHA256" },
] as const satisfies readonly Verb[];

export const ISSUER_VERBS = [
  { name: "renew", summary: "makes a new certificate now", placeholder: null },
] as const satisfies readonly Verb[];

export const POLICY_VERBS = [
  { name: "check", summary: "reads a file; without one, that in --dir", placeholder: "FILE" },
] as const satisfies readonly Verb[];
