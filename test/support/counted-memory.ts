/**
 * What a thread copies, and which Atomics it calls, counted where the language does it: copies through
 * `copyWithin`, `set` and `slice` of typed arrays, and through the words that a DataView writes
 * (codec/hpack/viewed-bytes.ts). Bytes that are written one by one, as digits are, count for nothing.
 * Only what runs inside of `counting` counts: test code that shares the thread does not.
 */

export type MemoryCounts = {
  /** Bytes, by the method that copied them. */
  readonly bytes: Map<string, number>;
  /** Calls, by the name of the function of Atomics. */
  readonly atomics: Map<string, number>;
};

type Typed = Uint8Array;
type Method = (this: Typed, ...args: never[]) => unknown;

const counts: MemoryCounts = { bytes: new Map(), atomics: new Map() };
let isOn = false;
let isPatched = false;

/** Runs `work` and counts what it does. */
export function counting(work: () => void): void {
  if (!isPatched) patch();
  isOn = true;
  try {
    work();
  } finally {
    isOn = false;
  }
}

/** Returns what was counted since the last call. */
export function takeCounts(): MemoryCounts {
  const taken = { bytes: new Map(counts.bytes), atomics: new Map(counts.atomics) };
  counts.bytes.clear();
  counts.atomics.clear();
  return taken;
}

function patch(): void {
  isPatched = true;
  const typed = Object.getPrototypeOf(Uint8Array.prototype) as Record<string, Method>;
  wrap(typed, "copyWithin", (self, [, start, end]) =>
    rangeBytes(self, Number(start), end === undefined ? self.length : Number(end)),
  );
  wrap(typed, "set", (_, [source]) => (source as unknown as Typed).byteLength ?? 0);
  wrap(typed, "slice", (self, [start, end]) =>
    rangeBytes(self, Number(start ?? 0), end === undefined ? self.length : Number(end)),
  );
  const view = DataView.prototype as unknown as Record<string, Method>;
  wrap(view, "setInt32", () => 4);
  const atomics = Atomics as unknown as Record<string, Method>;
  for (const name of Object.getOwnPropertyNames(Atomics)) {
    if (typeof atomics[name] === "function") wrapAtomic(atomics, name);
  }
}

function wrap(
  on: Record<string, Method>,
  name: string,
  bytesOf: (self: Typed, args: never[]) => number,
): void {
  const original = on[name];
  if (original === undefined) throw new Error(`there is no ${name}`);
  on[name] = function (this: Typed, ...args: never[]): unknown {
    if (isOn) add(counts.bytes, name, bytesOf(this, args));
    return original.apply(this, args);
  };
}

function wrapAtomic(on: Record<string, Method>, name: string): void {
  const original = on[name];
  if (original === undefined) throw new Error(`there is no ${name}`);
  on[name] = function (this: Typed, ...args: never[]): unknown {
    if (isOn) add(counts.atomics, name, 1);
    return original.apply(Atomics as never, args);
  };
}

function rangeBytes(self: Typed, start: number, end: number): number {
  const elements = Math.max(0, Math.min(end, self.length) - start);
  return elements * self.BYTES_PER_ELEMENT;
}

function add(to: Map<string, number>, name: string, amount: number): void {
  to.set(name, (to.get(name) ?? 0) + amount);
}
