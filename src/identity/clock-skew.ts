/** How far the control plane's clock is from ours, told by the way. */
import type { Certified, Certify, CertifyRequest } from "./join-round.ts";

/** A request during which the clock was set by more tells nothing of the control plane's clock. */
const CLOCK_STEP_MS = 500;
/** Control planes date certificates back by so much, ours and Linkerd's. */
const CLOCK_SKEW_ALLOWED_MS = 20_000;

type Clocks = {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Time of day. */
  readonly wallMs: () => number;
  /** Is given how far the control plane's clock is ahead of ours. */
  readonly measured: (skewMs: number) => void;
};

/** Asks, and measures the control plane's clock by ours. */
export async function certifyMeasured(
  certify: Certify,
  request: CertifyRequest,
  { nowMs, wallMs, measured }: Clocks,
): Promise<Certified> {
  const [startMs, startWallMs] = [nowMs(), wallMs()];
  const certified = await certify(request);
  const [tookMs, tookWallMs] = [nowMs() - startMs, wallMs() - startWallMs];
  const isSteady = Math.abs(tookWallMs - tookMs) <= CLOCK_STEP_MS;
  if (certified.serverTimeMs !== null && isSteady && !request.signal.aborted) {
    measured(certified.serverTimeMs - (startWallMs + tookWallMs));
  }
  return certified;
}

/** A clock that is wrong looks like a certificate that is: says so where it may be. */
export function clockHint(skewMs: number): string {
  if (Math.abs(skewMs) < CLOCK_SKEW_ALLOWED_MS) return "";
  const side = skewMs > 0 ? "behind" : "ahead of";
  return `; our clock is ${Math.round(Math.abs(skewMs) / 1e3)} s ${side} the control plane's`;
}
