/** Methods that a proxy treats in a way of their own. Any other token is carried as it is. */
import { bytesOf } from "./field-names.ts";

export const Method = {
  other: 0,
  get: 1,
  head: 2,
  post: 3,
  put: 4,
  delete: 5,
  options: 6,
  trace: 7,
  connect: 8,
  patch: 9,
} as const;
export type Method = (typeof Method)[keyof typeof Method];

type Known = { readonly name: Uint8Array; readonly method: Method };

/** The most usual first. */
const NAMES: readonly Known[] = Object.entries(Method)
  .filter(([, method]) => method !== Method.other)
  .map(([name, method]) => ({ name: bytesOf(name.toUpperCase()), method }));

/** Returns the method in `bytes[start, end)`; methods are case-sensitive (RFC 9110 §9.1). */
export function methodOf(bytes: Uint8Array, start: number, end: number): Method {
  for (let i = 0; i < NAMES.length; i++) {
    const known = NAMES[i];
    if (known === undefined || known.name.length !== end - start) continue;
    const { name, method } = known;
    let same = 0;
    while (same < name.length && bytes[start + same] === name[same]) same++;
    if (same === name.length) return method;
  }
  return Method.other;
}

/** RFC 9110 §9.2.2: sending it twice does what sending it once does. */
export function isIdempotent(method: Method): boolean {
  switch (method) {
    case Method.get:
    case Method.head:
    case Method.put:
    case Method.delete:
    case Method.options:
      return true;
    default:
      return false;
  }
}
