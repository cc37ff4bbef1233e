/**
 * A connection to an endpoint, whatever is spoken on it. What is queued in a turn goes out at its end, and
 * not as soon as the socket says that it takes something: what came in the same turn is read before, and
 * may be an end. Then nothing was sent, and it goes to another one whatever it is.
 */
import { Connection } from "../net/connection.ts";
import { EPOLLOUT } from "../net/constants.ts";

export abstract class EndpointConnection extends Connection {
  protected override get defersFlush(): boolean {
    return true;
  }

  override onEvents(events: number): void {
    super.onEvents(this.isDeferred ? events & ~EPOLLOUT : events);
  }
}
