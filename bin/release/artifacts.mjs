// The files of a release, made in a clone that has the release's commit checked out.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { archiveOf, sha256Of, sumsOf } from "./archive.mjs";
import { noticesFor } from "./notices.mjs";
import { sbomFor } from "./sbom.mjs";

/** Bun's are named as if there were no others: they are the ones to take. */
const BUILDS = [
  { runtime: "bun", arch: "x64", suffix: "" },
  { runtime: "bun", arch: "arm64", suffix: "" },
  { runtime: "deno", arch: "x64", suffix: "-deno" },
  { runtime: "deno", arch: "arm64", suffix: "-deno" },
];

/** The package, by its path in the lock file, whose executable is in a binary. */
const RUNTIMES = {
  bun: { x64: "@oven/bun-linux-x64", arm64: "@oven/bun-linux-aarch64" },
  deno: { x64: "@deno/linux-x64-glibc", arm64: "@deno/linux-arm64-glibc" },
};

/** As bin/compile-deno.mjs ends when deno compile has no runtime to put in. */
const EXIT_UNAVAILABLE = 69;

const COMPLETIONS = {
  bash: "share/bash-completion/completions/outrigger",
  zsh: "share/zsh/site-functions/_outrigger",
  fish: "share/fish/vendor_completions.d/outrigger.fish",
};
/** Units for systemd, manifests and the like are among them: they are for somebody to adapt. */
const DOCUMENTS = ["LICENSE", "README.md", "CHANGELOG.md", "docs", "packaging"];

/**
 * Makes everything, in `out`. Returns what was left out, a line each: Deno's binaries need a runtime that
 * no package registry has. `say` is told of each step.
 */
export function makeArtifacts({ clone, out, work, version, epochS, say }) {
  const shared = join(work, "shared");
  makeShared({ clone, shared, version, epochS });
  const npm = JSON.parse(
    ran("npm", ["sbom", "--sbom-format=cyclonedx", "--omit=dev", "--package-lock-only"], clone),
  );
  const lock = JSON.parse(readFileSync(join(clone, "package-lock.json"), "utf8"));
  const inputs = ran(process.execPath, ["bin/release/bundled-files.mjs"], clone).split("\n");
  const timestamp = new Date(epochS * 1_000).toISOString();
  const files = [];
  const leftOut = [];
  for (const { runtime, arch, suffix } of BUILDS) {
    const name = `outrigger-${version}-linux-${arch}${suffix}`;
    say(`${name}: building`);
    const top = join(work, name);
    const binary = join(top, "bin/outrigger");
    if (!build({ clone, runtime, arch, binary })) {
      leftOut.push(`${name}: deno compile has no runtime for it, which it would download`);
      continue;
    }
    checkVersion({ binary, runtime, arch, version });
    cpSync(shared, top, { recursive: true });
    const runtimePath = `node_modules/${RUNTIMES[runtime][arch]}`;
    write(
      join(top, "share/doc/outrigger/THIRD-PARTY"),
      noticesFor({ root: clone, lock, inputs, runtime, runtimePath }),
    );
    const archive = archiveOf(work, name, epochS);
    const sbom = sbomFor({
      ...{ npm, lock, version, timestamp, inputs },
      runtime: runtimePath,
      binary: { name: `${name}.tar.gz`, sha256: sha256Of(archive) },
    });
    write(join(out, `${name}.tar.gz`), archive);
    write(join(out, `${name}.cdx.json`), `${JSON.stringify(sbom, null, 2)}\n`);
    files.push(join(out, `${name}.tar.gz`), join(out, `${name}.cdx.json`));
    rmSync(top, { recursive: true });
  }
  write(join(out, "SHA256SUMS"), sumsOf(files));
  return leftOut;
}

/** The man page, completions and documents, which are the same in each archive. */
function makeShared({ clone, shared, version, epochS }) {
  const program = (...args) => {
    const env = { SOURCE_DATE_EPOCH: String(epochS) };
    return ran(process.execPath, ["bin/outrigger.mjs", ...args], clone, env);
  };
  const page = program("man");
  if (!page.includes(`outrigger ${version}"`)) throw new Error(`the man page is not of ${version}`);
  write(join(shared, "share/man/man1/outrigger.1"), page);
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    write(join(shared, path), program("completion", shell));
  }
  const documents = join(shared, "share/doc/outrigger");
  mkdirSync(documents, { recursive: true });
  for (const name of DOCUMENTS)
    cpSync(join(clone, name), join(documents, name), { recursive: true });
}

/** Returns false where that runtime cannot be had. */
function build({ clone, runtime, arch, binary }) {
  const flags = [`--runtime=${runtime}`, `--arch=${arch}`, `--out=${binary}`];
  const options = { cwd: clone, encoding: "utf8" };
  const run = spawnSync(process.execPath, ["bin/build.mjs", ...flags], options);
  if (runtime === "deno" && run.status === EXIT_UNAVAILABLE) return false;
  if (run.status === 0) return true;
  throw new Error(`bin/build.mjs failed\n${run.error?.message ?? run.stderr.trim()}`);
}

/** One for this machine is asked who it is. */
function checkVersion({ binary, runtime, arch, version }) {
  if (arch !== process.arch) return;
  const said = ran(binary, ["version"]);
  if (said.startsWith(`outrigger ${version} (commit `) && said.includes(`, ${runtime} `)) return;
  throw new Error(`the binary says that it is ${said}`);
}

function ran(command, args, cwd, env = {}) {
  const options = { cwd, encoding: "utf8", env: { ...process.env, ...env }, maxBuffer: 1 << 26 };
  const run = spawnSync(command, args, options);
  if (run.status === 0) return run.stdout;
  throw new Error(`${command} ${args[0]}: ${run.error?.message ?? run.stderr.trim()}`);
}

function write(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
