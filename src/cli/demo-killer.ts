/** Kills replicas of the demo's mesh, by keys or by the clock, and has them start again. */
import type { DemoMesh } from "./demo-mesh.ts";

/** Longer than it takes to see that others take its share. */
const DEAD_MS = 4_000;

export class Killer {
  killed = 0;
  readonly #mesh: DemoMesh;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #reviving = new Map<number, Promise<void>>();
  #next = 0;

  constructor(mesh: DemoMesh) {
    this.#mesh = mesh;
  }

  /** Kills one after the other, but never the last that runs. */
  every(ms: number): void {
    this.#after(ms, () => {
      if (this.#mesh.replicas.filter(({ isRunning }) => isRunning).length > 1) {
        this.kill(this.#next);
        this.#next = (this.#next + 1) % this.#mesh.replicas.length;
      }
      this.every(ms);
    });
  }

  /** `1` kills the first replica, or starts it again, and so on. */
  onKey(key: string): void {
    const index = "123456789".indexOf(key);
    const replica = this.#mesh.replicas[index];
    if (replica?.isRunning === true) this.kill(index);
    else if (replica !== undefined) this.#revive(index);
  }

  kill(index: number): void {
    if (this.#mesh.replicas[index]?.isRunning !== true) return;
    this.killed++;
    this.#mesh.kill(index);
    this.#after(DEAD_MS, () => this.#revive(index));
  }

  /** Kills no more; resolves when nothing is on its way to start. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(this.#reviving.values());
  }

  #revive(index: number): void {
    if (this.#reviving.has(index) || this.#mesh.replicas[index]?.isRunning === true) return;
    const revived = this.#mesh.revive(index).finally(() => this.#reviving.delete(index));
    // It stays dead in the view, which is all that can be said.
    this.#reviving.set(
      index,
      revived.catch(() => {}),
    );
  }

  #after(ms: number, task: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      task();
    }, ms);
    this.#timers.add(timer);
  }
}
