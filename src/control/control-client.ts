/**
 * A sidecar's way to the control plane, from its main thread: where it is, how it is known, and the
 * connections. The thread that carries them (rpc/client.ts) is started with the first. There is one for
 * each certificate that is asked for, and one that stays (link.ts).
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Certified, CertifyRequest } from "../identity/join-round.ts";
import type { Logger } from "../lib/log.ts";
import { formatHostPort, type HostPort, parseIp } from "../mesh/address.ts";
import type { Credentials } from "../mesh/credentials.ts";
import { identityFor } from "../mesh/identity.ts";
import type { Arena } from "../net/arena.ts";
import { CertifyRequestSchema, CertifyResponseSchema } from "../proto/identity_pb.ts";
import { type RpcChannel, RpcClientHandle } from "../rpc/client-handle.ts";
import type { Trust } from "../rpc/client-messages.ts";
import { RpcError } from "../rpc/status.ts";
import { CERTIFY, CONTROL_NAME, CONTROL_NAMESPACE } from "./names.ts";

export type ControlClientOptions = {
  readonly arena: Arena;
  readonly log: Pick<Logger, "error" | "debug">;
  readonly resolveHost: (host: string) => Promise<readonly Uint8Array[]>;
  /** null: as the token says. */
  readonly address: HostPort | null;
  readonly trustDomain: string;
  /** The certificate in use, by which this sidecar proves who it is; null: there is none yet. */
  readonly current: () => Credentials | null;
};

/** What the renewal looks at of a failure, by its name there. */
class CertifyError extends Error {
  /** A status of gRPC. */
  readonly code: number;

  constructor(cause: RpcError) {
    super(cause.message);
    this.code = cause.status;
  }
}

async function call(
  channel: RpcChannel,
  request: Uint8Array,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    return await channel.call(CERTIFY, request, { timeoutMs, signal });
  } catch (error) {
    throw error instanceof RpcError ? new CertifyError(error) : error;
  }
}

export class ControlClient {
  readonly #options: ControlClientOptions;
  #rpc: Promise<RpcClientHandle> | null = null;
  /** null: not known yet. */
  #address: HostPort | null;
  /** Connections that came to nothing: of a name with several addresses each gets its turn. */
  #failedOpens = 0;

  constructor(options: ControlClientOptions) {
    this.#options = options;
    this.#address = options.address;
  }

  /** Says where a token found the control plane, unless the configuration does. */
  found(at: HostPort): void {
    if (this.#options.address === null) this.#address = { host: at.host, port: at.port };
  }

  /** Asks for a certificate. Rejects with RpcError, or with an Error that says why it came to none. */
  async certify(request: CertifyRequest): Promise<Certified> {
    const { identity, token, csr, joinToken, timeoutMs, signal } = request;
    if (joinToken !== null) this.found(joinToken);
    const current = this.#options.current();
    const pins = token === null ? [] : (joinToken?.pins ?? []);
    const trust = { roots: current?.roots ?? [], pins };
    const channel = await this.#open(token === null ? current : null, trust, timeoutMs);
    try {
      const message = create(CertifyRequestSchema, {
        identity,
        token: token ?? new Uint8Array(0),
        certificateSigningRequest: csr,
      });
      const bytes = toBinary(CertifyRequestSchema, message);
      const startMs = performance.now();
      const response = await call(channel, bytes, timeoutMs, signal);
      const halfMs = (performance.now() - startMs) / 2;
      const answer = fromBinary(CertifyResponseSchema, response);
      // Linkerd's control plane sends no anchors: what is known then is all there is.
      const roots = answer.trustAnchors.length > 0 ? answer.trustAnchors : (current?.roots ?? []);
      const serverTimeMs = answer.serverTimeMs === 0n ? null : Number(answer.serverTimeMs) + halfMs;
      const { leafCertificate: leaf, intermediateCertificates: intermediates } = answer;
      return { leaf, intermediates, roots, serverTimeMs };
    } finally {
      channel.close();
    }
  }

  /** Opens a connection by a certificate. Rejects with an Error that says why it did not. */
  connect(credentials: Credentials): Promise<RpcChannel> {
    return this.#open(credentials, { roots: credentials.roots, pins: [] });
  }

  async stop(): Promise<void> {
    const rpc = await this.#rpc?.catch(() => null);
    await rpc?.stop();
  }

  async #open(
    credentials: Credentials | null,
    trust: Trust,
    timeoutMs?: number,
  ): Promise<RpcChannel> {
    const at = this.#address;
    if (at === null) throw new Error("it is not known where the control plane is");
    try {
      return await this.#openAt(at, credentials, trust, timeoutMs);
    } catch (error) {
      this.#failedOpens += 1;
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${formatHostPort(at.host, at.port)}: ${reason}`, { cause: error });
    }
  }

  async #openAt(
    { host, port }: HostPort,
    credentials: Credentials | null,
    trust: Trust,
    timeoutMs?: number,
  ): Promise<RpcChannel> {
    const literal = parseIp(host);
    const ips = literal === null ? await this.#options.resolveHost(host) : [literal];
    const ip = ips[this.#failedOpens % ips.length];
    if (ip === undefined) throw new Error("no address");
    const who = identityFor(CONTROL_NAME, CONTROL_NAMESPACE, this.#options.trustDomain);
    const name = who?.dns ?? "";
    const rpc = await this.#start();
    return await rpc.open({
      address: { ip, port },
      tls: { credentials, serverName: name, expected: name, trust },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  /** A thread that died is started anew by the next call. */
  #start(): Promise<RpcClientHandle> {
    const { arena, log } = this.#options;
    const onFault = (text: string): void =>
      log.error("the control plane's client failed", { text });
    if (this.#rpc === null) {
      const starting = RpcClientHandle.start({ arena, onFault });
      this.#rpc = starting;
      const forget = (): void => {
        if (this.#rpc === starting) this.#rpc = null;
      };
      starting.then((rpc) => void rpc.ended.then(forget), forget);
    }
    return this.#rpc;
  }
}
