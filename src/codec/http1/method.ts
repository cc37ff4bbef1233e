/** Methods that a proxy treats in a way of their own. Any other token is carried as it is. */

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

const BY_NAME: ReadonlyMap<string, Method> = new Map(
  Object.entries(Method).map(([name, method]) => [name.toUpperCase(), method]),
);

/** Returns the method in `bytes[start, end)`; methods are case-sensitive (RFC 9110 §9.1). */
export function methodOf(bytes: Uint8Array, start: number, end: number): Method {
  const length = end - start;
  if (length === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54) {
    return Method.get;
  }
  if (length > 7) return Method.other;
  let name = "";
  for (let at = start; at < end; at++) name += String.fromCharCode(bytes[at] ?? 0);
  return name === "OTHER" ? Method.other : (BY_NAME.get(name) ?? Method.other);
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
