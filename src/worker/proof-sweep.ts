/**
 * Connections do not outlive the certificate they were authenticated with: from its end on they take
 * nothing new, and after a grace what is left of them is cut. Upstream connections of HTTP/2 see to
 * it themselves.
 */
import type { Context } from "../proxy/context.ts";
import { PROOF_GRACE_MS, PROOF_SWEEP_MS } from "../proxy/limits.ts";

export class ProofSweep {
  readonly #context: Context;
  #nextMs = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Called often; looks once a second. `nowMs` is the loop's clock. */
  sweep(nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + PROOF_SWEEP_MS;
    const { clients, mesh, tunnels } = this.#context;
    const { wallMs } = mesh;
    for (const client of [...clients]) {
      if (wallMs >= client.provenUntilMs + PROOF_GRACE_MS) this.#cut(() => client.onFault());
      else if (wallMs >= client.provenUntilMs) client.drain();
    }
    for (const tunnel of [...tunnels]) {
      if (wallMs >= tunnel.provenUntilMs + PROOF_GRACE_MS) this.#cut(() => tunnel.close());
    }
  }

  #cut(close: () => void): void {
    this.#context.count("tls_proof_expired");
    close();
  }
}
