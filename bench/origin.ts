/** The HTTP origin behind every proxy: a static nginx on the load generator's core. */
import { mkdirSync, writeFileSync } from "node:fs";
import { LOAD_CORE, startChild } from "./child.ts";
import { LISTEN_BACKLOG, nginxCommand, nginxHttp, nginxMain } from "./nginx-config.ts";
import { freePort } from "./ports.ts";
import { untilListening } from "./ready.ts";

/** The size of the body at the path that most scenarios ask for. */
export const BODY_BYTES = { "/": 64 } as const;

/** Files of other sizes. */
export const ANSWERS = {
  "100": { path: "/100", bytes: 100, title: "100 bytes" },
  "1k": { path: "/1k", bytes: 1_024, title: "1 KiB" },
  "64k": { path: "/64k", bytes: 65_536, title: "64 KiB" },
} as const;
export type AnswerSize = keyof typeof ANSWERS;

/** Where a request's body is read whole, and only then comes the answer of "/". */
export const SINK_PATH = "/sink";

const SINK_CONNECTIONS = 64; // as many as the load has
const ORIGIN_LIFE_MS = 24 * 3_600_000;

export interface Origin {
  readonly port: number;
  /** The same answers by HTTP/2 without TLS, for clients that know it beforehand. */
  readonly http2Port: number;
  stop(): Promise<void>;
}

/** Starts the origin with its files below `directory`; throws if it does not come up. */
export async function startOrigin(directory: string): Promise<Origin> {
  const port = await freePort();
  const http2Port = await freePort();
  const files = `${directory}/files`;
  mkdirSync(files, { recursive: true });
  for (const { path, bytes } of Object.values(ANSWERS)) {
    writeFileSync(`${files}${path}`, "x".repeat(bytes));
  }
  const config = `${directory}/origin.conf`;
  writeFileSync(
    config,
    `${nginxMain()}
    http {
      ${nginxHttp()}
      default_type text/plain;
      sendfile on;
      tcp_nopush on;
      open_file_cache max=16 inactive=1h;
      client_body_buffer_size ${2 * ANSWERS["64k"].bytes};
      upstream itself {
        server unix:${directory}/origin.sock;
        keepalive ${SINK_CONNECTIONS};
        keepalive_requests 1000000000;
      }
      server {
        listen 127.0.0.1:${port} backlog=${LISTEN_BACKLOG};
        listen 127.0.0.1:${http2Port} http2 backlog=${LISTEN_BACKLOG};
        listen unix:${directory}/origin.sock;
        root files;
        location = / { return 200 "${"x".repeat(BODY_BYTES["/"])}"; }
        location = ${SINK_PATH} { ${sink()} }
      }
    }\n`,
  );
  const child = startChild(nginxCommand(directory, config), {
    core: LOAD_CORE,
    killAfterMs: ORIGIN_LIFE_MS,
  });
  const problem = (await untilListening(child, port)) ?? (await untilListening(child, http2Port));
  if (problem !== null) {
    await child.stop();
    throw new Error(`the origin (nginx) did not start: ${problem}`);
  }
  return { port, http2Port, stop: () => child.stop() };
}

/** A plain `return 200` would answer while the body is still on its way and throw it away afterwards.
 * What passes a request on reads it whole first: here to itself, and without the body. */
function sink(): string {
  return `
          proxy_pass http://itself/;
          proxy_method GET;
          proxy_pass_request_body off;
          proxy_http_version 1.1;
          proxy_set_header Content-Length "";
          proxy_set_header Connection "";`;
}
