/** This project on one of its runtimes, from its sources or built into one file. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { Contender, Task } from "../contenders.ts";
import type { IdentityFiles } from "../identities.ts";
import { ROOT, type Runtime, type ScriptCommand, scriptCommand } from "../runtimes.ts";

export const SERVICE = "bench";
const BUILT_PROGRAM = `${ROOT}dist/outrigger-bun`;
const ANY_PORT = "127.0.0.1:0";

interface Arguments {
  readonly inbound?: string;
  readonly outbound?: string;
  readonly targets: readonly string[];
}

/** `root` is the checkout that it comes from, and `command` how that runs its files. */
export function outriggerOn(
  runtime: Runtime,
  root: string = ROOT,
  command: ScriptCommand = scriptCommand,
): Contender {
  return {
    name: `outrigger-${runtime}`,
    version: () => {
      const [program = runtime] = command(runtime, "", []);
      const text = execFileSync(program, ["--version"], { encoding: "utf8" });
      return `${runtime} ${/\d+\.\d+\.\d+\S*/.exec(text)?.[0] ?? "?"}`;
    },
    plan: (task) => ({
      kind: "command",
      command: command(runtime, `${root}src/cli/main.ts`, runArguments(task)),
    }),
  };
}

/** As `npm run build` makes it, of whatever sources there were then. */
export const outriggerBuilt: Contender = {
  name: "outrigger-bun-built",
  version: () => execFileSync(BUILT_PROGRAM, ["--version"], { encoding: "utf8" }).trim(),
  plan: (task) => ({ kind: "command", command: [BUILT_PROGRAM, ...runArguments(task)] }),
};

export function isBuilt(): boolean {
  return existsSync(BUILT_PROGRAM);
}

function runArguments(task: Task): string[] {
  const { inbound = ANY_PORT, outbound = ANY_PORT, targets } = placeOf(task);
  return [
    ...["run", "--workers", "1", "--admin", ANY_PORT],
    ...["--inbound", inbound, "--outbound", outbound, ...targets],
  ];
}

/** Which listener the load comes to, and what the sidecar is told of what is behind it. */
function placeOf(task: Task): Arguments {
  const { mode, port, originPort, applicationPort } = task;
  const { client, service } = task.identities;
  const own = `127.0.0.1:${port}`;
  const origin = `127.0.0.1:${originPort}`;
  switch (mode) {
    case "http":
      return { outbound: own, targets: ["--upstream", `${SERVICE}=${origin}`] };
    case "http2":
      return { outbound: own, targets: ["--upstream", `${SERVICE}=h2:${origin}`] };
    case "chain-client":
      return { outbound: own, targets: ["--upstream", `${SERVICE}=sidecar:${origin}`] };
    case "chain-origin":
      return { inbound: own, targets: ["--app", `h1:${origin}`] };
    case "tcp":
      return { targets: forward(own, origin) };
    case "mtls-http":
    case "mtls-chain-origin":
      return { inbound: own, targets: ["--app", `h1:${origin}`, ...identity(service)] };
    case "mtls-chain-client": {
      const next = `${SERVICE}=sidecar:${SERVICE}@${origin}`;
      return { outbound: own, targets: ["--upstream", next, ...identity(client)] };
    }
    case "mtls-tcp-client": {
      const next = `sidecar:${SERVICE}:${applicationPort}@${origin}`;
      return { targets: [...forward(own, next), ...identity(client)] };
    }
    case "mtls-tcp-origin":
      return { inbound: own, targets: ["--app", origin, ...identity(service)] };
  }
}

function forward(own: string, endpoint: string): string[] {
  return ["--forward", `${own}=${SERVICE}:80`, "--upstream", `${SERVICE}=${endpoint}`];
}

function identity({ directory }: IdentityFiles): string[] {
  return ["--identity-dir", directory];
}
