/** What `/ready` says. */

export type Readiness = {
  readonly ready: boolean;
  /** Why it is not, one line each. */
  readonly reasons: readonly string[];
};

export type BoundPort = {
  /** `inbound`, `outbound`, `forward`, `admin`. */
  readonly name: string;
  /** `ip:port` or `[ip]:port`. */
  readonly address: string;
};

/** `ready` or `not ready`; verbose also each reason and each listener on a line. */
export function readinessText(
  { ready, reasons }: Readiness,
  ports: readonly BoundPort[] | null,
): string {
  const lines = [ready ? "ready" : "not ready"];
  if (ports !== null) {
    for (const reason of reasons) lines.push(`reason: ${oneLine(reason)}`);
    for (const { name, address } of ports) lines.push(`${name}: ${oneLine(address)}`);
  }
  return `${lines.join("\n")}\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
}
