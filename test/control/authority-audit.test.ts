/** What the record of decisions keeps when somebody tries to drown it. */
import * as assert from "uvu/assert";
import { type AuditEvent, auditTrail } from "../../src/control/authority/audit.ts";
import { MESSAGE_LINES_MAX } from "../../src/lib/log.ts";
import { suite } from "../support/test.ts";
import { START_MS } from "./authority-rig.ts";

const test = suite("control/authority-audit");

const FLOOD = 1_000;

const refused: AuditEvent = {
  event: "certificate refused",
  timeMs: START_MS,
  identity: null,
  requested: "web",
  peer: "10.0.0.1:1",
  proof: "none",
  serial: null,
  notAfterMs: null,
  kind: "unknown-token",
  reason: "the token is not known here",
};

function linesOf(events: readonly AuditEvent[]): string[] {
  const lines: string[] = [];
  const audit = auditTrail("text", (line) => lines.push(line) > 0);
  for (const event of events) audit(event);
  return lines;
}

function flooded(change: Partial<AuditEvent>): AuditEvent[] {
  return Array.from({ length: FLOOD }, () => ({ ...refused, ...change }));
}

test("strangers, and those who ask too often, get some lines a second", () => {
  const proven = { proof: "token 0011223344556677", kind: "rate-limited" };
  for (const change of [{}, proven]) {
    const { length } = linesOf(flooded(change));
    // A test may run into the next second.
    assert.ok(length >= MESSAGE_LINES_MAX && length < FLOOD / 10, `${length}`);
  }
});

test("what strangers do hides no decision about others", () => {
  const issued = { event: "certificate issued", proof: "certificate", kind: null } as const;
  const foreign = { proof: "certificate", kind: "foreign-name" };
  const lines = linesOf([...flooded({}), ...flooded(issued), ...flooded(foreign)]);
  assert.is(lines.filter((line) => line.includes(" certificate issued ")).length, FLOOD);
  assert.is(lines.filter((line) => line.includes("kind=foreign-name")).length, FLOOD);
});

test("a line that is cut looks as the others do", () => {
  const [strange = ""] = linesOf([refused]);
  const [proven = ""] = linesOf([{ ...refused, proof: "certificate" }]);
  const withoutTime = (line: string): string => line.slice(line.indexOf(" "));
  assert.is(withoutTime(strange), withoutTime(proven).replace("proof=certificate", "proof=none"));
});

test.run();
