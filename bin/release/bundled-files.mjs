// Prints the files that the program is bundled from, in the checkout that this one is in. Apart from the
// others, as a release is made in a clone.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle, bundledFiles } from "../bundle.mjs";

const folder = mkdtempSync(join(tmpdir(), "outrigger-bundle-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
bundle(folder);
for (const file of bundledFiles(folder)) console.log(file);
