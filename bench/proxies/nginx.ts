/** nginx as a proxy with connections kept to the origin; for tcp its stream module, if installed. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import process from "node:process";
import type { Contender, Mode, Task } from "../contenders.ts";
import { type IdentityFiles, TLS_SUITE } from "../identities.ts";
import { LISTEN_BACKLOG, nginxCommand, nginxHttp, nginxMain } from "../nginx-config.ts";

const UPSTREAM_KEPT_CONNECTIONS = 1_024; // as many as the largest load has
const BODY_BYTES_MAX = 131_072; // twice the largest of the bodies
const STREAM_MODULE =
  process.env["NGINX_STREAM_MODULE"] ?? "/usr/lib/nginx/modules/ngx_stream_module.so";

const MODES: readonly Mode[] = ["http", "tcp", "mtls-http"];
const MODES_OF_TWO: readonly Mode[] = ["mtls-tcp-client", "mtls-tcp-origin"];

export const nginx: Contender = {
  name: "nginx",
  version: () => {
    const { stderr } = spawnSync("nginx", ["-v"], { encoding: "utf8" });
    return /nginx\/(\S+)/.exec(stderr)?.[1] ?? "?";
  },
  plan: (task) => {
    if (MODES_OF_TWO.includes(task.mode)) {
      return { kind: "absent", reason: "two of it in a row are not set up here" };
    }
    if (!MODES.includes(task.mode)) {
      return { kind: "absent", reason: "it cannot speak HTTP/2 to what is behind it" };
    }
    if (task.mode === "tcp" && !existsSync(STREAM_MODULE)) {
      return { kind: "absent", reason: "no stream module (Debian: libnginx-mod-stream)" };
    }
    const config = `${task.directory}/nginx.conf`;
    writeFileSync(config, task.mode === "tcp" ? tcpConfiguration(task) : httpConfiguration(task));
    return { kind: "command", command: nginxCommand(task.directory, config) };
  },
};

function httpConfiguration({ mode, port, originPort, identities }: Task): string {
  const isTls = mode === "mtls-http";
  return `${nginxMain()}
    http {
      ${nginxHttp()}
      upstream origin {
        server 127.0.0.1:${originPort};
        keepalive ${UPSTREAM_KEPT_CONNECTIONS};
        keepalive_requests 1000000000;
      }
      ${buffersInMemory()}
      server {
        listen 127.0.0.1:${port} ${isTls ? "ssl" : ""} backlog=${LISTEN_BACKLOG};
        ${isTls ? tlsDirectives(identities.service) : ""}
        location / {
          proxy_pass http://origin;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $host;
        }
      }
    }\n`;
}

/** As it comes, bodies from 16 KiB on would go through files, which is not what is compared here. */
function buffersInMemory(): string {
  return `client_body_buffer_size ${BODY_BYTES_MAX};
      proxy_buffers 8 16k;`;
}

/** Mutual TLS 1.3, every handshake a whole one. */
function tlsDirectives({ certificate, key, anchor }: IdentityFiles): string {
  return `
        ssl_certificate ${certificate};
        ssl_certificate_key ${key};
        ssl_client_certificate ${anchor};
        ssl_verify_client on;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites ${TLS_SUITE};
        ssl_session_cache off;
        ssl_session_tickets off;`;
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
