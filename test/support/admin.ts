/** The admin app with harmless parts behind it, asked without a socket. */
import * as assert from "uvu/assert";
import { type AdminDeps, adminApp } from "../../src/admin/app.ts";
import type { EndpointsView } from "../../src/admin/endpoints-view.ts";
import { identityView } from "../../src/admin/identity-view.ts";
import type { StatsView } from "../../src/admin/stats-view.ts";
import type { LogLevel } from "../../src/lib/log.ts";

export const FORBIDDEN = "Requests are only permitted from localhost.\n";

export type Ask = {
  readonly method?: string;
  readonly host?: string | null;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly peer?: string;
};

export type Desk = {
  readonly ask: (path: string, options?: Ask) => Promise<Response>;
  readonly events: string[];
  ready: boolean;
  level: LogLevel;
};

const VIEW: EndpointsView = { services: [] };
const STATS: StatsView = { name: null, now_ms: 0, bounds_ms: [], taps: 0, rows: [] };

export function desk(changes: Partial<AdminDeps> = {}): Desk {
  const events: string[] = [];
  const app = adminApp({
    isReady: () => ({ ready: self.ready, reasons: self.ready ? [] : ["worker 1\nstarting"] }),
    notes: () => [],
    metrics: () => "up 1\n",
    endpoints: () => VIEW,
    stats: () => STATS,
    taps: { open: () => null },
    config: () => ({ workers: 2 }),
    identity: () => identityView(null, 0),
    logLevel: () => self.level,
    setLogLevel: (level) => {
      self.level = level;
    },
    shutdown: () => void events.push("shutdown"),
    boundPorts: () => [{ name: "outbound", address: "127.0.0.1:4140" }],
    log: {
      error: (message, fields) =>
        void events.push(`error: ${message}: ${String(fields?.["error"])}`),
      info: (message) => void events.push(message),
    },
    ...changes,
  });
  const ask = (path: string, options: Ask = {}): Promise<Response> => {
    const {
      method = "GET",
      host = "127.0.0.1:4191",
      headers = {},
      body,
      peer = "127.0.0.1",
    } = options;
    const all = new Headers(host === null ? headers : { host, ...headers });
    const url = `http://${host === null || host === "" ? "127.0.0.1:4191" : "127.0.0.1"}${path}`;
    const init = { method, headers: all, body: body ?? null, duplex: "half" };
    return app.fetch(new Request(url, init), peer);
  };
  const self: Desk = { ask, events, ready: true, level: "info" };
  return self;
}

/** Checks the status and, where given, the whole body. */
export async function answers(response: Response, status: number, body?: string): Promise<void> {
  assert.is(response.status, status);
  const text = await response.text();
  if (body !== undefined) assert.is(text, body);
}

export function depsOf(): AdminDeps {
  return {
    isReady: () => ({ ready: true, reasons: [] }),
    notes: () => [],
    metrics: () => "",
    endpoints: () => VIEW,
    stats: () => STATS,
    taps: { open: () => null },
    config: () => null,
    identity: () => identityView(null, 0),
    logLevel: () => "info",
    setLogLevel: () => {},
    shutdown: () => {},
    boundPorts: () => [],
    log: { error: () => {}, info: () => {} },
  };
}
