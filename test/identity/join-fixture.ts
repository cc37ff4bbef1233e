/**
 * A sidecar that joins, and the control plane that it asks, which does as a test says. Certificates
 * are real; keys are made once, as only one test is about their being new.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { JoinSource } from "../../src/identity/join.ts";
import type { Certified, CertifyRequest } from "../../src/identity/join-round.ts";
import type { JoinToken } from "../../src/identity/join-token.ts";
import type { Refused } from "../../src/identity/load.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import {
  type Authority,
  type Der,
  type IssueOptions,
  identityOf,
  makeAuthority,
  makeKeys,
} from "../support/certificates.ts";
import { seeded } from "../support/random.ts";
import { FakeTime, KeptLog, START_MS } from "./source-fixture.ts";

export const WEB = identityOf("web");
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** How long certificates live unless a test says otherwise. */
export const LIFE_MS = 4 * HOUR_MS;
/** Control planes date back by so much. */
export const BACKDATED_MS = 20_000;

export type Mesh = {
  readonly anchor: Authority;
  readonly issuer: Authority;
  readonly keys: CryptoKeyPair;
  readonly pkcs8: Der;
};

export async function makeMesh(): Promise<Mesh> {
  const dates = {
    notBefore: new Date(START_MS - DAY_MS),
    notAfter: new Date(START_MS + 3_650 * DAY_MS),
  };
  const anchor = await makeAuthority(dates);
  const issuer = await makeAuthority({ ...dates, parent: anchor, pathLength: 0 });
  const keys = await makeKeys();
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { anchor, issuer, keys, pkcs8 };
}

export function tokenFor(...anchors: readonly Authority[]): JoinToken {
  return {
    host: "127.0.0.1",
    port: 4_190,
    trustDomain: "cluster.local",
    pins: anchors.map(({ certificate }) => sha256(certificate)),
    id: new Uint8Array(8).fill(7),
    secret: new Uint8Array(32).fill(9),
  };
}

/** An Error with the fields of a gRPC status. */
export function rpcError(code: number, message: string, isRetryable = true): Error {
  return Object.assign(new Error(message), { code, isRetryable });
}

type Ask = { readonly atMs: number; readonly byToken: boolean };

export class Desk {
  readonly time: FakeTime = new FakeTime();
  readonly log: KeptLog = new KeptLog();
  readonly used: Credentials[] = [];
  /** What was handed out to be kept. */
  readonly kept: [Credentials, JoinToken][] = [];
  readonly asks: Ask[] = [];
  readonly requests: CertifyRequest[] = [];
  changes = 0;
  /** How long the next certificates live. */
  lifetimeMs: number = LIFE_MS;
  issueOptions: IssueOptions = {};
  roots: readonly Uint8Array[];
  /** The control plane's clock less ours when the machine started; null: it does not say. */
  serverOffsetMs: number | null = 0;
  token: JoinToken | Refused;
  /** Set to fail, or to do something else than to issue. */
  behaviour: ((request: CertifyRequest) => Promise<Certified>) | null = null;
  /** Why `use` throws; null when it does not. */
  refuses: string | null = null;
  /** Time goes on though there is no answer. */
  isSilent = false;
  readonly mesh: Mesh;
  readonly source: JoinSource;

  constructor(mesh: Mesh, startTimeoutMs: number | null = null, makeKey: "real" | "kept" = "kept") {
    this.mesh = mesh;
    this.roots = [mesh.anchor.certificate];
    this.token = tokenFor(mesh.anchor);
    const { time } = this;
    this.source = new JoinSource({
      identity: WEB,
      certify: (request) => this.#certify(request),
      readToken: () => this.token,
      keep: (credentials, token) => void this.kept.push([credentials, token]),
      ...(makeKey === "real"
        ? {}
        : { makeKey: () => Promise.resolve({ key: mesh.pkcs8, csr: Uint8Array.of(1).slice() }) }),
      use: (credentials) => {
        if (this.refuses !== null) throw new Error(this.refuses);
        this.used.push(credentials);
      },
      changed: () => {
        this.changes += 1;
      },
      nowMs: () => time.nowMs,
      wallMs: () => time.wallMs,
      random: seeded("join").u32,
      setTimer: time.setTimer,
      startTimeoutMs,
      log: this.log,
    });
  }

  /** Starts, and lets what happens at once happen. */
  async start(): Promise<void> {
    const started = this.source.start();
    await this.time.flush();
    await started;
  }

  fail(error: Error): void {
    this.behaviour = () => Promise.reject(error);
  }

  /** Issues as a control plane whose clock is `serverOffsetMs` from ours. */
  async issue(keys: CryptoKeyPair = this.mesh.keys): Promise<Certified> {
    const serverMs = this.time.wallMs + (this.serverOffsetMs ?? 0);
    const { certificates } = await this.mesh.issuer.issue({
      dns: [WEB.dns],
      uris: [WEB.uri],
      notBefore: new Date(serverMs - BACKDATED_MS),
      notAfter: new Date(serverMs + this.lifetimeMs),
      keys,
      ...this.issueOptions,
    });
    const [leaf, ...intermediates] = certificates;
    const serverTimeMs = this.serverOffsetMs === null ? null : serverMs;
    return { leaf, intermediates, roots: this.roots, serverTimeMs };
  }

  #certify(request: CertifyRequest): Promise<Certified> {
    this.asks.push({ atMs: this.time.nowMs, byToken: request.token !== null });
    this.requests.push(request);
    const answer = this.behaviour === null ? this.issue() : this.behaviour(request);
    if (this.isSilent) return answer;
    this.time.pending.add(answer);
    const done = (): void => void this.time.pending.delete(answer);
    answer.then(done, done);
    return answer;
  }
}
