/** nginx as a proxy with connections kept to the origin; for tcp its stream module, if installed. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import process from "node:process";
import type { Contender, Mode, Task } from "../contenders.ts";
import { LISTEN_BACKLOG, nginxCommand, nginxHttp, nginxMain } from "../nginx-config.ts";

const UPSTREAM_KEPT_CONNECTIONS = 64; // as many as the load has
const STREAM_MODULE =
  process.env["NGINX_STREAM_MODULE"] ?? "/usr/lib/nginx/modules/ngx_stream_module.so";

const MODES: readonly Mode[] = ["http", "tcp"];

export const nginx: Contender = {
  name: "nginx",
  version: () => {
    const { stderr } = spawnSync("nginx", ["-v"], { encoding: "utf8" });
    return /nginx\/(\S+)/.exec(stderr)?.[1] ?? "?";
  },
  plan: (task) => {
    if (!MODES.includes(task.mode)) {
      return { kind: "absent", reason: "it cannot speak HTTP/2 to what is behind it" };
    }
    if (task.mode === "tcp" && !existsSync(STREAM_MODULE)) {
      return { kind: "absent", reason: "no stream module (Debian: libnginx-mod-stream)" };
    }
    const config = `${task.directory}/nginx.conf`;
    writeFileSync(config, task.mode === "http" ? httpConfiguration(task) : tcpConfiguration(task));
    return { kind: "command", command: nginxCommand(task.directory, config) };
  },
};

function httpConfiguration({ port, originPort }: Task): string {
  return `${nginxMain()}
    http {
      ${nginxHttp()}
      upstream origin {
        server 127.0.0.1:${originPort};
        keepalive ${UPSTREAM_KEPT_CONNECTIONS};
        keepalive_requests 1000000000;
      }
      server {
        listen 127.0.0.1:${port} backlog=${LISTEN_BACKLOG};
        location / {
          proxy_pass http://origin;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $host;
        }
      }
    }\n`;
}

function tcpConfiguration({ port, originPort }: Task): string {
  return `load_module ${STREAM_MODULE};
    ${nginxMain()}
    stream {
      server {
        listen 127.0.0.1:${port} backlog=${LISTEN_BACKLOG};
        proxy_pass 127.0.0.1:${originPort};
      }
    }\n`;
}
