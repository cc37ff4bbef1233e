/** HAProxy, one thread. In tcp mode without `option splice-auto`: what most people run. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Contender, Task } from "../contenders.ts";
import { LISTEN_BACKLOG } from "../nginx-config.ts";

const CONNECTIONS_MAX = 5_000; // its descriptors must fit under `ulimit -n`, or it will not start

export const haproxy: Contender = {
  name: "haproxy",
  version: () => /\d\S*/.exec(execFileSync("haproxy", ["-v"], { encoding: "utf8" }))?.[0] ?? "?",
  plan: (task) => {
    const config = `${task.directory}/haproxy.cfg`;
    writeFileSync(config, configuration(task));
    return { kind: "command", command: ["haproxy", "-db", "-f", config] };
  },
};

function configuration({ mode, port, originPort }: Task): string {
  return `
global
  nbthread 1
  maxconn ${CONNECTIONS_MAX}
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  ${mode === "http" ? "http-reuse always" : ""}
frontend bench
  bind 127.0.0.1:${port} backlog ${LISTEN_BACKLOG}
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}
`;
}
