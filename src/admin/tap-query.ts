/** What is to be tapped, as the query of `GET /tap`: who asks writes it, who answers reads it. */
import {
  TAP_ALL,
  TAP_METHOD_CHARS_MAX,
  TAP_STATUS_MAX,
  TAP_TEXT_CHARS_MAX,
  type TapOrder,
} from "../mesh/tap.ts";

export type TapFilter = Omit<TapOrder, "id">;
export type StatusRange = Pick<TapOrder, "statusMin" | "statusMax">;

/** The longest host name. */
const NAME_CHARS_MAX = 253;
/** One in a million is the least that anybody would wait for. */
export const TAP_SAMPLE_MAX = 1_000_000;

/** Status 0: the client was told none. */
const CUT = "cut";

/** Reads `503`, `5xx` or `cut`; null for anything else. */
export function parseStatusRange(text: string): StatusRange | null {
  if (text === CUT) return { statusMin: 0, statusMax: 0 };
  const [, hundreds] = /^([1-9])xx$/i.exec(text) ?? [];
  if (hundreds !== undefined) {
    return { statusMin: Number(hundreds) * 100, statusMax: Number(hundreds) * 100 + 99 };
  }
  if (!/^[1-9][0-9]{2}$/.test(text)) return null;
  return { statusMin: Number(text), statusMax: Number(text) };
}

/** A name, an address or an identity, in lower case; null when it can be none. */
export function parseTapName(text: string): string | null {
  return /^[\w.:/@%*[\]-]+$/.test(text) && text.length <= NAME_CHARS_MAX
    ? text.toLowerCase()
    : null;
}

/** A method (RFC 9110 §9.1), whose letters' case counts. */
export function parseTapMethod(text: string): string | null {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(text) && text.length <= TAP_METHOD_CHARS_MAX ? text : null;
}

/** How a path may begin: with a slash, and as it is sent, percent-encoded. */
export function parseTapPath(text: string): string | null {
  return /^\/[\x21-\x7e]*$/.test(text) && text.length <= TAP_TEXT_CHARS_MAX ? text : null;
}

/** One in `text`; null when that is no whole number from 1. */
export function parseTapSample(text: string): number | null {
  const sample = /^[1-9][0-9]{0,6}$/.test(text) ? Number(text) : Number.NaN;
  return sample <= TAP_SAMPLE_MAX ? sample : null;
}

/** Returns the query, with its `?` unless it is empty. */
export function tapQuery(filter: TapFilter): string {
  const query = new URLSearchParams();
  for (const name of ["to", "from", "method", "path"] as const) {
    const value = filter[name];
    if (value !== null) query.set(name, value);
  }
  const { statusMin, statusMax } = filter;
  if (statusMax < TAP_STATUS_MAX) query.set("status", statusText(statusMin, statusMax));
  if (filter.sample !== 1) query.set("sample", String(filter.sample));
  if (filter.query) query.set("query", "1");
  return query.size === 0 ? "" : `?${query}`;
}

function statusText(min: number, max: number): string {
  if (max === 0) return CUT;
  return min === max ? String(min) : `${min / 100}xx`;
}

/** Returns what the query asks for, or the name of the parameter that is wrong. */
export function readTapQuery(query: URLSearchParams): TapFilter | { readonly wrong: string } {
  let filter: TapFilter = TAP_ALL;
  for (const [name, text] of query) {
    const part = readPart(name, text);
    if (part === null || query.getAll(name).length > 1) return { wrong: name };
    filter = { ...filter, ...part };
  }
  return filter;
}

function readPart(name: string, text: string): Partial<TapFilter> | null {
  switch (name) {
    case "to":
    case "from": {
      const value = parseTapName(text);
      return value === null ? null : { [name]: value };
    }
    case "method": {
      const method = parseTapMethod(text);
      return method === null ? null : { method };
    }
    case "path": {
      const path = parseTapPath(text);
      return path === null ? null : { path };
    }
    case "status":
      return parseStatusRange(text);
    case "sample": {
      const sample = parseTapSample(text);
      return sample === null ? null : { sample };
    }
    case "query":
      return text === "1" ? { query: true } : null;
    default:
      return null;
  }
}
