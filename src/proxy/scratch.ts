/** How the scratch memory at OUTPUT is shared out: a message's head, then its body's bytes. */
import { CHUNK_BYTES, OUTPUT } from "../net/arena.ts";

/** Where a body is coded anew: behind room for a head of the largest size. */
export const RELAY_SCRATCH = OUTPUT + CHUNK_BYTES + 8_192;
