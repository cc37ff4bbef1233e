/**
 * What the real program allocates on its heaps, as its collectors tell it: each collection says how
 * many bytes were allocated since the last one. That is the volume, garbage and all, whatever was freed
 * meanwhile; a heap's size before and after says nothing of it. Compilers run on the threads that they
 * compile for, so that after a number of requests the code is the same each time.
 *
 * Over several runs: within 10 % on Bun and 5 % on Deno. JavaScriptCore counts what its allocators have
 * used up, one for each size of object, and forgets what is left in them when it collects; so cycles
 * are not to be short, and what comes to less than a cycle in all is hardly seen.
 */
import { type Program, startProgram, thisRuntime } from "./program.ts";

/** JavaScriptCore collects after so many bytes; otherwise it would after a hundred megabytes. */
const CYCLE_BYTES = 250_000;

const ENVIRONMENT: Readonly<Record<string, string>> =
  thisRuntime === "bun"
    ? {
        BUN_JSC_logGC: "1",
        BUN_JSC_gcMaxHeapSize: String(CYCLE_BYTES),
        BUN_JSC_useConcurrentJIT: "0",
      }
    : {
        DENO_V8_FLAGS:
          "--trace-gc-nvp,--max-semi-space-size=1,--no-concurrent-recompilation,--no-concurrent-sparkplug",
      };

/** V8 writes to standard output, and would keep it for a while if that is no terminal. */
const WRAP = ["stdbuf", "-oL", "sh", "-c", 'exec "$@" >&2', "sh"];

const CYCLE =
  thisRuntime === "bun" ? /bytes allocated this cycle: (\d+)/ : / ms: GC: .*"allocated":(\d+)/;

/** With fewer collections the share of a cycle at either end counts more than the cycles between. */
const MARKS_MIN = 4;

/** Bytes allocated until then, and how far the work was. */
type Mark = { readonly bytes: number; readonly units: number };

export class CountedProgram {
  readonly program: Program;
  #marks: Mark[] = [];
  #bytes = 0;
  #rest = "";
  #units: () => number = () => 0;

  private constructor(program: Program) {
    this.program = program;
    program.child.stderr?.on("data", (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString("latin1")).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    });
  }

  static async start(args: readonly string[]): Promise<CountedProgram> {
    return new CountedProgram(await startProgram(args, ENVIRONMENT, WRAP));
  }

  /**
   * Runs `work` and returns the bytes that all threads allocated for each unit of it, between the
   * first collection and the last; with few of them, in all of it, exact to one cycle. `units` says
   * how many were done so far.
   */
  async bytesEach(units: () => number, work: () => Promise<void>): Promise<number> {
    const before: Mark = { bytes: this.#bytes, units: units() };
    this.#marks = [];
    this.#units = units;
    await work();
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (this.#marks.length >= MARKS_MIN && first !== undefined && last !== undefined) {
      return (last.bytes - first.bytes) / (last.units - first.units);
    }
    return (this.#bytes - before.bytes) / (units() - before.units);
  }

  #take(line: string): void {
    const bytes = CYCLE.exec(line)?.[1];
    if (bytes === undefined) return;
    this.#bytes += Number(bytes);
    this.#marks.push({ bytes: this.#bytes, units: this.#units() });
  }
}
