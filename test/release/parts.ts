/** The parts of the release recipe, which are plain JavaScript: they run before there are packages. */

export type Commit = {
  readonly id: string;
  readonly type: string;
  readonly scope: string;
  readonly text: string;
  readonly isBreaking: boolean;
};
export type RawCommit = { readonly id: string; readonly subject: string; readonly body: string };
export type Facts = {
  readonly head: string;
  readonly epochS: number;
  readonly branch: string | null;
  readonly changes: readonly string[];
  readonly isShallow: boolean;
  readonly tags: readonly string[];
  readonly lastTag: string | null;
  readonly commits: readonly RawCommit[];
};
export type Next = { readonly version?: string; readonly problem?: string };

async function part<T>(name: string): Promise<T> {
  return (await import(new URL(`../../bin/release/${name}.mjs`, import.meta.url).href)) as T;
}

export const commits = await part<{
  parseCommit(raw: RawCommit): Commit;
  bumpOf(all: readonly Commit[]): string | null;
  changelogSection(of: { version: string; date: string; commits: readonly Commit[] }): string;
  withSection(changelog: string | null, section: string): string | null;
}>("commits");

export const versions = await part<{
  parseVersion(text: string): readonly number[] | null;
  compareVersions(a: string, b: string): number;
  nextVersion(of: {
    current: string;
    last: string | null;
    asked: string | null;
    commits: readonly Commit[];
  }): Next;
  mayHoldVersion(path: string): boolean;
  withVersion(path: string, text: string, from: string, to: string): string | null;
}>("version");

export const repository = await part<{
  factsOf(root: string): Facts;
  problemOf(facts: Facts): string | null;
  git(root: string, args: readonly string[]): string;
}>("repository");

export const archives = await part<{
  archiveOf(parent: string, folder: string, epochS: number): Buffer;
  sha256Of(bytes: Uint8Array): string;
  sumsOf(paths: readonly string[]): string;
}>("archive");

export type Sbom = {
  readonly serialNumber: string;
  readonly components: readonly {
    readonly "bom-ref": string;
    readonly type: string;
    readonly hashes: readonly { readonly alg: string; readonly content: string }[];
    readonly licenses: readonly { readonly expression?: string }[];
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
};

export const sboms = await part<{
  sbomFor(of: {
    npm: unknown;
    lock: unknown;
    inputs: readonly string[];
    runtime: string;
    version: string;
    binary: { name: string; sha256: string };
    timestamp: string;
  }): Sbom;
  usedPackages(inputs: readonly string[]): readonly string[];
}>("sbom");

export const notices = await part<{
  noticesFor(of: {
    root: string;
    lock: unknown;
    inputs: readonly string[];
    runtime: "bun" | "deno";
    runtimePath: string;
  }): string;
}>("notices");
