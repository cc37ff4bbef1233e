/** What the two nginx of a run have in common: the origin, and the contender. One process that does
 * not fork: a worker by itself, without a master to tell it when to reload. */

export const CONNECTIONS_MAX = 12_000; // well under the usual limit of 20,000 descriptors
export const LISTEN_BACKLOG = 4_096; // new connections in bursts must not meet a full queue

/** Returns the main context; paths in it are relative to the prefix given with -p. */
export function nginxMain(): string {
  return `
    daemon off;
    master_process off;
    pid nginx.pid;
    error_log stderr error;
    events { worker_connections ${CONNECTIONS_MAX}; }`;
}

/** Returns directives for the http context: nothing logged, connections kept for ever. */
export function nginxHttp(): string {
  return `
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path tmp-body;
    proxy_temp_path tmp-proxy;
    fastcgi_temp_path tmp-fastcgi;
    uwsgi_temp_path tmp-uwsgi;
    scgi_temp_path tmp-scgi;`;
}

export function nginxCommand(prefix: string, config: string): string[] {
  return ["nginx", "-e", "stderr", "-p", prefix, "-c", config];
}
