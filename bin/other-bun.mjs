// Bun for another architecture than this machine's: npm has it as a package, which is fetched once.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "./bundle.mjs";
import { fail, root } from "./runtimes.mjs";

/** Returns the path of Bun's executable for `arch`, the version that package.json names. */
export function otherBun(arch) {
  const { version } = JSON.parse(readFileSync(join(root, "node_modules/bun/package.json"), "utf8"));
  const name = `bun-linux-${arch === "arm64" ? "aarch64" : arch}`;
  const folder = join(root, "node_modules/.cache", `${name}-${version}`);
  const path = join(folder, "package/bin/bun");
  if (existsSync(path)) return path;
  // By rename, so that one that was broken off is not taken for whole.
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  runTool("npm", ["pack", `@oven/${name}@${version}`, "--silent", `--pack-destination=${fresh}`]);
  const archive = join(fresh, `oven-${name}-${version}.tgz`);
  checkIntegrity(archive, `@oven/${name}`);
  runTool("tar", ["xzf", archive], fresh);
  rmSync(archive);
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  return path;
}

/** It must be the very package that the lock file names. */
function checkIntegrity(archive, name) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const wanted = packages[`node_modules/${name}`]?.integrity;
  if (wanted === undefined) return fail(`package-lock.json does not list ${name}`);
  const digest = createHash("sha512").update(readFileSync(archive)).digest("base64");
  if (wanted !== `sha512-${digest}`) fail(`${name} is not what package-lock.json says`);
}
