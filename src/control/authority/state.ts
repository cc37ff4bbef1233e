/**
 * The authority's keys and certificates as they are on disk: the active anchor, the issuer under it,
 * maybe the anchor that is to follow, and the bundle that sidecars trust. Files that do not fit
 * together are no state: the reason is told, and nothing is guessed.
 */
import { isSameBytes } from "../../lib/same-bytes.ts";
import { Fault } from "./fault.ts";
import { type Changes, type FileName, isInterrupted, readText, recover } from "./folder.ts";
import { withLock } from "./lock.ts";
import { makeAnchor, makeIssuer, type Pair } from "./make-certificate.ts";
import { certificateText, keyText, readBundle, readPair } from "./pem-files.ts";
import type { Der } from "./x509.ts";

export type AuthorityState = {
  /** The one that the issuer is under, and that signs the next issuer. */
  readonly anchor: Pair;
  readonly issuer: Pair;
  /** Added, trusted, and not yet used. */
  readonly next: Pair | null;
  /** All anchors that sidecars trust: the active one, the next one, and old ones. */
  readonly bundle: readonly Der[];
  /** The longest lifetime of leaves that were issued here; 0 before the first start. */
  readonly leafLifetimeMs: number;
};

/** The files that a state is read from. */
export const STATE_FILES: readonly FileName[] = [
  "anchor.crt",
  "anchor.key",
  "anchor-next.crt",
  "anchor-next.key",
  "issuer.crt",
  "issuer.key",
  "ca.crt",
  "lifetime",
];

/** A number of milliseconds of up to 300 years. */
const LIFETIME = /^[1-9][0-9]{0,12}$/;

/** Ends an interrupted change first, under the lock. Returns null for a folder that has no state. */
export async function loadState(dir: string): Promise<AuthorityState | Fault | null> {
  if (isInterrupted(dir)) {
    const fault = await withLock(dir, () => recover(dir));
    if (fault instanceof Fault) return fault;
  }
  return readState(dir);
}

/**
 * Reads what is there. To be called under the lock, or by `loadState`: without it, a reader may see
 * half of a change that another process is making, which then is a fault and gone a moment later.
 */
export async function readState(dir: string): Promise<AuthorityState | Fault | null> {
  const texts = readTexts(dir);
  if (texts instanceof Fault) return texts;
  const required = STATE_FILES.filter((name) => !/next|lifetime/.test(name));
  const missing = required.filter((name) => !texts.has(name));
  if (missing.length === required.length) return null;
  if (missing.length > 0) return new Fault(`${dir} lacks ${missing.join(", ")}`);

  const anchor = await pairFrom(texts, "anchor");
  if (anchor instanceof Fault) return anchor;
  const issuer = await pairFrom(texts, "issuer");
  if (issuer instanceof Fault) return issuer;
  if (!(await isSignedBy(issuer, anchor))) return new Fault("issuer.crt is not of anchor.crt");
  const next = await nextFrom(texts);
  if (next instanceof Fault) return next;
  const bundle = readBundle(texts.get("ca.crt") ?? "");
  if (bundle instanceof Fault) return bundle;
  for (const pair of [anchor, ...(next === null ? [] : [next])]) {
    if (!bundle.some((der) => isSameBytes(der, pair.der)))
      return new Fault("ca.crt lacks an anchor");
  }
  const lifetime = texts.get("lifetime")?.trim() ?? "";
  const leafLifetimeMs = LIFETIME.test(lifetime) ? Number(lifetime) : 0;
  return { anchor, issuer, next, bundle, leafLifetimeMs };
}

/** Says that the anchor or the issuer is not valid now, so that nothing can be issued; else null. */
export function validityFault({ anchor, issuer }: AuthorityState, nowMs: number): Fault | null {
  for (const [name, pair, way] of [
    ["anchor", anchor, "replace it"],
    ["issuer", issuer, "renew the issuer"],
  ] as const) {
    const since = new Date(pair.notBeforeMs).toISOString();
    const until = new Date(pair.notAfterMs).toISOString();
    if (nowMs > pair.notAfterMs) {
      return new Fault(`${name}.crt expired at ${until}: check the clock, then ${way}`);
    }
    if (nowMs < pair.notBeforeMs) {
      return new Fault(`${name}.crt is not valid before ${since}: check the clock`);
    }
  }
  return null;
}

/** Makes the keys and certificates of a first start. Returns the files to write. */
export async function firstState(nowMs: number): Promise<Changes> {
  const anchor = await makeAnchor(nowMs);
  const issuer = await makeIssuer(anchor, nowMs);
  return new Map<FileName, string>([
    ...(await pairFiles("anchor", anchor)),
    ...(await pairFiles("issuer", issuer)),
    ["ca.crt", certificateText(anchor.der)],
  ]);
}

/** The files of a certificate and its key, the key first. */
export async function pairFiles(
  name: "anchor" | "anchor-next" | "issuer",
  pair: Pair,
): Promise<[FileName, string][]> {
  return [
    [`${name}.key`, await keyText(pair.key)],
    [`${name}.crt`, certificateText(pair.der)],
  ];
}

type Texts = ReadonlyMap<FileName, string>;

function readTexts(dir: string): Texts | Fault {
  const texts = new Map<FileName, string>();
  for (const name of STATE_FILES) {
    const text = readText(dir, name);
    if (text instanceof Fault) return text;
    if (text !== null) texts.set(name, text);
  }
  return texts;
}

async function pairFrom(texts: Texts, name: "anchor" | "anchor-next" | "issuer") {
  return readPair(name, texts.get(`${name}.crt`) ?? "", texts.get(`${name}.key`) ?? "");
}

async function nextFrom(texts: Texts): Promise<Pair | null | Fault> {
  const count = Number(texts.has("anchor-next.crt")) + Number(texts.has("anchor-next.key"));
  if (count === 0) return null;
  if (count === 1) return new Fault("one of anchor-next.crt and anchor-next.key is missing");
  return pairFrom(texts, "anchor-next");
}

async function isSignedBy(issuer: Pair, anchor: Pair): Promise<boolean> {
  if (issuer.certificate.issuer !== anchor.certificate.subject) return false;
  const { publicKey } = anchor.certificate;
  return issuer.certificate.verify({ publicKey, signatureOnly: true });
}
