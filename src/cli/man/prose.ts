/** What the man page says beside the table of commands and flags. */

/** A head, and what is to be said of it. */
export type Prose = readonly [head: string, ...paragraphs: readonly string[]];

export const DESCRIPTION: readonly string[] = [
  "outrigger runs beside one application and carries what goes to it and comes from it: it finds out " +
    "what each connection speaks, encrypts and authenticates what goes to other sidecars (mutual TLS, " +
    "certificates that renew themselves), and sends each request to the fastest endpoint.",
  "outrigger run is the sidecar. outrigger control is the control plane that sidecars may join: it " +
    "certifies who they are, tells them who serves what, and what policy says. The other commands " +
    "look at running sidecars. Without a command it is a demo of all that.",
];

export const OTHER_VARIABLES: readonly Prose[] = [
  [
    "XDG_STATE_HOME",
    "Where state is kept that outlives the program; ~/.local/state unless it is set.",
  ],
  ["HOME", "The home directory, for want of XDG_STATE_HOME."],
  [
    "HTTP_PROXY, http_proxy, NO_PROXY, no_proxy",
    "Set for the command of outrigger run: the sidecar is its proxy for HTTP, except to this machine. A " +
      "NO_PROXY or no_proxy that is set already stays.",
  ],
  [
    "NOTIFY_SOCKET, WATCHDOG_USEC",
    "Set by a service manager, which is told when outrigger is ready, how it is, and when it stops; see " +
      "sd_notify(3).",
  ],
  ["SOURCE_DATE_EPOCH", "The day that outrigger man puts on the page, in seconds since 1970."],
];

export const FILES: readonly Prose[] = [
  [
    "~/.local/state/outrigger/NAME.NAMESPACE/",
    "What a sidecar keeps across restarts: its identity, sealed with the secret of its token, and what " +
      "the control plane said. See --state-dir.",
  ],
  [
    "~/.local/state/outrigger/control/",
    "The control plane's folder: keys, tokens and settings. See --dir.",
  ],
  ["policy.yaml", "In the control plane's folder: who may call whom, and how. See --policy."],
  [
    "tls.crt, tls.key, ca.crt",
    "In the folder of --identity-dir: a sidecar's certificate with its issuers, its key, and the anchors " +
      "that it trusts; PEM, read again when they change.",
  ],
  ["libssl.so.3", "OpenSSL 3, loaded only where there are certificates."],
];

export const EXIT_STATUS: readonly Prose[] = [
  [
    "0",
    "What was asked for is done; a sidecar or a control plane has ended as a signal asked it to.",
  ],
  [
    "1",
    "Something could not be had, such as a port, a name or a folder; a thread died. check, control " +
      "policy check: something is not as it should be. identity, stat, tap: a sidecar did not answer. " +
      "demo: a request failed.",
  ],
  ["64", "The command line or a variable is wrong; nothing was started."],
  ["126, 127", "run: the command could not be started; there is no such command."],
  ["130", "A second signal ended it at once."],
  ["128 + N", "run: the command was ended by signal N, or signal N came before it was started."],
  ["any other", "run: the status that the command ended with."],
];

export const SIGNALS: readonly Prose[] = [
  [
    "SIGTERM, SIGINT",
    "run: announces itself no more, finishes what is in flight within --shutdown-grace, and ends; with a " +
      "command, what comes to it is finished first, then the command is sent SIGTERM. control: finishes " +
      "calls under way. The commands that look at sidecars end. A second signal ends run, control and demo at once.",
  ],
  [
    "SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH",
    "run with a command: passed on to it. Files that may change (certificates, policy) are read again " +
      "without a signal.",
  ],
];

/** What they show, and lines for a shell. Each command has examples of its own in the table. */
export const EXAMPLES: readonly Prose[] = [
  [
    "A mesh on one machine: a control plane, an application with its sidecar, and a client.",
    "outrigger control &",
    'outrigger run --name web --app 127.0.0.1:8000 --token "$(outrigger control token create --name web)" &',
    'outrigger run --name shop --token "$(outrigger control token create --name shop)" -- curl -sS http://web/',
  ],
  [
    "Without a control plane, balancing over two servers.",
    "outrigger run --upstream web=127.0.0.1:8081,127.0.0.1:8082 &",
    "curl -H 'Host: web' http://127.0.0.1:4140/",
  ],
  [
    "What fails of what it carries, and whether it is well.",
    "outrigger tap --status 5xx",
    "outrigger check",
  ],
];
