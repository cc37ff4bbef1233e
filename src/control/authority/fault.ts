/** Why the authority's folder cannot be used or changed, for the operator: one line, no secrets. */
export class Fault {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}
