/** Throws when one of our own invariants does not hold. For bugs, never for what a peer sent. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`);
}
