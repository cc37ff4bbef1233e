/** What comes of an exchange, and when: gathered as it goes, recorded once at its end. */
import type { RequestHead } from "../codec/http1/request-head.ts";
import type { Endpoint, Service } from "../mesh/snapshot.ts";
import type { ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";
import { record } from "./outcome.ts";
import type { Route, ServiceRoute } from "./router.ts";
import type { Requester } from "./sides.ts";
import type { Watched } from "./watch.ts";

type Watchable = Pick<Requester, "isHttp2" | "origin"> & { readonly context: Context };

export class ExchangeOutcome {
  /** For whoever is told of requests; null when nobody is. */
  watched: Watched | null = null;
  #sentUs = 0;
  #sends = 0;
  #startedUs = 0;
  #latencyUs = 0;
  #status = 0;

  /** When the request was last sent, its last byte if that came later, microseconds. */
  get sentUs(): number {
    return this.#sentUs;
  }

  /** Notes what is told of a request; only while somebody wants to know (`Context.watch`). */
  describe(
    { context, isHttp2, origin }: Watchable,
    bytes: Uint8Array,
    base: number,
    head: RequestHead,
    route: Route,
  ): void {
    const protocol = isHttp2 ? "http2" : "http1";
    this.watched = context.watch?.describe(bytes, base, head, { origin, protocol, route }) ?? null;
  }

  begin(nowUs: number): void {
    this.#startedUs = nowUs;
    this.#sends = 0;
    this.#latencyUs = 0;
    this.#status = 0;
  }

  /** The request goes to an endpoint, for the first time or once more. */
  sent(nowUs: number): void {
    this.#sentUs = nowUs;
    this.#sends++;
  }

  /** The last of what goes to the endpoint came. */
  sentAll(nowUs: number): void {
    this.#sentUs = nowUs;
  }

  /** The client is told `status`, from now on. */
  end(status: number, nowUs: number): void {
    this.#status = status;
    this.#latencyUs = nowUs - this.#startedUs;
  }

  /** The client is told nothing, or only a part. */
  cut(): void {
    this.#status = 0;
  }

  /** Once, when the exchange is over. `service`: whose labels it has when there was no endpoint. */
  record(
    context: Context,
    origin: ClientOrigin,
    route: ServiceRoute | null,
    service: Service | null,
    endpoint: Endpoint | null,
  ): void {
    const fixed = route?.series ?? origin.series;
    const series = fixed >= 0 ? fixed : (endpoint?.series ?? service?.series ?? 0);
    const status = this.#status;
    const latencyUs = this.#latencyUs;
    record(context, series, status, latencyUs);
    if (this.watched === null) return;
    const outcome = { series, endpoint, status, latencyUs };
    context.watch?.tell(this.watched, outcome, origin, this.#sends);
    this.watched = null;
  }

  /** The request was answered `status` before there was an exchange. */
  refused({ context, origin }: Watchable, status: number): void {
    const outcome = { series: origin.series, endpoint: null, status, latencyUs: 0 };
    if (this.watched !== null) context.watch?.tell(this.watched, outcome, origin, 0);
    this.watched = null;
  }
}
