/**
 * The one table of commands and flags. The parser, the configuration and the help text are all made
 * from it; what a value looks like is in values.ts.
 */
import {
  ANCHOR,
  ANCHOR_VERBS,
  CONTROL,
  ISSUER,
  ISSUER_VERBS,
  POLICY,
  POLICY_VERBS,
  TOKEN,
  TOKEN_VERBS,
} from "./control-keys.ts";
import { DEMO } from "./demo-keys.ts";
import { CHECK, IDENTITY_COMMAND, STAT, TAP, TOP } from "./look-keys.ts";
import { REDIRECT } from "./redirect-keys.ts";
import { RUN } from "./run-keys.ts";
import { SHELLS } from "./shell-keys.ts";
import type { Parse } from "./values.ts";

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
  /** Those of its command's verbs that it is for; all of them unless said. */
  readonly verbs?: readonly string[];
  readonly help: string;
  readonly parse: Parse<T>;
};

/** Separates the entries of a repeatable flag in its variable. */
export const ENTRY_SEPARATOR = ";";

/** A word that says which of several things a command does. */
export type Verb = {
  readonly name: string;
  readonly summary: string;
  /** How the word that may follow it is called in the help text; null: none may. */
  readonly placeholder: string | null;
};

export type Command = {
  /** What it is, in one line. */
  readonly summary: string;
  /** After `outrigger`. */
  readonly usage: string;
  /** One of them has to follow. */
  readonly verbs?: readonly Verb[];
  /** At least one. Lines for a shell. */
  readonly examples: readonly string[];
  readonly flags: readonly Flag[];
};

export const COMMANDS = {
  run: {
    summary: "the sidecar beside one application; with a command, starts and ends it too",
    usage: "run [flags] [-- COMMAND ARGS…]",
    examples: [
      "outrigger run --app 127.0.0.1:8080 --upstream web=127.0.0.1:8081,127.0.0.1:8082",
      "outrigger run --name web --app 127.0.0.1:8080 --token @web.token",
      "outrigger run --name shop --token @shop.token -- curl -sS http://web/",
    ],
    flags: Object.values<Flag>(RUN),
  },
  demo: {
    summary: "a whole small mesh on this machine, with traffic; also without a command",
    usage: "demo [flags]",
    examples: ["outrigger demo --duration 10s", "outrigger demo --rate 1000 --kill 20s"],
    flags: Object.values<Flag>(DEMO),
  },
  control: {
    summary: "the control plane: certificates of sidecars, who serves what, and policy",
    usage: "control [flags]",
    examples: [
      "outrigger control --dir /var/lib/outrigger",
      "outrigger control --advertise 10.0.0.1:4142 --policy policy.yaml",
    ],
    flags: Object.values<Flag>(CONTROL),
  },
  "control token": {
    summary: "tokens by which sidecars join",
    usage: "control token create|list|revoke [ID] [flags]",
    examples: [
      "outrigger control token create --dir /var/lib/outrigger --name web",
      "outrigger control token create --name web --ttl 10m > web.token",
      "outrigger control token revoke 5f0c3a9d41e2b687",
    ],
    flags: Object.values<Flag>(TOKEN),
    verbs: TOKEN_VERBS,
  },
  "control anchor": {
    summary: "the mesh's trust anchors, and replacing one",
    usage: "control anchor list|add|promote|remove [SHA256] [flags]",
    examples: [
      "outrigger control anchor add --dir /var/lib/outrigger",
      "outrigger control anchor promote --dir /var/lib/outrigger",
      "outrigger control anchor remove --dir /var/lib/outrigger",
    ],
    flags: Object.values<Flag>(ANCHOR),
    verbs: ANCHOR_VERBS,
  },
  "control issuer": {
    summary: "renews the issuer's certificate at once; it renews itself in time",
    usage: "control issuer renew [flags]",
    examples: ["outrigger control issuer renew --dir /var/lib/outrigger"],
    flags: Object.values<Flag>(ISSUER),
    verbs: ISSUER_VERBS,
  },
  "control policy": {
    summary: "whether a policy file is as it should be; exits 1 and says in which line if not",
    usage: "control policy check [FILE] [flags]",
    examples: ["outrigger control policy check policy.yaml"],
    flags: Object.values<Flag>(POLICY),
    verbs: POLICY_VERBS,
  },
  identity: {
    summary: "who a running sidecar is: its certificates, their ends, the next renewal",
    usage: "identity [flags]",
    examples: ["outrigger identity --admin 127.0.0.1:4191", "outrigger identity --json"],
    flags: Object.values<Flag>(IDENTITY_COMMAND),
  },
  check: {
    summary: "whether a running sidecar is well; exits 1 if not",
    usage: "check [flags]",
    examples: ["outrigger check --admin 127.0.0.1:4191", "outrigger check --ready"],
    flags: Object.values<Flag>(CHECK),
  },
  stat: {
    summary: "what running sidecars carry: rates, success, latencies, connections, by service",
    usage: "stat [flags]",
    examples: [
      "outrigger stat --admin 127.0.0.1:4191 --admin 127.0.0.1:4291 --window 10s",
      "outrigger stat --json",
    ],
    flags: Object.values<Flag>(STAT),
  },
  top: {
    summary: "the same, live until Ctrl-C",
    usage: "top [flags]",
    examples: ["outrigger top --admin 127.0.0.1:4191"],
    flags: Object.values<Flag>(TOP),
  },
  tap: {
    summary: "requests that running sidecars carry, as they end; never headers or content",
    usage: "tap [flags]",
    examples: [
      "outrigger tap --to web --status 5xx --max 10",
      "outrigger tap --method POST --path /api/ --sample 100 --json",
    ],
    flags: Object.values<Flag>(TAP),
  },
  redirect: {
    summary: "prints or sets the rules that send an application's TCP through its sidecar",
    usage: "redirect [flags]",
    examples: [
      "outrigger redirect | nft -f -",
      "outrigger redirect --backend iptables | iptables-restore --noflush",
      "outrigger redirect --apply --uid 65532 --skip-inbound-ports 22",
      "outrigger redirect --remove",
    ],
    flags: Object.values<Flag>(REDIRECT),
  },
  completion: {
    summary: "a script by which a shell completes commands, flags and their values",
    usage: "completion bash|zsh|fish",
    verbs: SHELLS,
    examples: [
      "source <(outrigger completion bash)",
      "outrigger completion zsh > ~/.zfunc/_outrigger",
      "outrigger completion fish > ~/.config/fish/completions/outrigger.fish",
    ],
    flags: [],
  },
  man: {
    summary: "the man page of all this, outrigger(1)",
    usage: "man",
    examples: ["outrigger man | man -l -", "outrigger man > /usr/local/share/man/man1/outrigger.1"],
    flags: [],
  },
  help: {
    summary: "this text, or that of one command",
    usage: "help [COMMAND]",
    examples: ["outrigger help", "outrigger help control token"],
    flags: [],
  },
  version: {
    summary: "the version",
    usage: "version",
    examples: ["outrigger version"],
    flags: [],
  },
} as const satisfies Readonly<Record<string, Command>>;

export type CommandName = keyof typeof COMMANDS;

export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

/** Every flag there is; one that several commands have is in it more than once. */
export const FLAGS: readonly Flag[] = Object.values<Command>(COMMANDS).flatMap(
  ({ flags }) => flags,
);
