/** Sending what may be little or much, behind what is queued already. */
import type { Connection } from "./connection.ts";

/** Bytes that are copied to go out in one write with others; beyond it, a copy costs more. */
const JOINED_BYTES_MAX = 16_384;

/** Joins little with what is queued; sends much from where it is, behind what is queued. */
export function appendOrWrite(connection: Connection, at: number, end: number): void {
  if (end - at <= JOINED_BYTES_MAX) return connection.append(at, end);
  connection.flush();
  connection.write(at, end);
}
