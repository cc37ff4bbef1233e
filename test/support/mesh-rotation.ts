/** What is done to a mesh while it carries load: an outage of the control plane, another anchor. */
import { setTimeout as after } from "node:timers/promises";
import { eventually } from "./eventually.ts";
import type { Mesh } from "./mesh-rig.ts";

export type Plan = {
  readonly seconds: number;
  /** The control plane is away for so long, from a third of the time on. 0: never. */
  readonly outageS: number;
  readonly replacesAnchor: boolean;
};

/** Carries the plan out; returns what was done and when, a line each. */
export async function rotate(mesh: Mesh, plan: Plan): Promise<string[]> {
  const startMs = performance.now();
  const lines: string[] = [];
  const note = (text: string): void => {
    lines.push(`${((performance.now() - startMs) / 1e3).toFixed(1)} s: ${text}`);
  };
  await after((plan.seconds * 1_000) / 3);
  if (plan.outageS > 0) {
    await mesh.control.stop();
    note("the control plane was stopped");
    await after(plan.outageS * 1_000);
    await mesh.control.start();
    note("the control plane is back");
  }
  if (plan.replacesAnchor) {
    for (const step of ["add", "promote", "remove"]) {
      // Refused until certificates from before have expired.
      await eventually(
        () =>
          mesh.control.do("anchor", step).then(
            () => true,
            () => false,
          ),
        {
          withinMs: 60_000,
          what: `the anchor step ${step}`,
        },
      );
      note(`anchor ${step}: ${(await mesh.control.do("anchor", "list")).replaceAll("\n", "; ")}`);
    }
  }
  return lines;
}
