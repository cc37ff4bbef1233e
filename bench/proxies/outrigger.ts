/** This project, from its sources, on one of its runtimes. */
import { execFileSync } from "node:child_process";
import type { Contender, Task } from "../contenders.ts";
import type { IdentityFiles } from "../identities.ts";
import { ROOT, type Runtime, runtimeProgram, scriptCommand } from "../runtimes.ts";

export const SERVICE = "bench";
const ANY_PORT = "127.0.0.1:0";

interface Arguments {
  readonly inbound?: string;
  readonly outbound?: string;
  readonly targets: readonly string[];
}

export function outriggerOn(runtime: Runtime): Contender {
  return {
    name: `outrigger-${runtime}`,
    version: () => {
      const text = execFileSync(runtimeProgram(runtime), ["--version"], { encoding: "utf8" });
      return `${runtime} ${/\d+\.\d+\.\d+\S*/.exec(text)?.[0] ?? "?"}`;
    },
    plan: (task) => ({
      kind: "command",
      command: scriptCommand(runtime, `${ROOT}src/cli/main.ts`, runArguments(task)),
    }),
  };
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
