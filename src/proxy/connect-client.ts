/** A client that sent CONNECT: dial, say 200, join. What it sent ahead waits and goes first. */
import type { KeptBytes } from "../net/kept-bytes.ts";
import { ClientConnection } from "./client-connection.ts";
import { ClosingClient } from "./closing-client.ts";
import { counterOfAnswer, type ProxyErrorCode } from "./errors.ts";
import { FAILFAST_MS } from "./limits.ts";
import { EndpointDial } from "./open-tunnel.ts";
import { replyToFailure } from "./respond.ts";
import type { ServiceRoute } from "./router.ts";

const CONNECTED = "HTTP/1.1 200 OK\r\n\r\n";

export class ConnectClient extends ClientConnection {
  readonly #kept: KeptBytes;
  readonly #dial: EndpointDial;
  readonly #timeoutMs: number;

  /** Takes `from` over, and the bytes that it kept. The caller has entered (Context.enter). */
  constructor(from: ClientConnection, kept: KeptBytes, route: ServiceRoute) {
    super(from.context, from.fd, from.origin);
    from.retire();
    this.takeOver(from);
    this.context.clients.add(this);
    this.#kept = kept;
    this.#timeoutMs = route.timeoutMs;
    this.#dial = new EndpointDial(
      this.context,
      route,
      (server, endpoint) => {
        this.writeText(CONNECTED);
        const { start, end, length } = this.#kept;
        this.joinTunnel(server, endpoint, length > 0 ? { start, end } : null, route.service.name);
        this.#kept.clear();
      },
      (code) => this.#refuse(code),
    );
  }

  override begin(): void {
    // Longer than all tries together: it only ends what went wrong.
    this.arm(FAILFAST_MS + this.#timeoutMs);
    this.#dial.start();
  }

  override drain(): void {}

  protected override onReady(): void {
    if (this.hasError) this.onFault();
  }

  override onDeferred(): void {}

  override onFault(): void {
    if (!this.isOpen) return;
    this.#dial.cancel();
    this.context.leave();
    this.reset();
  }

  protected override onTimer(): void {
    this.#dial.cancel();
    this.#refuse("failfast");
  }

  protected override onClosing(): void {
    this.#kept.clear();
  }

  #refuse(code: ProxyErrorCode): void {
    this.context.count(counterOfAnswer(code));
    this.context.leave();
    this.#kept.clear();
    this.writeText(replyToFailure(code, "", true).text);
    new ClosingClient(this, true).begin();
  }
}
