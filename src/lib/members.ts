/**
 * Who is here, as an array in which each member knows its place: in place of a `Set` of what comes and
 * goes often. Engines make a Set anew when many were deleted, and the old one, once it is old garbage,
 * keeps the new one and all that was in it alive until everything is collected.
 */

/** What can be a member of one such crowd. */
export interface Member {
  /** Its place; -1: it is no member. Belongs to the crowd. */
  memberAt: number;
}

export class Members<T extends Member> implements Iterable<T> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: T): void {
    if (member.memberAt !== -1) return;
    member.memberAt = this.#members.push(member) - 1;
  }

  /** The last one takes its place. */
  delete(member: T): void {
    const place = member.memberAt;
    if (place === -1) return;
    member.memberAt = -1;
    const last = this.#members.pop();
    if (last === undefined || last === member) return;
    this.#members[place] = last;
    last.memberAt = place;
  }

  /** Nobody may come or go meanwhile: spread it first. */
  [Symbol.iterator](): Iterator<T> {
    return this.#members[Symbol.iterator]();
  }
}
