/**
 * What was let in does not stay longer than the policy allows it: with each snapshot tunnels are judged
 * anew, and those of clients that may not come in any more are cut. Requests are not: each was judged
 * when it came, and one that is under way, however long, is let finish, as linkerd2-proxy does it.
 */
import { denialOf } from "../proxy/admit.ts";
import type { Context } from "../proxy/context.ts";
import { FAILFAST_MS } from "../proxy/limits.ts";
import type { OpenTunnel } from "../proxy/open-tunnel.ts";

export class PolicySweep {
  readonly #context: Context;
  /** When ports must have policies again that the newest snapshots lack, though tunnels go there. */
  #untilMs = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** A snapshot was taken. `nowMs` is the loop's clock. */
  onSnapshot(nowMs: number): void {
    const { clients, directory } = this.#context;
    if (!directory.hasPolicies) return;
    this.#judgeTunnels(nowMs);
    for (const client of [...clients]) client.onPolicyChange();
  }

  /** Called often. A policy that is missing is waited for no longer than a new client waits for it. */
  sweep(nowMs: number): void {
    if (this.#untilMs !== 0 && nowMs >= this.#untilMs) this.#judgeTunnels(nowMs);
  }

  #judgeTunnels(nowMs: number): void {
    const { directory, tunnels } = this.#context;
    const isLate = this.#untilMs !== 0 && nowMs >= this.#untilMs;
    let areWaiting = false;
    for (const tunnel of [...tunnels]) {
      const denial = denialOf(this.#context, tunnel.origin);
      if (denial === null) continue;
      const { target } = tunnel.origin;
      if (denial !== "policy-unknown" || target === null || isLate) this.#cut(tunnel);
      else {
        areWaiting = true;
        directory.askPort(target.port);
      }
    }
    if (!areWaiting) this.#untilMs = 0;
    else if (this.#untilMs === 0) this.#untilMs = nowMs + FAILFAST_MS;
  }

  #cut(tunnel: OpenTunnel): void {
    this.#context.count("policy_cut");
    tunnel.close();
  }
}
