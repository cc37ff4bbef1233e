/** What a tap is told to look for, and what it tells of each request. Plain values. */

/** Who taps at once: each costs every worker a comparison per request, and a person needs one. */
export const TAPPERS_MAX = 4;
/** Told per tap, worker and second; more scroll past nobody's eyes, and cost the main thread 1 %. */
export const TAP_EVENTS_PER_SECOND = 2_000;
/** Events wait for others so long, so that they travel together. */
export const TAP_BATCH_MS = 50;
/** Characters of all texts in one batch: 500 events of a usual size. */
export const TAP_BATCH_CHARS_MAX = 131_072;
/** Batches of one worker that nobody has read yet; with more the worker tells nothing. */
export const TAP_BATCHES_UNREAD_MAX = 4;
/** What is shown of a method, an authority or a path; the rest is cut. */
export const TAP_METHOD_CHARS_MAX = 32;
export const TAP_TEXT_CHARS_MAX = 512;

export type TapOrder = {
  readonly id: number;
  /** See `isNamed`; null: all. */
  readonly to: string | null;
  readonly from: string | null;
  /** As it is sent: methods are case-sensitive. */
  readonly method: string | null;
  /** What the path begins with. */
  readonly path: string | null;
  /** Lowest and highest status that is told; 0 is none, because the exchange was cut. */
  readonly statusMin: number;
  readonly statusMax: number;
  /** One in so many is told, by chance. */
  readonly sample: number;
  /** Paths are told with their query, which may hold secrets. */
  readonly query: boolean;
};

/** The highest status there is, for orders that name none. */
export const TAP_STATUS_MAX = 999;

export const TAP_ALL: Omit<TapOrder, "id"> = Object.freeze({
  to: null,
  from: null,
  method: null,
  path: null,
  statusMin: 0,
  statusMax: TAP_STATUS_MAX,
  sample: 1,
  query: false,
});

export type TapProtocol = "http1" | "http2" | "opaque";

/** A request when its response is over, or an opaque connection when it is closed. */
export type TapEvent = {
  /** When that was, milliseconds since 1970. */
  readonly time_ms: number;
  readonly direction: "inbound" | "outbound";
  /** What the client speaks. */
  readonly protocol: TapProtocol;
  /** `ip:port` of the client. */
  readonly client: string;
  /** Who it has proved to be. */
  readonly client_id: string | null;
  /** Empty for a connection. */
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  /** 0 when the client was told none, or was cut off. */
  readonly status: number;
  /** To the response's first byte, or of the connection's whole life. */
  readonly latency_us: number;
  /** `ip:port` of the server; null when none was chosen. */
  readonly endpoint: string | null;
  /** Who the server has proved to be. */
  readonly server_id: string | null;
  /** The side of the mesh is authenticated: the client of inbound traffic, the server of outbound. */
  readonly mtls: boolean;
  /** How often it was sent to an endpoint. */
  readonly sends: number;
  /** From the client, and to it; null for requests. */
  readonly read_bytes: number | null;
  readonly written_bytes: number | null;
};

/**
 * Says whether `text` is called `name`: it is that, or begins with it and goes on with a port, a
 * further label or a path. `web` is `web:80` and `web.shop.svc.cluster.local`, not `webshop`. Letters'
 * case does not count; `name` is in lower case.
 */
export function isNamed(text: string, name: string): boolean {
  if (text.length < name.length) return false;
  if (text.length > name.length && !":./".includes(text.charAt(name.length))) return false;
  return text.slice(0, name.length).toLowerCase() === name;
}
