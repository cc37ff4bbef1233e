/**
 * Names that the mesh does not have and DNS neither, but that were asked for only just now: whoever
 * serves them may still be starting. Until then it is not said that there is no such name, so that
 * applications that are started together need no order.
 */
import type { Service } from "../mesh/snapshot.ts";
import type { Timing } from "./timing.ts";

/** A sidecar and its application start in less. Who asks waits for FAILFAST_MS of the proxy, 3 s. */
export const APPEARS_WITHIN_MS = 2_000;

export class Awaited {
  readonly #timing: Timing;
  readonly #over: () => void;
  readonly #names = new Set<string>();

  /** `over` is called when a name is awaited no longer. */
  constructor(timing: Timing, over: () => void) {
    this.#timing = timing;
    this.#over = over;
  }

  /** Awaits a name from now on, as the service is called that DNS finds. */
  begin(name: string): void {
    this.#names.add(name);
    this.#timing.after(APPEARS_WITHIN_MS, () => {
      this.#names.delete(name);
      this.#over();
    });
  }

  /** Whether a service is no answer yet. */
  withholds({ name, failure }: Service): boolean {
    return failure !== null && this.#names.has(name);
  }
}
