/**
 * A request for a certificate from its first check to its answer, whoever carries it: who asks is
 * settled by the certificate of the connection, else by a token; only then is the request looked at.
 */
import type { Identity } from "../../mesh/credentials.ts";
import { identityFor, identityText } from "../../mesh/identity.ts";
import { type AuditEvent, REQUESTED_CHARS_MAX } from "./audit.ts";
import type { Authority, Issued } from "./authority.ts";
import { REFUSAL_KINDS, Refusal, type RefusalKind } from "./refusal.ts";
import type { TokenCheck } from "./token-check.ts";

/** The fields of a CertifyRequest, and what is known of who sent it. */
export type CertifyCall = {
  readonly requested: string;
  /** Empty for none. */
  readonly token: Uint8Array;
  readonly csr: Uint8Array;
  readonly peerAddress: string;
  /** Of the client certificate, once it was verified; null without one. */
  readonly peerIdentity: Identity | null;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number;
};

export type CertifierOptions = {
  readonly authority: Authority;
  readonly tokens: TokenCheck;
  readonly trustDomain: string;
  readonly audit: (event: AuditEvent) => void;
};

type Authenticated = { readonly identity: Identity; readonly proof: string };

export class Certifier {
  readonly #options: CertifierOptions;
  /** Requests refused, ever, by kind. */
  readonly refused: Record<RefusalKind, number>;
  /** Certificates issued, ever. */
  issued = 0;

  constructor(options: CertifierOptions) {
    this.#options = options;
    const zeros = REFUSAL_KINDS.map((kind) => [kind, 0] as const);
    this.refused = Object.fromEntries(zeros) as Record<RefusalKind, number>;
  }

  /** Returns a certificate, or why there is none. */
  async certify(call: CertifyCall): Promise<Issued | Refusal> {
    const authenticated = this.#authenticate(call);
    const answer =
      authenticated instanceof Refusal
        ? this.#refuse(call, authenticated)
        : await this.#options.authority.issue({
            ...authenticated,
            requested: call.requested,
            csr: call.csr,
            nowMs: call.nowMs,
            peer: call.peerAddress,
          });
    if (answer instanceof Refusal) this.refused[answer.kind] += 1;
    else this.issued += 1;
    return answer;
  }

  /**
   * A renewal comes with the certificate that is renewed, and a token beside it is not looked at. A
   * connection that was authenticated as somebody else may still join by a token.
   */
  #authenticate({ peerIdentity, requested, token, nowMs }: CertifyCall): Authenticated | Refusal {
    const isOwn = peerIdentity?.dns === requested || peerIdentity?.uri === requested;
    if (peerIdentity !== null && (isOwn || token.length === 0)) {
      const identity = this.#certifiedHere(peerIdentity);
      if (identity !== null) return { identity, proof: "certificate" };
      return new Refusal("wrong-identity", "the certificate is not of this trust domain");
    }
    if (token.length === 0) return new Refusal("malformed-token", "neither certificate nor token");
    const holder = this.#options.tokens.check(token, nowMs);
    if (holder instanceof Refusal) return holder;
    const { name, namespace, tokenId } = holder;
    const identity = identityFor(name, namespace, this.#options.trustDomain);
    if (identity === null) return new Refusal("wrong-identity", "no name in this trust domain");
    return { identity, proof: `token ${tokenId}` };
  }

  /** Returns the identity if it is one that this authority gives, else null: of another mesh, say. */
  #certifiedHere({ dns, uri }: Identity): Identity | null {
    const [name = "", namespace = ""] = dns?.split(".") ?? [];
    const identity = identityFor(name, namespace, this.#options.trustDomain);
    const isSame = identity !== null && identity.dns === dns;
    return isSame && (uri === null || identity.uri === uri) ? identity : null;
  }

  #refuse(call: CertifyCall, refusal: Refusal): Refusal {
    const { peerIdentity } = call;
    this.#options.audit({
      event: "certificate refused",
      timeMs: call.nowMs,
      identity: peerIdentity === null ? null : identityText(peerIdentity),
      requested: call.requested.slice(0, REQUESTED_CHARS_MAX),
      peer: call.peerAddress,
      proof: "none",
      serial: null,
      notAfterMs: null,
      kind: refusal.kind,
      reason: refusal.reason,
    });
    return refusal;
  }
}
