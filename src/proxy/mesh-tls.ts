/**
 * A worker's certificates, and what they let it do: terminate TLS for our own name, prove who we are
 * to endpoints, and tell who a peer is. A finished handshake is not yet an authenticated peer: the
 * chain is checked once more by our own code, and the name is looked at each time.
 */
import { clientIdField } from "../codec/http1/client-id.ts";
import { PeerVerifier } from "../identity/verify-peer.ts";
import type { Credentials } from "../mesh/credentials.ts";
import { identityText, isSameName, serverNameOf } from "../mesh/identity.ts";
import type { Arena } from "../net/arena.ts";
import { TlsContext, type TlsOptions } from "../net/tls-context.ts";
import type { TlsSession } from "../net/tls-session.ts";
import type { ClientIdentity } from "./client.ts";

/** linkerd2-proxy's protocol of connections that begin with a transport header. */
export const TRANSPORT_ALPN = "transport.l5d.io/v1";

type Contexts = {
  readonly server: TlsContext;
  readonly client: TlsContext;
  /** Offers the transport header. */
  readonly directClient: TlsContext;
};

export class MeshTls {
  readonly #arena: Arena;
  readonly #wallMs: () => number;
  #contexts: Contexts | null = null;
  #verifier: PeerVerifier | null = null;
  #serverName: string | null = null;
  #notAfterMs = 0;

  /** `wallMs` is the time of day: certificates are about nothing else. */
  constructor(arena: Arena, wallMs: () => number = Date.now) {
    this.#arena = arena;
    this.#wallMs = wallMs;
  }

  /** Takes new certificates; live connections keep the old ones. Throws what TlsContext throws. */
  use(credentials: Credentials): void {
    const contexts = createContexts(this.#arena, credentials);
    const old = this.#contexts;
    this.#contexts = contexts;
    this.#verifier = new PeerVerifier(credentials.roots);
    this.#serverName = serverNameOf(credentials.identity);
    this.#notAfterMs = credentials.notAfterMs;
    if (old !== null) free(old);
  }

  /** Gives up what it has; connections that live keep theirs. */
  forget(): void {
    if (this.#contexts !== null) free(this.#contexts);
    this.#contexts = null;
  }

  get wallMs(): number {
    return this.#wallMs();
  }

  /** The name that clients ask for when they mean us. */
  get serverName(): string | null {
    return this.#serverName;
  }

  /** Whether TLS for this name ends here. */
  isOurs(sni: string | null): boolean {
    return sni !== null && sni === this.#serverName;
  }

  get serverContext(): TlsContext | null {
    return this.#contexts?.server ?? null;
  }

  /** null: we have no certificate, or it has expired, which no server would take. */
  clientContext(offersHeader: boolean): TlsContext | null {
    if (this.#contexts === null || this.#wallMs() >= this.#notAfterMs) return null;
    return offersHeader ? this.#contexts.directClient : this.#contexts.client;
  }

  /** Whether the server that `tls` ended the handshake with is `expected`. */
  isServer(tls: TlsSession, expected: string): boolean {
    const checked = this.#check(tls, "server");
    if (checked === null || !isSameName(checked.identity, expected)) return false;
    // It has seen ours, and will not let it outlive itself either.
    tls.peerNotAfterMs = Math.min(checked.notAfterMs, this.#notAfterMs);
    return true;
  }

  /** Who the client is that `tls` ended the handshake with; null: nobody that we believe. */
  clientOf(tls: TlsSession): ClientIdentity | null {
    const checked = this.#check(tls, "client");
    const name = checked === null ? null : identityText(checked.identity);
    if (checked === null || name === null) return null;
    tls.peerNotAfterMs = checked.notAfterMs;
    return { name, identity: checked.identity, field: clientIdField(name) };
  }

  #check(tls: TlsSession, role: "client" | "server") {
    if (this.#verifier === null || !tls.isChainValid) return null;
    const checked = this.#verifier.verify(tls.peerChain() ?? [], role, this.#wallMs());
    return "refused" in checked ? null : checked;
  }
}

function free({ server, client, directClient }: Contexts): void {
  for (const context of [server, client, directClient]) context.free();
}

function createContexts(arena: Arena, credentials: Credentials): Contexts {
  const { certificates, key, roots } = credentials;
  const options: TlsOptions = {
    certificates,
    key,
    roots,
    alpn: [],
    clientCertificate: "required",
  };
  const direct: TlsOptions = { ...options, alpn: [TRANSPORT_ALPN] };
  const made: TlsContext[] = [];
  const make = (role: "server" | "client", of: TlsOptions): TlsContext => {
    const context = TlsContext.create(arena, role, of);
    made.push(context);
    return context;
  };
  try {
    return {
      server: make("server", direct),
      client: make("client", options),
      directClient: make("client", direct),
    };
  } catch (error) {
    for (const context of made) context.free();
    throw error;
  }
}
