/** The HTTP origin behind every proxy: a static nginx on the load generator's core. */
import { mkdirSync, writeFileSync } from "node:fs";
import { LOAD_CORE, startChild } from "./child.ts";
import { LISTEN_BACKLOG, nginxCommand, nginxHttp, nginxMain } from "./nginx-config.ts";
import { freePort } from "./ports.ts";
import { untilListening } from "./ready.ts";

/** What is served: the size of the body at each path. */
export const BODY_BYTES = { "/": 64, "/1k": 1_024, "/64k": 65_536 } as const;

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
  writeFileSync(`${files}/1k`, "x".repeat(BODY_BYTES["/1k"]));
  writeFileSync(`${files}/64k`, "x".repeat(BODY_BYTES["/64k"]));
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
      server {
        listen 127.0.0.1:${port} backlog=${LISTEN_BACKLOG};
        listen 127.0.0.1:${http2Port} http2 backlog=${LISTEN_BACKLOG};
        root files;
        location = / { return 200 "${"x".repeat(BODY_BYTES["/"])}"; }
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
