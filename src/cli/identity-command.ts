/**
 * `outrigger identity`: who a running sidecar is, by which certificates and until when, read from
 * its admin API. Texts that came from certificates and peers are escaped before a terminal sees them.
 */
import { request } from "node:http";
import {
  type IdentityCertificateView,
  type IdentityView,
  isIdentityView,
} from "../admin/identity-view.ts";
import { escapeUnsafe } from "../lib/log-line.ts";

/** Where a sidecar's admin API is unless told otherwise. */
export const ADMIN_URL_DEFAULT = "http://127.0.0.1:4191";

/** It answers within milliseconds, from memory. */
const ANSWER_TIMEOUT_MS = 3_000;
/** 64 anchors and their names are 32 KiB. */
const ANSWER_BYTES_MAX = 1_048_576;

const EXIT_FAILURE = 1;

export type CommandResult = {
  /** For stdout, with its line ends; one line of it when the command failed. */
  readonly text: string;
  /** The exit status. */
  readonly status: number;
};

export type IdentityOptions = {
  /** `http://HOST:PORT`. */
  readonly adminUrl?: string;
  /** Prints the answer as it is. */
  readonly isJson?: boolean;
  readonly timeoutMs?: number;
};

/** Never rejects. */
export async function identityCommand(options: IdentityOptions = {}): Promise<CommandResult> {
  const { adminUrl = ADMIN_URL_DEFAULT, isJson = false, timeoutMs } = options;
  const read = await readIdentity(adminUrl, timeoutMs);
  if ("error" in read) return { text: `outrigger: ${read.error}\n`, status: EXIT_FAILURE };
  const text = isJson ? `${JSON.stringify(read.view, null, 2)}\n` : identityText(read.view);
  return { text, status: 0 };
}

/** Returns the sidecar's identity, or in one line why it could not be had. Never rejects. */
export async function readIdentity(
  adminUrl: string,
  timeoutMs?: number,
): Promise<{ readonly view: IdentityView } | { readonly error: string }> {
  const answer = await ask(adminUrl, "/identity", timeoutMs);
  if ("error" in answer) return answer;
  if (answer.status === 403) return { error: `${adminUrl}: /identity is for its own host only` };
  if (answer.status !== 200) return { error: `${adminUrl}: /identity: HTTP ${answer.status}` };
  try {
    const view: unknown = JSON.parse(answer.text);
    if (isIdentityView(view)) return { view };
  } catch {
    // No JSON.
  }
  return { error: `${adminUrl}: what answers is not an outrigger, or of another version` };
}

type Answer = { readonly status: number; readonly text: string };

/**
 * GETs a path of the admin API within a deadline. `node:http`, since `fetch` follows HTTP_PROXY,
 * which beside a sidecar is the sidecar. Never rejects.
 */
export function ask(
  adminUrl: string,
  path: string,
  timeoutMs: number = ANSWER_TIMEOUT_MS,
): Promise<Answer | { readonly error: string }> {
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (answer: Answer | { readonly error: string }): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    const fail = (reason: string): void => end({ error: escapeUnsafe(`${adminUrl}: ${reason}`) });
    if (!URL.canParse(path, adminUrl)) return fail("not a URL");
    const url = new URL(path, adminUrl);
    if (url.protocol !== "http:") return fail("expected http://HOST:PORT");
    const sent = request(url, { agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("data", (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length <= ANSWER_BYTES_MAX) return;
        fail("too long an answer");
        sent.destroy();
      });
      response.on("end", () => {
        end({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
      });
      response.on("error", (error) => fail(reasonOf(error)));
    });
    sent.on("error", (error) => fail(reasonOf(error)));
    timer = setTimeout(() => {
      fail(`no answer within ${timeoutMs} ms`);
      sent.destroy();
    }, timeoutMs);
    sent.end();
  });
}

export function reasonOf(error: Error): string {
  const code = "code" in error ? error.code : null;
  if (code === "ECONNREFUSED" || code === "ConnectionRefused") return "no sidecar listens there";
  return escapeUnsafe(error.message.split("\n")[0] ?? "");
}

/** A line for each fact; certificates and anchors one after the other. */
function identityText(view: IdentityView): string {
  if (view.state === "none") return "this sidecar has no identity: it does no TLS\n";
  const nowMs = Date.parse(view.now);
  const at = (time: string | null): string =>
    time === null ? "-" : `${time} (${relativeText(Date.parse(time) - nowMs)})`;
  const { ok, failed } = view.refreshes;
  const lines = [
    `identity      ${escapeUnsafe(view.dns ?? view.uri ?? "-")}`,
    ...(view.dns === null || view.uri === null ? [] : [`              ${escapeUnsafe(view.uri)}`]),
    `state         ${escapeUnsafe(view.state)}`,
    `expires       ${at(view.expires)}`,
    `next renewal  ${view.source === "files" ? "by whoever writes the files" : at(view.next_renewal)}`,
    `last renewal  ${at(view.last_refresh)}`,
    `renewals      ${ok} succeeded, ${failed} failed`,
    `last error    ${escapeUnsafe(view.last_error ?? "none")}`,
    ...(view.clock_skew_s === null ? [] : [`clock         ${skewText(view.clock_skew_s)}`]),
    ...view.chain.flatMap((each, index) => certificateLines(each, index, at)),
    ...view.anchors.flatMap((anchor) => [
      "",
      `anchor        ${escapeUnsafe(anchor.name) || "(no name)"}`,
      `  expires     ${at(anchor.not_after)}`,
      `  sha256      ${escapeUnsafe(anchor.sha256)}`,
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

function certificateLines(
  view: IdentityCertificateView,
  index: number,
  at: (time: string) => string,
): readonly string[] {
  const title = index === 0 ? "certificate " : "intermediate";
  const [first = "(no name)", ...others] = [view.subject, ...view.names]
    .filter((name) => name !== "")
    .map(escapeUnsafe);
  return [
    "",
    `${title}  ${first}`,
    ...others.map((name) => `              ${name}`),
    `  serial      ${escapeUnsafe(view.serial)}`,
    `  valid from  ${at(view.not_before)}`,
    `  expires     ${at(view.not_after)}`,
    `  sha256      ${escapeUnsafe(view.sha256)}`,
  ];
}

/** `the control plane's is 12.5 s ahead of it`; seconds. */
export function skewText(skewS: number): string {
  const side = skewS < 0 ? "behind" : "ahead of";
  return `the control plane's is ${Math.abs(skewS).toFixed(1)} s ${side} this sidecar's`;
}

/** `in 16h40m` or `16h40m ago`. */
export function relativeText(ms: number): string {
  return ms < 0 ? `${durationText(-ms)} ago` : `in ${durationText(ms)}`;
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

/** The two largest units, for reading: `16h40m`, `3d4h`, `12s`. Milliseconds, cut. */
export function durationText(ms: number): string {
  const first = UNITS.findIndex(([, unitMs]) => ms >= unitMs);
  if (first === -1) return `${Math.floor(ms)}ms`;
  let leftMs = ms;
  let text = "";
  for (const [unit, unitMs] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(leftMs / unitMs);
    leftMs -= count * unitMs;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}
