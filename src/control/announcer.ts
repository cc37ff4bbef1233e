/**
 * What this sidecar serves, told to the control plane for as long as it is so: a call for each
 * service, which is its lease. Before the sidecar goes it takes its word back and gives those who
 * heard it a moment to hear that, so that nobody comes who would find the door closed.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { StopWatching } from "../discovery/mesh-source.ts";
import type { Logger } from "../lib/log.ts";
import {
  type Announcement,
  AnnouncementSchema,
  AnnounceStateSchema,
  WithdrawRequestSchema,
} from "../proto/announce_pb.ts";
import type { ControlLink } from "./link.ts";
import { ANNOUNCE, WITHDRAW } from "./names.ts";

/** A control plane that does not answer by then is not waited for: its lease ends by itself. */
export const WITHDRAW_TIMEOUT_MS = 1_000;
/** Changes reach all sidecars within 100 ms, and their workers some milliseconds later. */
export const LEAVE_MS = 150;

export type AnnouncerOptions = {
  readonly link: ControlLink;
  /** NAME.NAMESPACE each. */
  readonly services: readonly string[];
  readonly endpoint: Pick<
    Announcement,
    "address" | "inboundPort" | "applicationPort" | "protocol" | "weight" | "instance"
  >;
  readonly log: Pick<Logger, "info" | "warn">;
};

type Lease = {
  readonly service: string;
  stop: StopWatching | null;
  /** The control plane has said so. */
  isAnnounced: boolean;
  /** Why it has not; for the log, once. */
  problem: string | null;
};

export type AnnouncedFigures = readonly {
  readonly service: string;
  readonly isAnnounced: boolean;
  /** Why not, in one line; null: it is, or the answer is not there yet. */
  readonly problem: string | null;
}[];

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #leases: readonly Lease[];
  #isLeaving = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#leases = options.services.map((service) => {
      return { service, stop: null, isAnnounced: false, problem: null };
    });
  }

  get figures(): AnnouncedFigures {
    const isConnected = this.#options.link.state === "connected";
    return this.#leases.map(({ service, isAnnounced, problem, stop }) => {
      const why = stop === null ? "the application does not accept connections" : problem;
      const isThere = isAnnounced && isConnected;
      return { service, isAnnounced: isThere, problem: isThere ? null : why };
    });
  }

  /** The application has begun to accept connections, or has ceased to. */
  accept(isAccepting: boolean): void {
    if (this.#isLeaving) return;
    if (isAccepting) for (const lease of this.#leases) this.#announce(lease);
    else void this.#withdrawAll();
  }

  /** Takes everything back for good. Resolves when nobody should come any more. Never rejects. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    const wasThere = this.#leases.some(({ stop }) => stop !== null);
    await this.#withdrawAll();
    if (wasThere) await new Promise((resolve) => setTimeout(resolve, LEAVE_MS));
  }

  #announce(lease: Lease): void {
    if (lease.stop !== null) return;
    const { link, endpoint, log } = this.#options;
    const { service } = lease;
    const request = create(AnnouncementSchema, { service, ...endpoint });
    lease.stop = link.watch(ANNOUNCE, toBinary(AnnouncementSchema, request), {
      onMessage: (message) => {
        const { accepted, address } = fromBinary(AnnounceStateSchema, message);
        if (accepted && !lease.isAnnounced) log.info("announced", { service, address });
        if (!accepted) this.#tell(lease, "not accepted");
        else lease.problem = null;
        lease.isAnnounced = accepted;
      },
      onRefused: (refusal, text) => {
        lease.isAnnounced = false;
        if (refusal !== "failed") this.#tell(lease, text);
        // A policy may change, and a control plane may be replaced by a newer one.
        return true;
      },
    });
  }

  #tell(lease: Lease, problem: string): void {
    if (lease.problem !== problem) {
      const { service } = lease;
      this.#options.log.warn("the control plane does not announce us", { service, problem });
    }
    lease.problem = problem;
  }

  async #withdrawAll(): Promise<void> {
    await Promise.all(this.#leases.map((lease) => this.#withdraw(lease)));
  }

  /** Never rejects. */
  async #withdraw(lease: Lease): Promise<void> {
    const { link, endpoint, log } = this.#options;
    const { service, stop, isAnnounced } = lease;
    if (stop === null) return;
    lease.stop = null;
    lease.isAnnounced = false;
    const request = create(WithdrawRequestSchema, { service, instance: endpoint.instance });
    const bytes = toBinary(WithdrawRequestSchema, request);
    try {
      await link.call(WITHDRAW, bytes, WITHDRAW_TIMEOUT_MS);
      if (isAnnounced) log.info("withdrawn", { service });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("the control plane was not told that we go", { service, reason });
    }
    // Not before: a call that ends by itself has a grace, in which others would still come.
    stop();
  }
}
