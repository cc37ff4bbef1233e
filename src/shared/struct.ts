/** Declares a record of shared memory: every word is a 32-bit integer, Atomics has no floats. */

export type Word = "i32" | "u32";

export type Fields = Readonly<Record<string, Word>>;

/** Word index of each field within a record, the words from one record to the next, the source. */
export type Struct<F extends Fields> = { readonly [K in keyof F]: number } & {
  readonly $stride: number;
  readonly $fields: F;
};

/** 16 words = 64 bytes: one cache line on x86-64 and most arm64. */
export const LINE_WORDS = 16;

/** Declares a record of `strideWords` words; whole cache lines keep two writers apart. */
export function struct<const F extends Fields>(strideWords: number, fields: F): Struct<F> {
  const names = Object.keys(fields);
  if (names.length > strideWords) {
    throw new RangeError(`${names.length} fields do not fit ${strideWords} words`);
  }
  const index = Object.fromEntries(names.map((name, word) => [name, word]));
  return Object.freeze({ ...index, $stride: strideWords, $fields: fields }) as Struct<F>;
}
