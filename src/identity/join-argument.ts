/**
 * The value of `--token`: a join token, or `@FILE` with one in it. A file is read anew each time, as
 * tokens expire and whoever renews them writes the file. No reason quotes what was read.
 */
import { readFileSync, statSync } from "node:fs";
import { type JoinToken, parseJoinToken } from "./join-token.ts";
import type { Refused } from "./load.ts";

/** A token has less than 1 KiB. */
const FILE_BYTES_MAX = 4_096;

/** Returns the token that a `--token` stands for now, or in one line why there is none. */
export function readJoinArgument(argument: string): JoinToken | Refused {
  if (!argument.startsWith("@")) {
    return parseJoinToken(argument) ?? { refused: "the token is not one, or was cut" };
  }
  const path = argument.slice(1);
  const text = readText(path);
  if (text === null) return { refused: `the token file ${path} cannot be read` };
  return parseJoinToken(text) ?? { refused: `the token file ${path} holds no token` };
}

function readText(path: string): string | null {
  try {
    const stats = statSync(path);
    if (!stats.isFile() || stats.size > FILE_BYTES_MAX) return null;
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
