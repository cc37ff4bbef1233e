/** The one place where the version is read: package.json. */
import { readFileSync } from "node:fs";

/** outrigger's version. */
export const VERSION: string = read();

function read(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
