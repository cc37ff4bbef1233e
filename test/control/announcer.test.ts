/** What is announced, by a link whose far end is the test's. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as assert from "uvu/assert";
import { controlNotes } from "../../src/admin/control-notes.ts";
import { Announcer } from "../../src/control/announcer.ts";
import { ANNOUNCE, WITHDRAW } from "../../src/control/names.ts";
import { writeControl } from "../../src/metrics/control-figures.ts";
import { MetricsText } from "../../src/metrics/text.ts";
import {
  AnnouncementSchema,
  AnnounceStateSchema,
  Protocol,
  WithdrawRequestSchema,
} from "../../src/proto/announce_pb.ts";
import { Status } from "../../src/rpc/status.ts";
import { settled } from "../support/later.ts";
import { parseMetrics, sampleOf } from "../support/prometheus.ts";
import { suite } from "../support/test.ts";
import { LinkRig } from "./link-rig.ts";

const test = suite("control/announcer");

const INSTANCE = new Uint8Array(16).fill(7);
const ENDPOINT = {
  address: "10.0.0.1",
  inboundPort: 4143,
  applicationPort: 3000,
  protocol: Protocol.HTTP2,
  weight: 5,
  instance: INSTANCE,
};

class Rig extends LinkRig {
  readonly announcer: Announcer;

  constructor() {
    super();
    const log = {
      info: (message: string) => void this.logged.push(message),
      warn: (message: string, fields: object = {}) =>
        void this.logged.push(`${message} ${JSON.stringify(fields)}`),
    };
    const services = ["web.default"];
    this.announcer = new Announcer({ link: this.link, services, endpoint: ENDPOINT, log });
    this.link.start();
  }

  async accepted(accepted = true): Promise<void> {
    const state = create(AnnounceStateSchema, { accepted, address: "10.0.0.1" });
    await this.end.sayBytes(ANNOUNCE, toBinary(AnnounceStateSchema, state));
  }

  get isAnnounced(): boolean | undefined {
    return this.announcer.figures[0]?.isAnnounced;
  }
}

test("nothing is announced before the application accepts, then all of it", async () => {
  const rig = new Rig();
  await settled();
  assert.is(rig.end.open.has(ANNOUNCE), false);
  const why = "the application does not accept connections";
  assert.is(rig.announcer.figures[0]?.problem, why);
  rig.announcer.accept(true);
  rig.announcer.accept(true);
  await settled();
  const request = rig.end.requests.get(ANNOUNCE) ?? new Uint8Array(0);
  const { $typeName: _, ...message } = fromBinary(AnnouncementSchema, request);
  assert.equal(message, { service: "web.default", ...ENDPOINT });
  assert.is(rig.isAnnounced, false, "not before the control plane says so");
  await rig.accepted();
  assert.is(rig.isAnnounced, true);
  assert.is(rig.announcer.figures[0]?.problem, null);
  await rig.end.lose();
  assert.is(rig.isAnnounced, false);
  await rig.pass(1_000);
  assert.is(rig.end.open.has(ANNOUNCE), true, "and anew on the next connection");
});

test("a refusal is told once, and asked about again", async () => {
  const rig = new Rig();
  rig.announcer.accept(true);
  await settled();
  for (let i = 0; i < 3; i++) {
    await rig.end.end(ANNOUNCE, Status.permissionDenied);
    await rig.pass(10_000);
  }
  assert.is(rig.logged.filter((line) => line.includes("does not announce us")).length, 1);
  rig.announcer.accept(false);
  await settled();
  await rig.end.sayBytes(WITHDRAW, new Uint8Array(0));
  await rig.end.end(WITHDRAW, Status.ok);
  assert.is(rig.logged.filter((line) => line.includes("withdrawn")).length, 0, "it never was");
  rig.announcer.accept(true);
  await settled();
  await rig.accepted(false);
  assert.is(rig.isAnnounced, false);
  await rig.accepted();
  assert.is(rig.isAnnounced, true);
});

test("who leaves withdraws first, and is gone for good", async () => {
  const rig = new Rig();
  rig.announcer.accept(true);
  await settled();
  await rig.accepted();
  const left = rig.announcer.leave();
  await settled();
  const request = rig.end.requests.get(WITHDRAW) ?? new Uint8Array(0);
  const { service, instance } = fromBinary(WithdrawRequestSchema, request);
  assert.equal([service, [...instance]], ["web.default", [...INSTANCE]]);
  assert.is(rig.end.open.has(ANNOUNCE), true, "the lease ends by the word, not before it");
  await rig.end.sayBytes(WITHDRAW, new Uint8Array(0));
  await rig.end.end(WITHDRAW, Status.ok);
  await left;
  assert.is(rig.end.open.has(ANNOUNCE), false);
  rig.announcer.accept(true);
  await settled();
  assert.is(rig.end.open.has(ANNOUNCE), false);
  await rig.announcer.leave();
});

test("an application that ceases to accept is withdrawn, and announced again when it does", async () => {
  const rig = new Rig();
  rig.announcer.accept(true);
  await settled();
  rig.announcer.accept(false);
  await settled();
  assert.is(rig.end.open.has(WITHDRAW), true);
  await rig.end.end(WITHDRAW, Status.unavailable);
  assert.is(rig.end.open.has(ANNOUNCE), false);
  rig.announcer.accept(true);
  await settled();
  assert.is(rig.end.open.has(ANNOUNCE), true);
});

test("without a control plane nobody waits for it", async () => {
  const rig = new Rig();
  rig.isReachable = false;
  rig.announcer.accept(true);
  await rig.end.lose();
  await rig.announcer.leave();
  assert.ok(rig.logged.some((line) => line.includes("was not told that we go")));
});

test("/ready?verbose and /metrics say how it stands", () => {
  const announced = [
    { service: "web.default", isAnnounced: false, problem: null },
    { service: "db.default", isAnnounced: false, problem: "not yours" },
  ];
  const counts = { connects: 3, failures: 2 };
  const away = { isConnected: false, awayMs: 61_500, lastError: "refused", announced, ...counts };
  assert.equal(controlNotes(away), [
    { what: "control", text: "away for 61s: refused" },
    { what: "announced", text: "web.default, no" },
    { what: "announced", text: "db.default, no: not yours" },
  ]);
  assert.equal(controlNotes({ ...away, isConnected: true, announced: [] }), [
    { what: "control", text: "connected" },
  ]);
  assert.equal(controlNotes(null), []);
  const text = new MetricsText();
  writeControl(text, away);
  const families = parseMetrics(text.finish());
  assert.is(sampleOf(families, "outrigger_control_connected", {}), 0);
  assert.is(sampleOf(families, "outrigger_control_last_contact_seconds", {}), 61.5);
  const total = "outrigger_control_connections_total";
  assert.is(sampleOf(families, total, { result: "success" }), 3);
  assert.is(sampleOf(families, total, { result: "failure" }), 2);
  assert.is(sampleOf(families, "outrigger_announced", { service: "web.default" }), 0);
});

test.run();
