/** HAProxy, one thread. In tcp mode without `option splice-auto`: what most people run. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Contender, Mode, Task } from "../contenders.ts";
import { LISTEN_BACKLOG } from "../nginx-config.ts";

const CONNECTIONS_MAX = 5_000; // its descriptors must fit under `ulimit -n`, or it will not start

/** Where it speaks HTTP/2, from the first byte on: to its clients, or to what is behind it. */
const HTTP2_TO_CLIENTS: readonly Mode[] = ["http2", "chain-origin"];
const HTTP2_TO_SERVER: readonly Mode[] = ["http2", "chain-client"];

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
  const isTcp = mode === "tcp";
  return `
global
  nbthread 1
  maxconn ${CONNECTIONS_MAX}
defaults
  mode ${isTcp ? "tcp" : "http"}
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  ${isTcp ? "" : "http-reuse always"}
frontend bench
  bind 127.0.0.1:${port} backlog ${LISTEN_BACKLOG} ${HTTP2_TO_CLIENTS.includes(mode) ? "proto h2" : ""}
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort} ${HTTP2_TO_SERVER.includes(mode) ? "proto h2" : ""}
`;
}
