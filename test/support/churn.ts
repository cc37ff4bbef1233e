/**
 * Replicas of `web` that join and leave, so many times a second, through the real control plane: each
 * is an address of its own (replica.ts), announced for as long as it is there. It leaves as a sidecar
 * does: withdrawn, then closed to what is new, then gone.
 */
import { randomBytes } from "node:crypto";
import { ANNOUNCE, WITHDRAW } from "../../src/control/names.ts";
import {
  AnnouncementSchema,
  AnnounceStateSchema,
  WithdrawRequestSchema,
  WithdrawResponseSchema,
} from "../../src/proto/announce_pb.ts";
import type { Calling, GrpcCaller } from "./control-caller.ts";
import { eventually } from "./eventually.ts";
import { Replica } from "./replica.ts";

export type ChurnReport = { joined: number; left: number; cut: number; refused: number };

/** Replicas that are there at a time. */
const ALIVE = 8;
/** From the withdrawal until nothing new is taken, as a sidecar waits (its drain's own wait). */
const WITHDRAWN_MS = 150;
/** What is under way may end. */
const GRACE_MS = 5_000;

type Alive = {
  readonly replica: Replica;
  readonly instance: Uint8Array;
  readonly lease: Calling<typeof AnnounceStateSchema>;
};

/** Has one leave and another join, in turns, `perSecond` events in all, until `untilMs`. */
export async function churn(
  caller: GrpcCaller,
  sidecar: { readonly inboundPort: number; readonly appPort: number },
  perSecond: number,
  untilMs: number,
): Promise<ChurnReport> {
  const report = { joined: 0, left: 0, cut: 0, refused: 0 };
  const alive: Alive[] = [];
  const leaving = new Set<Promise<void>>();
  let count = 0;
  const join = async (): Promise<void> => {
    count++;
    // Each another address: its row is new each time.
    const host = `127.${1 + (count >> 16)}.${(count >> 8) & 0xff}.${1 + (count & 0x7f)}`;
    const replica = await Replica.open(host, sidecar.inboundPort);
    const instance = randomBytes(16);
    const lease = caller.call(
      ANNOUNCE,
      AnnouncementSchema,
      {
        address: replica.host,
        inboundPort: replica.port,
        applicationPort: sidecar.appPort,
        instance,
      },
      AnnounceStateSchema,
    );
    await eventually(() => lease.messages()[0]?.accepted === true || lease.end() !== null);
    if (lease.end() !== null) report.refused++;
    alive.push({ replica, instance, lease });
    report.joined++;
  };
  const leave = async ({ replica, instance, lease }: Alive): Promise<void> => {
    const answer = caller.call(
      WITHDRAW,
      WithdrawRequestSchema,
      { instance },
      WithdrawResponseSchema,
    );
    await eventually(() => answer.end() !== null);
    lease.cancel();
    await new Promise((resolve) => setTimeout(resolve, WITHDRAWN_MS));
    report.cut += (await replica.close(GRACE_MS)).cut;
    report.left++;
  };
  const startMs = performance.now();
  for (let events = 0; performance.now() < untilMs; events++) {
    const oldest = alive.length >= ALIVE ? alive.shift() : undefined;
    if (oldest === undefined) await join();
    else {
      const done = leave(oldest).finally(() => leaving.delete(done));
      leaving.add(done);
    }
    const dueMs = startMs + ((events + 1) * 1_000) / perSecond;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
  }
  await Promise.all([...leaving, ...alive.map(leave)]);
  return report;
}
