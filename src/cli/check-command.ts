/**
 * `outrigger check`: whether a running sidecar is well, for people and for cron. One line for each
 * thing looked at, `ok`, `warn` or `FAIL`; the exit status says whether something FAILs. What will
 * break without anybody's doing (a certificate or an anchor near its end, a clock that goes wrong) is
 * a failure while there is still time.
 */
import type { IdentityAnchorView, IdentityView } from "../admin/identity-view.ts";
import { escapeUnsafe } from "../lib/log-line.ts";
import {
  ADMIN_URL_DEFAULT,
  ask,
  type CommandResult,
  durationText,
  readIdentity,
  relativeText,
  skewText,
} from "./identity-command.ts";

const EXIT_FAILURE = 1;

/** An anchor is replaced by hand, and every workload has to learn of the new one. */
const ANCHOR_NEAR_MS = 30 * 86_400_000;
/** For anchors that do not live for years. */
const ANCHOR_NEAR_SHARE = 0.1;

/** Control planes date certificates back by 20 s; half of that is left for whom this one talks to. */
const CLOCK_SKEW_MAX_S = 10;

/** Reasons of `/ready`, and errors, are cut to this for one line. */
const DETAIL_CHARS_MAX = 200;

type Level = "ok" | "warn" | "FAIL";
type Finding = { readonly level: Level; readonly what: string; readonly detail: string };

/**
 * Whoever runs health checks mostly gives them a second, the start of this program included, and
 * counts one that takes longer as failed without a word of why.
 */
const READY_TIMEOUT_MS = 700;

export type CheckOptions = {
  /** `http://HOST:PORT`. */
  readonly adminUrl?: string;
  /** Only whether it is ready, by one question and in one line. */
  readonly isReadyOnly?: boolean;
  /** For each question. */
  readonly timeoutMs?: number;
};

/** Never rejects. An admin API that cannot be reached is one line and a failure. */
export async function checkCommand(options: CheckOptions = {}): Promise<CommandResult> {
  const { adminUrl = ADMIN_URL_DEFAULT, isReadyOnly = false, timeoutMs } = options;
  if (isReadyOnly) {
    return report((await readiness(adminUrl, timeoutMs ?? READY_TIMEOUT_MS)).slice(0, 1));
  }
  const live = await ask(adminUrl, "/live", timeoutMs);
  if ("error" in live) return report([{ level: "FAIL", what: "sidecar", detail: live.error }]);
  const isLive = live.status === 200;
  const findings: Finding[] = [
    { level: isLive ? "ok" : "FAIL", what: "live", detail: answerText(adminUrl, live.status) },
    ...(await readiness(adminUrl, timeoutMs)),
  ];
  const identity = await readIdentity(adminUrl, timeoutMs);
  if ("error" in identity) {
    findings.push({ level: "FAIL", what: "identity", detail: identity.error });
  } else findings.push(...identityFindings(identity.view));
  return report(findings);
}

function report(findings: readonly Finding[]): CommandResult {
  const lines = findings.map(({ level, what, detail }) => {
    return `${level.padEnd(4)} ${what}: ${escapeUnsafe(detail)}\n`;
  });
  const isFailed = findings.some(({ level }) => level === "FAIL");
  return { text: lines.join(""), status: isFailed ? EXIT_FAILURE : 0 };
}

function answerText(adminUrl: string, status: number): string {
  return status === 200 ? adminUrl : `${adminUrl}: HTTP ${status}`;
}

/** Whether it is ready, which comes first, and what it says beside that. */
async function readiness(adminUrl: string, timeoutMs?: number): Promise<readonly Finding[]> {
  const answer = await ask(adminUrl, "/ready?verbose", timeoutMs);
  if ("error" in answer) return [{ level: "FAIL", what: "ready", detail: answer.error }];
  const saidOf = (what: string): string[] =>
    answer.text
      .split("\n")
      .filter((line) => line.startsWith(`${what}: `))
      .map((line) => line.slice(what.length + 2, what.length + 2 + DETAIL_CHARS_MAX));
  const isReady = answer.status === 200;
  // A control plane says its one reason in the same line.
  const reasons = [...saidOf("reason"), ...saidOf("not ready")].join("; ");
  const why = reasons.slice(0, DETAIL_CHARS_MAX) || `HTTP ${answer.status}`;
  const detail = isReady ? "yes" : why;
  return [
    { level: isReady ? "ok" : "FAIL", what: "ready", detail },
    // It serves on without a control plane, by what it knows.
    ...saidOf("control").map((text) => noteOf("control", text, text === "connected")),
    ...saidOf("announced").map((text) => noteOf("announced", text, /^[^,:]+, yes$/.test(text))),
  ];
}

function noteOf(what: string, detail: string, isGood: boolean): Finding {
  return { level: isGood ? "ok" : "warn", what, detail };
}

/** What is to be said of an identity, in the order in which it is best read. */
export function identityFindings(view: IdentityView): readonly Finding[] {
  if (view.state === "none") {
    return [{ level: "warn", what: "identity", detail: "none: this sidecar does no TLS" }];
  }
  return [
    certificateFinding(view),
    ...renewalFindings(view),
    ...anchorFindings(view),
    ...clockFindings(view),
  ];
}

function certificateFinding(view: IdentityView): Finding {
  const what = "certificate";
  const name = view.dns ?? view.uri ?? "no name";
  const leftMs = Date.parse(view.expires ?? "") - Date.parse(view.now);
  switch (view.state) {
    case "valid":
      return { level: "ok", what, detail: `${name}, expires ${relativeText(leftMs)}` };
    case "expiring":
      return {
        level: "FAIL",
        what,
        detail: `${name}, expires ${relativeText(leftMs)} and ${whyNotRenewed(view)}`,
      };
    case "expired":
      return {
        level: "FAIL",
        what,
        detail: `${name}, expired ${durationText(-leftMs)} ago and ${whyNotRenewed(view)}`,
      };
    default:
      return { level: "FAIL", what, detail: `${name}, none yet: ${view.last_error ?? "waiting"}` };
  }
}

function whyNotRenewed({ last_error: error, source }: IdentityView): string {
  if (error !== null) return `renewal fails: ${error.slice(0, DETAIL_CHARS_MAX)}`;
  return source === "files" ? "the files hold no newer one" : "no renewal is planned before";
}

/** A failure that leaves time is worth a line: the next one may not. */
function renewalFindings(view: IdentityView): readonly Finding[] {
  if (view.state !== "valid") return [];
  const what = "renewal";
  if (view.last_error !== null) {
    return [{ level: "warn", what, detail: view.last_error.slice(0, DETAIL_CHARS_MAX) }];
  }
  if (view.next_renewal === null) return [];
  const inMs = Date.parse(view.next_renewal) - Date.parse(view.now);
  return [{ level: "ok", what, detail: relativeText(inMs) }];
}

/**
 * Anchors near their end are a failure when no other outlives them. While one is replaced, the old
 * one is on its way out, which is worth a warning only.
 */
function anchorFindings(view: IdentityView): readonly Finding[] {
  const what = "anchor";
  const nowMs = Date.parse(view.now);
  const isNear = (anchor: IdentityAnchorView): boolean => anchorLeftShort(anchor, nowMs);
  const isOneLeft = view.anchors.some((anchor) => !isNear(anchor));
  return view.anchors.map((anchor) => {
    const leftMs = Date.parse(anchor.not_after) - nowMs;
    const when =
      leftMs < 0 ? `expired ${durationText(-leftMs)} ago` : `expires ${relativeText(leftMs)}`;
    const detail = `${anchor.name || anchor.sha256}, ${when}`;
    if (!isNear(anchor)) return { level: "ok", what, detail };
    return { level: isOneLeft ? "warn" : "FAIL", what, detail };
  });
}

function anchorLeftShort(anchor: IdentityAnchorView, nowMs: number): boolean {
  const notAfterMs = Date.parse(anchor.not_after);
  const lifetimeMs = notAfterMs - Date.parse(anchor.not_before);
  return notAfterMs - nowMs < Math.min(ANCHOR_NEAR_MS, lifetimeMs * ANCHOR_NEAR_SHARE);
}

function clockFindings({ clock_skew_s: skewS }: IdentityView): readonly Finding[] {
  if (skewS === null) return [];
  const level = Math.abs(skewS) > CLOCK_SKEW_MAX_S ? "FAIL" : "ok";
  return [{ level, what: "clock", detail: skewText(skewS) }];
}
