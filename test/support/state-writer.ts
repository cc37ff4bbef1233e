/** A process that writes one name of a state folder again and again: `FOLDER WRITER`. */
import { StateFolder } from "../../src/lib/state-folder.ts";

/** A second or so beside two others. */
const ROUNDS = 150;

const fail = (...line: readonly unknown[]): void => {
  console.error(...line);
  process.exit(1);
};
const [dir = "", writer = ""] = process.argv.slice(2);
const folder = StateFolder.open(dir, { info: fail, warn: fail });
for (let round = 0; round < ROUNDS; round++) {
  folder.write("roots", { writer, round, fill: "x".repeat(round * 97) });
  await folder.flush();
}
