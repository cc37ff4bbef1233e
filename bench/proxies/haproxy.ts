/** HAProxy, one thread. In tcp mode without `option splice-auto`: what most people run. With mutual TLS
 * every handshake is a whole one, as outrigger has it: what tickets OpenSSL sends all the same lead to
 * no session, and none is offered. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Contender, Mode, Task } from "../contenders.ts";
import { type Identities, TLS_SUITE } from "../identities.ts";
import { LISTEN_BACKLOG } from "../nginx-config.ts";

/** As nginx has it. It wants two descriptors for each; where there are not so many, as for clients that
 * are idle there need not be, it is to start all the same: that is what `no strict-limits` says. */
const CONNECTIONS_MAX = 12_000;

/** Where it speaks HTTP/2, from the first byte on: to its clients, or to what is behind it. */
const HTTP2_TO_CLIENTS: readonly Mode[] = ["http2", "chain-origin", "mtls-chain-origin"];
const HTTP2_TO_SERVER: readonly Mode[] = ["http2", "chain-client", "mtls-chain-client"];

/** Where it speaks mutual TLS. */
const TLS_TO_CLIENTS: readonly Mode[] = ["mtls-http", "mtls-chain-origin", "mtls-tcp-origin"];
const TLS_TO_SERVER: readonly Mode[] = ["mtls-chain-client", "mtls-tcp-client"];

const TCP: readonly Mode[] = ["tcp", "mtls-tcp-client", "mtls-tcp-origin"];

export const haproxy: Contender = {
  name: "haproxy",
  version: () => /\d\S*/.exec(execFileSync("haproxy", ["-v"], { encoding: "utf8" }))?.[0] ?? "?",
  plan: (task) => {
    const config = `${task.directory}/haproxy.cfg`;
    writeFileSync(config, configuration(task));
    return { kind: "command", command: ["haproxy", "-db", "-f", config] };
  },
};

function configuration({ mode, port, originPort, identities }: Task): string {
  const isTcp = TCP.includes(mode);
  return `
global
  nbthread 1
  maxconn ${CONNECTIONS_MAX}
  no strict-limits
  tune.ssl.cachesize 0
  ssl-default-bind-ciphersuites ${TLS_SUITE}
  ssl-default-server-ciphersuites ${TLS_SUITE}
defaults
  mode ${isTcp ? "tcp" : "http"}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  ${isTcp ? "" : "http-reuse always"}
frontend bench
  bind 127.0.0.1:${port} backlog ${LISTEN_BACKLOG} ${clientOptions(mode, identities)}
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort} ${serverOptions(mode, identities)}
`;
}

function clientOptions(mode: Mode, { service }: Identities): string {
  const isHttp2 = HTTP2_TO_CLIENTS.includes(mode);
  const tls = [
    ...["ssl", "crt", service.certificateAndKey, "ca-file", service.anchor, "verify required"],
    ...["ssl-min-ver TLSv1.3", "no-tls-tickets", isHttp2 ? "alpn h2" : ""],
  ];
  return [...(TLS_TO_CLIENTS.includes(mode) ? tls : []), isHttp2 ? "proto h2" : ""].join(" ");
}

/** With `sni` and `verify required` it also checks that the server's certificate has that name. */
function serverOptions(mode: Mode, { client, service }: Identities): string {
  const isHttp2 = HTTP2_TO_SERVER.includes(mode);
  const tls = [
    ...["ssl", "crt", client.certificateAndKey, "ca-file", client.anchor, "verify required"],
    ...["ssl-min-ver TLSv1.3", "no-ssl-reuse", `sni str(${service.dnsName})`],
    isHttp2 ? "alpn h2" : "",
  ];
  return [...(TLS_TO_SERVER.includes(mode) ? tls : []), isHttp2 ? "proto h2" : ""].join(" ");
}
