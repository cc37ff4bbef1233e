/** Reads what a child process printed as JSON, checked field by field. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** Returns the object in `text`, or null if there is none. */
export function parseObject(text: string): JsonObject | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export function asObject(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null ? { ...value } : null;
}

/** Returns the number at a path such as "latency.p99"; throws if there is none. */
export function numberAt(object: JsonObject, path: string): number {
  let value: unknown = object;
  for (const key of path.split(".")) {
    value = asObject(value)?.[key];
  }
  if (typeof value !== "number") {
    throw new Error(`no number at ${path} in ${JSON.stringify(object).slice(0, 200)}`);
  }
  return value;
}

/** Returns the text at `key`; throws if there is none. */
export function textAt(object: JsonObject, key: string): string {
  const value = object[key];
  if (typeof value !== "string") {
    throw new Error(`no text at ${key} in ${JSON.stringify(object).slice(0, 200)}`);
  }
  return value;
}
