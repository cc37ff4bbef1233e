/** Sets of ports as the fewest ranges, which is how rules have them. Pure. */

/** Both ends are in it. */
export type PortRange = { readonly first: number; readonly last: number };

/** Returns ranges that neither overlap nor touch, lowest first. */
export function rangesOf(ports: ReadonlySet<number>): readonly PortRange[] {
  const ranges: { first: number; last: number }[] = [];
  for (const port of [...ports].sort((a, b) => a - b)) {
    const former = ranges.at(-1);
    if (former !== undefined && former.last + 1 === port) former.last = port;
    else ranges.push({ first: port, last: port });
  }
  return ranges;
}

/** Returns the ranges with `separator` between the ends of each. */
export function rangeTexts(ranges: readonly PortRange[], separator: "-" | ":"): string[] {
  return ranges.map(({ first, last }) =>
    first === last ? `${first}` : `${first}${separator}${last}`,
  );
}
