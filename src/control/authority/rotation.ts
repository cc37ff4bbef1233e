/**
 * How the authority's keys are replaced while sidecars go on. An anchor is added (trusted, unused),
 * promoted (the issuer is under it from now on, the old one is still trusted), and the old one is
 * removed. Between the steps every sidecar has to have a certificate that was issued after the step
 * before, since with it come the anchors to trust; a step that comes earlier is refused.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { isSameBytes } from "../../lib/same-bytes.ts";
import { Fault } from "./fault.ts";
import { type Changes, codeOf, commit, type FileName, recover } from "./folder.ts";
import { withLock } from "./lock.ts";
import { CLOCK_SKEW_MS, ISSUER_LIFETIME_MS, makeAnchor, makeIssuer } from "./make-certificate.ts";
import { certificateText } from "./pem-files.ts";
import { type AuthorityState, firstState, pairFiles, readState } from "./state.ts";
import type { Der } from "./x509.ts";

/** An issuer is renewed when less than this share of its life is left, four months of a year. */
const ISSUER_RENEWAL_SHARE = 1 / 3;

/** A control plane that runs notices a change within a second; its last leaves are a little later. */
const NOTICE_MS = 5_000;

export type AnchorRole = "active" | "next" | "old";
export type AnchorEntry = {
  /** SHA-256 of the DER, hexadecimal digits. */
  readonly fingerprint: string;
  readonly role: AnchorRole;
  readonly der: Der;
};

type Change = (state: AuthorityState) => Promise<Changes | Fault>;
const NO_CHANGES: Changes = new Map();

/**
 * Returns the state of the folder, made anew on the first start. `leafLifetimeMs` is kept if it is
 * the longest so far: the steps of a replacement wait for it. It never falls again.
 */
export async function ensureState(
  dir: string,
  nowMs: number,
  leafLifetimeMs: number,
): Promise<AuthorityState | Fault> {
  return locked(dir, async (assertHeld) => {
    const found = await readState(dir);
    if (found instanceof Fault) return found;
    const changes = new Map(found === null ? await firstState(nowMs) : []);
    if (leafLifetimeMs > (found?.leafLifetimeMs ?? 0)) changes.set("lifetime", `${leafLifetimeMs}`);
    assertHeld();
    commit(dir, changes);
    return changes.size === 0 && found !== null ? found : reread(dir);
  });
}

/** Says whether the issuer should be renewed, and would live longer for it. */
export function isIssuerDue({ issuer, anchor }: AuthorityState, nowMs: number): boolean {
  const lifeMs = issuer.notAfterMs - issuer.notBeforeMs;
  const isLate = issuer.notAfterMs - nowMs < lifeMs * ISSUER_RENEWAL_SHARE;
  return isLate && Math.min(nowMs + ISSUER_LIFETIME_MS, anchor.notAfterMs) > issuer.notAfterMs;
}

/** Makes a new issuer under the active anchor; `ifDue` does so only if `isIssuerDue`. */
export async function renewIssuer(
  dir: string,
  nowMs: number,
  { ifDue }: { readonly ifDue: boolean },
): Promise<AuthorityState | Fault> {
  return change(dir, async (state) => {
    // Another process may have done it meanwhile.
    if (ifDue && !isIssuerDue(state, nowMs)) return NO_CHANGES;
    if (nowMs > state.anchor.notAfterMs) return new Fault("anchor.crt has expired: replace it");
    return new Map(await pairFiles("issuer", await makeIssuer(state.anchor, nowMs)));
  });
}

/** Makes another anchor and has it trusted. Nothing is issued under it yet. */
export async function addAnchor(dir: string, nowMs: number): Promise<AuthorityState | Fault> {
  return change(dir, async (state) => {
    if (state.next !== null) {
      return new Fault("an anchor is added already: promote it, or remove it by its fingerprint");
    }
    const next = await makeAnchor(nowMs);
    return new Map<FileName, string>([
      ...(await pairFiles("anchor-next", next)),
      ["ca.crt", bundleText([...state.bundle, next.der])],
    ]);
  });
}

/**
 * Makes the anchor that was added the active one, with an issuer under it. The old anchor stays
 * trusted; its key is removed. Refused, but for `force`, until each leaf that was issued before the
 * anchor was added has expired: who holds one may not trust the new anchor yet.
 */
export async function promoteAnchor(
  dir: string,
  nowMs: number,
  { force }: { readonly force: boolean },
): Promise<AuthorityState | Fault> {
  return change(dir, async ({ next, leafLifetimeMs }) => {
    if (next === null) return new Fault("no anchor is added: add one first");
    const early = tooEarly("promoted", next.notBeforeMs, leafLifetimeMs, nowMs);
    if (early !== null && !force) return early;
    return new Map<FileName, string | null>([
      ...(await pairFiles("anchor", next)),
      ...(await pairFiles("issuer", await makeIssuer(next, nowMs))),
      ["anchor-next.key", null],
      ["anchor-next.crt", null],
    ]);
  });
}

/**
 * Ends the trust in an anchor: the one whose fingerprint begins with the digits, or, for null, all
 * old ones. The active one cannot be removed. An old one is refused, but for `force`, until each
 * leaf under it has expired. One that was added and never promoted may always go.
 */
export async function removeAnchor(
  dir: string,
  nowMs: number,
  { fingerprint, force }: { readonly fingerprint: string | null; readonly force: boolean },
): Promise<AuthorityState | Fault> {
  return change(dir, async (state) => {
    const anchors = listAnchors(state);
    const chosen = anchors.filter((anchor) =>
      fingerprint === null ? anchor.role === "old" : anchor.fingerprint.startsWith(fingerprint),
    );
    const [first] = chosen;
    if (first === undefined) return new Fault("no such anchor");
    if (fingerprint !== null && chosen.length > 1) return new Fault("more than one such anchor");
    if (first.role === "active") {
      return new Fault("the issuer is under this anchor: promote another one first");
    }
    const { issuer, leafLifetimeMs } = state;
    const early = tooEarly("removed", issuer.notBeforeMs, leafLifetimeMs, nowMs);
    if (first.role === "old" && early !== null && !force) return early;
    const kept = anchors.filter((anchor) => !chosen.includes(anchor));
    const changes = new Map<FileName, string | null>();
    changes.set("ca.crt", bundleText(kept.map(({ der }) => der)));
    if (first.role === "next") {
      changes.set("anchor-next.key", null);
      changes.set("anchor-next.crt", null);
    }
    return changes;
  });
}

/** Returns the anchors that are trusted, the active one first. */
export function listAnchors(state: AuthorityState): AnchorEntry[] {
  const roleOf = (der: Der): AnchorRole => {
    if (isSameBytes(der, state.anchor.der)) return "active";
    return state.next !== null && isSameBytes(der, state.next.der) ? "next" : "old";
  };
  const order: readonly AnchorRole[] = ["active", "next", "old"];
  return state.bundle
    .map((der) => ({ der, role: roleOf(der), fingerprint: fingerprintOf(der) }))
    .sort((left, right) => order.indexOf(left.role) - order.indexOf(right.role));
}

/** Pins for join tokens: of the active anchor, and of the one that is to follow it. */
export function pinsOf({ anchor, next }: AuthorityState): Uint8Array[] {
  return [anchor, ...(next === null ? [] : [next])].map(({ der }) => sha256(der));
}

/** SHA-256 of a certificate's DER, as 64 hexadecimal digits. */
export function fingerprintOf(der: Uint8Array): string {
  return Buffer.from(sha256(der)).toString("hex");
}

/** `sinceMs` is a certificate's not-before, which lies CLOCK_SKEW_MS before it was made. */
function tooEarly(
  done: "promoted" | "removed",
  sinceMs: number,
  leafLifetimeMs: number,
  nowMs: number,
): Fault | null {
  const atMs = sinceMs + CLOCK_SKEW_MS + NOTICE_MS + leafLifetimeMs;
  if (nowMs >= atMs) return null;
  const at = new Date(atMs).toISOString();
  return new Fault(
    `certificates from before the last step are in use: to be ${done} from ${at} on`,
  );
}

function bundleText(bundle: readonly Der[]): string {
  return bundle.map(certificateText).join("");
}

async function change(dir: string, decide: Change): Promise<AuthorityState | Fault> {
  return locked(dir, async (assertHeld) => {
    const state = await readState(dir);
    if (state === null) return new Fault(`${dir} has no authority yet: start the control plane`);
    if (state instanceof Fault) return state;
    const changes = await decide(state);
    if (changes instanceof Fault) return changes;
    assertHeld();
    commit(dir, changes);
    return changes.size === 0 ? state : reread(dir);
  });
}

/** What was just written is read as anyone would read it, so a mistake shows now and not later. */
async function reread(dir: string): Promise<AuthorityState | Fault> {
  return (await readState(dir)) ?? new Fault(`${dir} has lost its files`);
}

/** Runs an action under the lock, after what a crash left is put in order. */
export async function locked<T>(
  dir: string,
  action: (assertHeld: () => void) => Promise<T | Fault>,
): Promise<T | Fault> {
  try {
    return await withLock(dir, async ({ assertHeld }) => {
      recover(dir);
      return await action(assertHeld);
    });
  } catch (error) {
    return new Fault(`${dir} cannot be changed: ${codeOf(error)}`);
  }
}
