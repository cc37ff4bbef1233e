/** This project, from its sources, on one of its runtimes. */
import { execFileSync } from "node:child_process";
import type { Contender, Task } from "../contenders.ts";
import { ROOT, type Runtime, runtimeProgram, scriptCommand } from "../runtimes.ts";

export const SERVICE = "bench";

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

function runArguments({ mode, port, originPort }: Task): string[] {
  const listen =
    mode === "http"
      ? ["--outbound", `127.0.0.1:${port}`]
      : ["--outbound", "127.0.0.1:0", "--forward", `127.0.0.1:${port}=${SERVICE}:80`];
  return [
    ...["run", "--workers", "1", "--inbound", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
    ...["--upstream", `${SERVICE}=127.0.0.1:${originPort}`],
    ...listen,
  ];
}
