/** A crowd of kept HTTP/1 connections; the work is done in crowd-client.ts. */
import { fileURLToPath } from "node:url";
import { type JsonObject, numberAt, parseObject } from "../json.ts";
import { BODY_BYTES } from "../origin.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import { startTalk } from "./talk.ts";

const CLIENT = fileURLToPath(new URL("crowd-client.ts", import.meta.url));

export interface CrowdSettings extends JsonObject {
  readonly port: number;
  readonly host: string;
  /** Of the origin's answer. */
  readonly bodyBytes: number;
  readonly connections: number;
  /** Connections that are opened, and wait for their answer, at a time. */
  readonly openingAtOnce: number;
  /** Of each request's body; 0 is a GET. */
  readonly postBytes: number;
}

export interface Crowd {
  /** Opens all; returns how many failed. */
  open(): Promise<number>;
  /** Sends a request on `count` of them, one after the other. */
  ask(count: number): Promise<{ failed: number; p50Ms: number; maxMs: number }>;
  /** Closes all; returns how many the other side had closed before. */
  close(): Promise<number>;
  stop(): Promise<void>;
}

/** For one command: opening 10,000 takes some 5 s, and the client gives up on an answer after 20 s. */
const COMMAND_TIMEOUT_MS = 60_000;

/** Starts the process that will be the crowd. A command rejects if that process ends or is stuck. */
export function startCrowd(
  port: number,
  crowd: Pick<CrowdSettings, "connections" | "openingAtOnce" | "postBytes">,
): Crowd {
  const settings: CrowdSettings = { ...crowd, port, host: SERVICE, bodyBytes: BODY_BYTES["/"] };
  const { child, nextLine } = startTalk("the crowd", CLIENT, [JSON.stringify(settings)]);
  const command = async (line: string): Promise<JsonObject> => {
    child.send(line);
    const printed = await nextLine(COMMAND_TIMEOUT_MS);
    return parseObject(printed) ?? {};
  };
  return {
    open: async () => numberAt(await command("open"), "failed"),
    ask: async (count) => {
      const answer = await command(`ask ${count}`);
      return {
        failed: numberAt(answer, "failed"),
        p50Ms: numberAt(answer, "p50Ms"),
        maxMs: numberAt(answer, "maxMs"),
      };
    },
    close: async () => numberAt(await command("close"), "lost"),
    stop: () => child.stop(),
  };
}
