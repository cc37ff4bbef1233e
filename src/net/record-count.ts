/**
 * Whether reads of TLS have used up all that the socket had, told from the numbers of bytes alone: asking
 * the socket once more is a system call, a failed read of OpenSSL and the question why, for each turn in
 * which something came.
 *
 * A record of TLS 1.3 has 22 bytes around its data (RFC 8446 §5.2, all suites that we take). So what came
 * from the socket, less the data and 22 for each record, is what OpenSSL still holds. Padding and records
 * without data only make it look more, never less; then the socket is asked, as it is in the beginning.
 */

/** Head, type of the content, and tag. */
const RECORD_OVERHEAD_BYTES = 22;
/** OpenSSL has room for a whole record at least, so a read of less has emptied the socket. */
const RECORD_BYTES_MAX = 16_384;

export class RecordCount {
  /** What OpenSSL holds is known. */
  #isKnown = false;
  #heldBytes = 0;
  /** From the socket, since `begin` … */
  #cameBytes = 0;
  /** … when OpenSSL held nothing. */
  #wasEmpty = false;

  /** A row of reads begins. */
  begin(): void {
    this.#cameBytes = 0;
    this.#wasEmpty = this.#isKnown && this.#heldBytes === 0;
  }

  /**
   * `came` bytes from the socket, and `count` of data from one record, for which there was `room`.
   * Returns whether nothing is left to be read: an edge tells when more comes.
   */
  took(came: number, count: number, room: number): boolean {
    // It may be a part of the record.
    if (count === room) this.#isKnown = false;
    this.#cameBytes += came;
    this.#heldBytes += came - count - RECORD_OVERHEAD_BYTES;
    const isShort = this.#wasEmpty && this.#cameBytes < RECORD_BYTES_MAX;
    return isShort && this.#isKnown && this.#heldBytes === 0;
  }

  /** `came` bytes from the socket, and no data: a part of a record, or one without data. */
  tookNone(came: number): void {
    this.#cameBytes += came;
    this.#heldBytes += came;
  }

  /** The socket was found empty. */
  get isToBeLearned(): boolean {
    return !this.#isKnown || this.#heldBytes !== 0;
  }

  /** OpenSSL holds nothing. */
  learnEmpty(): void {
    this.#isKnown = true;
    this.#heldBytes = 0;
  }
}
