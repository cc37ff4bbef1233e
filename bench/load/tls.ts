/** The load of new or kept connections over mutual TLS; the work is done in tls-client.ts. It is our own,
 * since wrk and h2load have no client certificates. */
import { fileURLToPath } from "node:url";
import { LOAD_CORE, startScript } from "../child.ts";
import type { Identities } from "../identities.ts";
import { type JsonObject, numberAt, parseObject } from "../json.ts";
import { LOAD_GRACE_MS, type LoadRequest, type LoadResult } from "./load.ts";

const CLIENT = fileURLToPath(new URL("tls-client.ts", import.meta.url));

export interface TlsLoad {
  readonly connections: number;
  /** Opens a new connection for each request. */
  readonly isClosing: boolean;
  readonly bodyBytes: number;
  readonly warmUpSeconds: number;
}

export interface TlsSettings extends JsonObject {
  readonly port: number;
  readonly host: string;
  readonly serverName: string;
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
  readonly connections: number;
  readonly isClosing: boolean;
  readonly bodyBytes: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** Runs the load; `onBegin` is called when the warm-up is over, `onEnd` when the time is. Throws if
 * there was no good answer at all. */
export async function runTls(
  request: LoadRequest,
  { client, service }: Identities,
  { warmUpSeconds, ...load }: TlsLoad,
  onBegin: () => void,
  onEnd: () => void,
): Promise<LoadResult> {
  const settings: TlsSettings = {
    ...load,
    port: request.port,
    host: request.host,
    serverName: service.dnsName,
    certificate: client.certificate,
    key: client.key,
    warmUpMs: warmUpSeconds * 1_000,
    measuredMs: request.seconds * 1_000,
  };
  let result: JsonObject | null = null;
  const child = startScript(CLIENT, [JSON.stringify(settings)], {
    core: LOAD_CORE,
    killAfterMs: (warmUpSeconds + request.seconds) * 1_000 + LOAD_GRACE_MS,
    onLine: (line) => {
      if (line === "begin") {
        onBegin();
      } else {
        onEnd();
        result = parseObject(line);
      }
    },
  });
  await child.exited;
  return figuresOf(result, child.complaint());
}

function figuresOf(printed: JsonObject | null, complaint: string): LoadResult {
  const requests = printed === null ? 0 : numberAt(printed, "requests");
  if (printed === null || requests === 0) {
    throw new Error(`the mutual TLS load got no good answer: ${complaint}`);
  }
  return {
    requests,
    requestsPerSecond: numberAt(printed, "requestsPerSecond"),
    p50Ms: numberAt(printed, "p50Ms"),
    p99Ms: numberAt(printed, "p99Ms"),
    p999Ms: numberAt(printed, "p999Ms"),
    maxMs: numberAt(printed, "maxMs"),
    errors: numberAt(printed, "errors"),
  };
}
