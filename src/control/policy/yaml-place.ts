/**
 * Values of a YAML file together with the line where they stand. What is not as it should be is thrown
 * as a PolicyFault, which the file's reader catches: it is the first thing wrong that counts.
 */
import { isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type Pair } from "yaml";

export class PolicyFault extends Error {
  readonly line: number;

  constructor(line: number, reason: string) {
    super(reason);
    this.line = line;
  }
}

/** Names in messages are cut to so much: a file may be anything. */
const QUOTE_CHARS_MAX = 60;

export function quoted(text: string): string {
  const cut = text.length > QUOTE_CHARS_MAX ? `${text.slice(0, QUOTE_CHARS_MAX)}…` : text;
  return JSON.stringify(cut);
}

export type Item = { readonly key: string; readonly keyLine: number; readonly value: Place };

export class Place {
  readonly line: number;
  readonly #node: Node | null;
  readonly #lines: LineCounter;

  /** `line`: where it would stand, of a value that is left out. */
  constructor(node: unknown, lines: LineCounter, line: number) {
    this.#node = node as Node | null;
    this.#lines = lines;
    const offset = this.#node?.range?.[0];
    this.line = offset === undefined ? line : lines.linePos(offset).line;
  }

  fail(reason: string): never {
    throw new PolicyFault(this.line, reason);
  }

  /** The entries of a mapping, each with a key of its own. `what` says what is expected. */
  entries(what: string): readonly Item[] {
    const node = this.#plain();
    if (!isMap(node)) return this.fail(`expected ${what}`);
    const seen = new Set<string>();
    return node.items.map((pair) => {
      const item = this.#item(pair as Pair);
      const { key, keyLine } = item;
      if (seen.has(key)) throw new PolicyFault(keyLine, `${quoted(key)} is there twice`);
      seen.add(key);
      return item;
    });
  }

  /** The entries of a mapping whose keys are among `keys`. */
  fields<Key extends string>(keys: readonly Key[], what: string): Partial<Record<Key, Place>> {
    const fields: Partial<Record<Key, Place>> = {};
    for (const { key, keyLine, value } of this.entries(what)) {
      const known = keys.find((each) => each === key);
      if (known === undefined) {
        throw new PolicyFault(keyLine, `${quoted(key)} is not one of ${keys.join(", ")}`);
      }
      fields[known] = value;
    }
    return fields;
  }

  list(what: string): readonly Place[] {
    const node = this.#plain();
    if (!isSeq(node)) return this.fail(`expected a list of ${what}`);
    return node.items.map((item) => new Place(item, this.#lines, this.line));
  }

  /** A text or a number, as it is written. */
  text(what: string): string {
    const node = this.#plain();
    if (!isScalar(node)) return this.fail(`expected ${what}`);
    const { source, value } = node;
    if (typeof value === "string") return value;
    if (typeof value === "number") return source ?? String(value);
    return this.fail(`${quoted(source ?? String(value))}: expected ${what}`);
  }

  flag(): boolean {
    const node = this.#plain();
    if (isScalar(node) && typeof node.value === "boolean") return node.value;
    return this.fail("expected true or false");
  }

  /** A whole number from `min` to `max`. */
  count(min: number, max: number): number {
    const what = `a whole number from ${min} to ${max}`;
    const text = this.text(what);
    const number = /^(?:0|[1-9][0-9]{0,8})$/.test(text) ? Number(text) : -1;
    if (number >= min && number <= max) return number;
    return this.fail(`${quoted(text)}: expected ${what}`);
  }

  #plain(): Node | null {
    if (isAlias(this.#node)) this.fail("an alias of YAML: write it out");
    return this.#node;
  }

  #item({ key, value }: Pair): Item {
    const place = new Place(key, this.#lines, this.line);
    return {
      key: place.text("a name"),
      keyLine: place.line,
      value: new Place(value, this.#lines, place.line),
    };
  }
}
