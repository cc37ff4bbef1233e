/** A proxy that the command line describes: how it is started, and where it listens. */
import type { Contender } from "../contenders.ts";

const PORT_MAX = 65_535;
const ORIGIN = "{origin}";

/** Reads `NAME=PORT COMMAND…`; throws an Error that says what was expected. */
export function namedProxy(text: string): Contender {
  const [, name = "", digits, command = ""] =
    /^([a-z][a-z0-9.-]*)=(\d{1,5})\s+(\S.*)$/s.exec(text) ?? [];
  const port = Number(digits);
  if (!(port >= 1 && port <= PORT_MAX)) {
    throw new Error(`--proxy ${text}: expected 'NAME=PORT COMMAND', NAME in small letters`);
  }
  return {
    name,
    version: () => `by ${command}`,
    plan: ({ mode, originPort }) =>
      mode === "http"
        ? {
            kind: "command",
            command: ["sh", "-c", command.replaceAll(ORIGIN, String(originPort))],
            port,
          }
        : { kind: "absent", reason: "its command is for HTTP/1" },
  };
}
