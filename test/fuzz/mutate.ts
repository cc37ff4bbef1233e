/** Small faults in bytes, of the kinds that find mistakes in parsers of binary formats. */
import type { Random } from "../support/random.ts";

const FAULTS_MAX = 4;
const RANGE_MAX = 24;

/** Bounds of prefixes, lengths and signs. */
const BOUNDS = [0x00, 0x01, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7e, 0x7f, 0x80, 0xbe, 0xfe, 0xff];

/** Returns a copy of the bytes with one to four faults; it may be longer or shorter. */
export function mutatedBytes(random: Random, original: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = [...original];
  for (let faults = random.between(1, FAULTS_MAX); faults > 0; faults--) {
    const at = random.below(bytes.length + 1);
    const length = random.below(RANGE_MAX);
    switch (random.below(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = random.pick(BOUNDS);
        break;
      case 2:
        bytes.splice(at, 0, random.pick(BOUNDS));
        break;
      case 3:
        bytes.splice(at, length);
        break;
      case 4:
        bytes.splice(at, 0, ...random.bytes(length));
        break;
      default:
        bytes.splice(at, 0, ...bytes.slice(random.below(bytes.length + 1)).slice(0, length));
    }
  }
  return Uint8Array.from(bytes);
}
