/** The metrics of a sidecar's way to the control plane, and of what it announces. */
import { formatLabels, type MetricsText } from "./text.ts";

export type ControlFigures = {
  readonly isConnected: boolean;
  /** Milliseconds since the control plane was there last, or since the start; 0 while it is. */
  readonly awayMs: number;
  /** Connections that were made, and attempts that came to nothing. */
  readonly connects: number;
  readonly failures: number;
  /** Why the last attempt failed; null when it did not. */
  readonly lastError: string | null;
  readonly announced: readonly {
    readonly service: string;
    readonly isAnnounced: boolean;
    /** Why not, if that is known. */
    readonly problem: string | null;
  }[];
};

export function writeControl(text: MetricsText, figures: ControlFigures): void {
  const { isConnected, awayMs, connects, failures, announced } = figures;
  const connected = "outrigger_control_connected";
  text.family(connected, "gauge", "1 while there is a connection to the control plane.");
  text.sample(connected, "", isConnected ? 1 : 0);
  const contact = "outrigger_control_last_contact_seconds";
  text.family(contact, "gauge", "For how long the control plane is away; 0 while it is not.");
  text.sample(contact, "", awayMs / 1e3);
  const total = "outrigger_control_connections_total";
  text.family(total, "counter", "Connections to the control plane, and attempts that failed.");
  text.sample(total, formatLabels([["result", "success"]]), connects);
  text.sample(total, formatLabels([["result", "failure"]]), failures);
  const family = "outrigger_announced";
  text.family(family, "gauge", "1 for a service that others are told we are part of.");
  for (const { service, isAnnounced } of announced) {
    text.sample(family, formatLabels([["service", service]]), isAnnounced ? 1 : 0);
  }
}
