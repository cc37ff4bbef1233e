/**
 * Certificates for a sidecar's workers, from files or from a control plane. Before the first is
 * used, and before anything is listened on, strangers are tried (self-test.ts): who would let one in
 * does not start. New ones are tried too, and refused if they would.
 */
import { randomBytes } from "node:crypto";
import { ControlClient } from "../control/control-client.ts";
import { ControlLink } from "../control/link.ts";
import { watchTrust } from "../control/trust-watch.ts";
import { resolveHost } from "../discovery/dns.ts";
import { FileSource } from "../identity/files.ts";
import { JoinSource } from "../identity/join.ts";
import { readJoinArgument } from "../identity/join-argument.ts";
import { KeptIdentity } from "../identity/kept-identity.ts";
import { type IdentitySource, setRuntimeTimer } from "../identity/source.ts";
import type { Logger } from "../lib/log.ts";
import type { StateFolder } from "../lib/state-folder.ts";
import type { Credentials } from "../mesh/credentials.ts";
import type { Arena } from "../net/arena.ts";
import { OpenSslMissing } from "../net/openssl.ts";
import { ownProblem, strangersProblem } from "../worker/self-test.ts";
import type { RunConfig } from "./config.ts";
import { StartError } from "./start-error.ts";

export type IdentityOptions = {
  readonly config: RunConfig;
  readonly arena: Arena;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** What is kept across restarts. */
  readonly folder: StateFolder;
};

/** When the control plane was there last is kept under this name, as a time of day. */
const CONTACT = "contact";

/** What a running sidecar has of an identity. */
export class SidecarIdentity {
  readonly source: IdentitySource;
  /** To the control plane; null without one. */
  readonly link: ControlLink | null;
  readonly #client: ControlClient | null;
  /** Takes what a run before has kept. */
  readonly #resume: () => Promise<void> = async () => {};
  #deliver: ((credentials: Credentials) => void) | null = null;
  #latest: Credentials | null = null;

  private constructor({ config, arena, log, nowMs, folder }: IdentityOptions) {
    const common = {
      use: (credentials: Credentials) => this.#use(credentials),
      changed: () => {},
      wallMs: Date.now,
      setTimer: setRuntimeTimer,
      log,
    };
    const { dir, own, token, control, defaults } = config.identity;
    if (dir !== null) {
      this.source = new FileSource({ ...common, directory: dir, expected: own });
      this.#client = null;
      this.link = null;
      return;
    }
    const random = (): number => randomBytes(4).readUInt32LE();
    const readToken = () => readJoinArgument(token ?? "");
    const current = () => this.#latest;
    const client = new ControlClient({
      arena,
      log,
      resolveHost,
      address: control,
      trustDomain: defaults.trustDomain,
      current,
    });
    const link = new ControlLink({
      connect: (credentials) => client.connect(credentials),
      current,
      awayMs: awayMs(folder.read(CONTACT), Date.now()),
      contact: () => folder.write(CONTACT, Date.now()),
      nowMs,
      random,
      setTimer: setRuntimeTimer,
      log,
    });
    const identity = own ?? { dns: null, uri: null };
    const kept = new KeptIdentity({ folder, identity, wallMs: Date.now, log });
    const join = new JoinSource({
      ...common,
      identity,
      certify: (request) => client.certify(request),
      readToken,
      keep: (credentials, joined) => void kept.keep(credentials, joined),
      nowMs,
      random,
      startTimeoutMs: null,
    });
    this.source = join;
    this.#client = client;
    this.#resume = async () => {
      const joined = readToken();
      const credentials = "refused" in joined ? null : await kept.recall(joined);
      if ("refused" in joined || credentials === null) return;
      join.resume(credentials, joined);
      client.found(joined);
    };
    this.link = link;
    watchTrust(
      link,
      () => this.#latest?.roots ?? [],
      () => join.refreshSoon(),
    );
  }

  /**
   * With files there are certificates when it resolves, and with what a run before has kept; a
   * control plane is asked, and not waited for. Throws StartError.
   */
  static async start(options: IdentityOptions): Promise<SidecarIdentity> {
    const { dir } = options.config.identity;
    const problem = attempt(strangersProblem);
    if (problem !== null) throw new StartError(`self-test: ${problem}`);
    const identity = new SidecarIdentity(options);
    await identity.#resume();
    const started = identity.source.start();
    if (dir === null) {
      // It goes on asking; what went wrong is in its status and in the log.
      started.catch(() => {});
      identity.link?.start();
      return identity;
    }
    try {
      await started;
    } catch (error) {
      throw new StartError(`--identity-dir: ${error instanceof Error ? error.message : error}`);
    }
    return identity;
  }

  /** Hands what there is, and what will be, to the workers. */
  deliverTo(deliver: (credentials: Credentials) => void): void {
    this.#deliver = deliver;
    if (this.#latest !== null) deliver(this.#latest);
  }

  get isReady(): boolean {
    const { state } = this.source.status;
    return state === "valid" || state === "expiring";
  }

  async stop(): Promise<void> {
    this.source.stop();
    this.link?.stop();
    await this.#client?.stop();
  }

  #use(credentials: Credentials): void {
    const problem = attempt(() => ownProblem(credentials));
    // The source keeps what it had, and says why.
    if (problem !== null) throw new Error(`self-test: ${problem}`);
    this.#latest = credentials;
    this.#deliver?.(credentials);
    this.link?.renewed();
  }
}

/** A clock that was set back makes it no later than now. */
function awayMs(contact: unknown, wallMs: number): number {
  return typeof contact === "number" && contact < wallMs ? wallMs - contact : 0;
}

function attempt(test: () => string | null): string | null {
  try {
    return test();
  } catch (error) {
    if (error instanceof OpenSslMissing) throw new StartError(error.message);
    throw error;
  }
}
