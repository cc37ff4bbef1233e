/**
 * The image, built from the Containerfile on bases that are made here from Debian packages: nothing
 * is pulled. What it is built on has a shell and borrows Node and npm, with npm's settings, from this
 * machine; what it runs on is the C library and OpenSSL.
 */
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../support/sources.ts";
import { findTool } from "../support/tool.ts";
import { output } from "./command.ts";
import type { Podman } from "./podman.ts";

export const IMAGE = "localhost/outrigger-test";

const BUILD_BASE = "localhost/outrigger-test-build-base";
const BASE = "localhost/outrigger-test-base";

/** What the Containerfile asks of what it builds on, but for Node; Node needs libstdc++. */
const BUILD_PACKAGES = "bash,coreutils,dash,grep,libc-bin,libstdc++6,nftables,sed";
const PACKAGES = "libc6,libssl3";

/** Packages are downloaded; a slow mirror is not what is tested. */
const MAKING_MS = 120_000;

/** Whoever has TLS inspected needs this; it is where Debian puts it. */
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

export async function buildImage(podman: Podman, version: string, revision: string): Promise<void> {
  await Promise.all([
    makeBase(podman, BUILD_BASE, BUILD_PACKAGES),
    makeBase(podman, BASE, PACKAGES),
  ]);
  const args = { BUILD_BASE, BASE, VERSION: version, REVISION: revision };
  const volumes = (await borrowed(podman.folder)).map((volume) => `--volume=${volume}`);
  await podman.do(
    [
      ...["build", "--format=docker", "--layers=false", "--isolation=chroot", "--network=host"],
      ...volumes,
      ...Object.entries(args).map(([name, value]) => `--build-arg=${name}=${value}`),
      ...[`--tag=${IMAGE}`, ROOT],
    ],
    { withinMs: MAKING_MS },
  );
}

/** The packages are unpacked only: no script of theirs runs, and nothing comes along that is not named. */
async function makeBase(podman: Podman, name: string, packages: string): Promise<void> {
  const archive = join(podman.folder, `${name.replace(/.*\//, "")}.tar`);
  const release = readFileSync("/etc/os-release", "utf8");
  const suite = /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1];
  if (suite === undefined) throw new Error("this is not a release of Debian");
  const variant = ["--quiet", "--variant=extract", `--include=${packages}`];
  await output(["mmdebstrap", ...variant, suite, archive], { withinMs: MAKING_MS });
  await podman.do(["import", "--quiet", archive, name], { withinMs: MAKING_MS });
}

/** Volumes of the build, `FROM:TO:OPTIONS`. */
async function borrowed(folder: string): Promise<readonly string[]> {
  const [node, npm] = ["node", "npm"].map(findTool);
  if (node === undefined || node === null) throw new Error("there is no node");
  if (npm === undefined || npm === null) throw new Error("there is no npm");
  const settings = await output([npm, "config", "get", "userconfig", "globalconfig", "cache"]);
  const setting = (name: string): string =>
    new RegExp(`^${name}=(.*)$`, "m").exec(settings)?.[1] ?? "";
  const files: Readonly<Record<string, string>> = {
    npm: '#!/bin/sh\nexec node /usr/local/lib/npm/bin/npm-cli.js "$@"\n',
    // By it npm finds the settings of its user.
    passwd: "root:x:0:0:root:/root:/bin/sh\n",
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  }
  const volumes: readonly (readonly [from: string, to: string, options: string])[] = [
    [realpathSync(node), "/usr/local/bin/node", "ro"],
    [dirname(dirname(realpathSync(npm))), "/usr/local/lib/npm", "ro"],
    [join(folder, "npm"), "/usr/local/bin/npm", "ro"],
    [join(folder, "passwd"), "/etc/passwd", "ro"],
    [setting("userconfig"), "/root/.npmrc", "ro"],
    [setting("globalconfig"), "/usr/local/etc/npmrc", "ro"],
    [setting("cache"), "/root/.npm", "rw"],
    [CERTIFICATES, CERTIFICATES, "ro"],
  ];
  return volumes.filter(([from]) => existsSync(from)).map((volume) => volume.join(":"));
}
