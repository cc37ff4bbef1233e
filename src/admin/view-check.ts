/** Checks of JSON that claims to be a view of ours: another program, or another version, may have sent it. */

export type Check = (value: unknown) => boolean;

export const isText: Check = (value) => typeof value === "string";
export const isNumber: Check = (value) => typeof value === "number";
export const isTextOrNull: Check = (value) => value === null || isText(value);
export const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);
export const isTime: Check = (value) =>
  typeof value === "string" && !Number.isNaN(Date.parse(value));
export const isTimeOrNull: Check = (value) => value === null || isTime(value);
export const isBoolean: Check = (value) => typeof value === "boolean";
export const isNumberOrNull: Check = (value) => value === null || isNumber(value);

export function listOf(fields: Readonly<Record<string, Check>>): Check {
  return (value) => Array.isArray(value) && value.every((each) => hasFields(each, fields));
}

export function hasFields<T extends string>(
  value: unknown,
  fields: Readonly<Record<T, Check>>,
): value is Readonly<Record<T, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries<Check>(fields).every(([name, check]) =>
    check((value as Readonly<Record<string, unknown>>)[name]),
  );
}
