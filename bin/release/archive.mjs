// Files of a release: archives that are the same whoever makes them when, and their sums.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";

/** Room for a binary with a runtime in it, some 110 MB. */
const TAR_BYTES_MAX = 1 << 30;

/**
 * A folder as .tar.gz, with nothing in it of when, where and by whom: sorted, of one time (seconds
 * since 1970), root's, with permissions that no umask changed. `parent` holds the folder.
 */
export function archiveOf(parent, folder, epochS) {
  const flags = [
    ...["--create", "--format=ustar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"],
    ...[`--mtime=@${epochS}`, "--mode=u=rwX,go=rX", `--directory=${parent}`, "--", folder],
  ];
  const tar = spawnSync("tar", flags, { maxBuffer: TAR_BYTES_MAX });
  if (tar.status !== 0) throw new Error(`tar failed: ${tar.error?.message ?? tar.stderr}`);
  // Node writes neither a name nor a time.
  return gzipSync(tar.stdout, { level: 6 });
}

export function sha256Of(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** As `sha256sum --check` reads it: one line for each file, by name. */
export function sumsOf(paths) {
  return [...paths]
    .sort()
    .map((path) => `${sha256Of(readFileSync(path))}  ${basename(path)}\n`)
    .join("");
}
