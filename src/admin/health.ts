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

/** Something worth knowing, as `what: text`. */
export type Note = { readonly what: string; readonly text: string };

/** `ready` or `not ready`. */
export function readinessText({ ready }: Readiness): string {
  return ready ? "ready\n" : "not ready\n";
}

/** … and each reason, note and listener on a line. */
export function verboseReadinessText(
  readiness: Readiness,
  notes: readonly Note[],
  ports: readonly BoundPort[],
): string {
  const lines = [
    ...readiness.reasons.map((reason) => `reason: ${oneLine(reason)}`),
    ...notes.map(({ what, text }) => `${what}: ${oneLine(text)}`),
    ...ports.map(({ name, address }) => `${name}: ${oneLine(address)}`),
  ];
  return `${readinessText(readiness)}${lines.map((line) => `${line}\n`).join("")}`;
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
}
