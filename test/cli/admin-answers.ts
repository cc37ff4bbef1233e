/** An admin API that answers what a test tells it, on a port of its own. */
import { createServer, type Server } from "node:http";
import type { IdentityView } from "../../src/admin/identity-view.ts";

export type Answers = {
  live: number;
  ready: readonly [status: number, text: string];
  /** A view, or a status and a text of another kind. */
  identity: IdentityView | readonly [status: number, text: string];
  /** Takes requests and says nothing. */
  isSilent: boolean;
};

export class AdminAnswers {
  readonly answers: Answers;
  #server: Server | null = null;

  constructor(identity: Answers["identity"]) {
    this.answers = { live: 200, ready: [200, "ready\n"], identity, isSilent: false };
  }

  /** Listens and returns the URL. */
  async start(): Promise<string> {
    const server = createServer((request, response) => {
      const { live, ready, identity, isSilent } = this.answers;
      if (isSilent) return;
      const answer = (status: number, text: string): void => {
        response.writeHead(status);
        response.end(text);
      };
      if (request.url === "/live") answer(live, "live\n");
      else if (request.url === "/ready?verbose") answer(...ready);
      else if (request.url !== "/identity") answer(404, "");
      else if ("state" in identity) answer(200, JSON.stringify(identity));
      else answer(...identity);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no address");
    return `http://127.0.0.1:${address.port}`;
  }

  stop(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}

const NOW_MS = Date.UTC(2031, 4, 20, 12);
const HOUR_MS = 3_600_000;

/** A time of day some hours from the sidecar's now. */
export const inHours = (hours: number): string => new Date(NOW_MS + hours * HOUR_MS).toISOString();

/** A sidecar that is well. */
export const VIEW: IdentityView = {
  now: inHours(0),
  source: "control",
  state: "valid",
  dns: "web.default.serviceaccount.identity.outrigger.cluster.local",
  uri: "spiffe://cluster.local/ns/default/sa/web",
  chain: [
    {
      subject: "",
      names: [
        "web.default.serviceaccount.identity.outrigger.cluster.local",
        "spiffe://cluster.local/ns/default/sa/web",
      ],
      serial: "0abc",
      not_before: inHours(-8),
      not_after: inHours(16.75),
      sha256: "ab".repeat(32),
    },
    {
      subject: "CN=issuer",
      names: [],
      serial: "01",
      not_before: inHours(-24),
      not_after: inHours(24 * 300),
      sha256: "ef".repeat(32),
    },
  ],
  anchors: [
    {
      name: "CN=anchor",
      not_before: inHours(-24),
      not_after: inHours(24 * 3_650),
      sha256: "cd".repeat(32),
    },
  ],
  expires: inHours(16.75),
  next_renewal: inHours(8.5),
  last_refresh: inHours(-8),
  last_error: null,
  refreshes: { ok: 3, failed: 1 },
  clock_skew_s: 0.25,
};
