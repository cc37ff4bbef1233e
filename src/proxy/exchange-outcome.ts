/** What comes of an exchange, and when: gathered as it goes, recorded once at its end. */
import type { Endpoint } from "../mesh/snapshot.ts";
import { accessLine, type Requested } from "./access-log.ts";
import type { ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";
import { record } from "./outcome.ts";
import type { ServiceRoute } from "./router.ts";

export class ExchangeOutcome {
  /** For the access log, if there is one. */
  access: Requested | null = null;
  /** When the request was last sent, microseconds. */
  sentUs = 0;
  #startedUs = 0;
  #latencyUs = 0;
  #status = 0;

  begin(nowUs: number): void {
    this.#startedUs = nowUs;
    this.#latencyUs = 0;
    this.#status = 0;
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

  /** Once, when the exchange is over. */
  record(
    context: Context,
    origin: ClientOrigin,
    route: ServiceRoute | null,
    endpoint: Endpoint | null,
  ): void {
    const fixed = route?.series ?? origin.series;
    const series = fixed >= 0 ? fixed : (endpoint?.series ?? route?.service.series ?? 0);
    const outcome = { series, endpoint, status: this.#status, latencyUs: this.#latencyUs };
    record(context, outcome);
    if (this.access !== null) context.access?.(accessLine(this.access, outcome, origin));
    this.access = null;
  }
}
