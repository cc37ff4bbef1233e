// The list of what a binary is made of, as CycloneDX 1.5: npm's own list, cut down to the packages that
// the bundler took files from, with the runtime that is in the binary too. Pure.
import { createHash } from "node:crypto";

/**
 * `npm` is what `npm sbom` prints, `lock` the lock file, `inputs` the files that were bundled,
 * `runtime` the package with the runtime (its path in the lock file), `binary` { name, sha256 }.
 * Nothing in the result depends on the hour or on chance, so that it can be made again.
 */
export function sbomFor({ npm, lock, inputs, runtime, version, binary, timestamp }) {
  const used = [...usedPackages(inputs), runtime].map((path) => refOf(lock, path));
  const listed = new Map(npm.components.map((component) => [component["bom-ref"], component]));
  const missing = used.find((ref) => !listed.has(ref));
  if (missing !== undefined) throw new Error(`npm sbom does not list ${missing}`);
  const runtimeRef = refOf(lock, runtime);
  const components = [...new Set(used)].sort().map((ref) => {
    const { scope: _, ...component } = listed.get(ref);
    const type = ref === runtimeRef ? "platform" : "library";
    return { ...component, type, scope: "required", ...lockedOf(lock, ref) };
  });
  const self = `outrigger@${version}`;
  const graph = npm.dependencies.filter(({ ref }) => used.includes(ref));
  const sbom = {
    $schema: npm.$schema,
    bomFormat: "CycloneDX",
    specVersion: npm.specVersion,
    version: 1,
    metadata: {
      timestamp,
      lifecycles: [{ phase: "build" }],
      tools: npm.metadata.tools,
      component: {
        "bom-ref": self,
        type: "application",
        name: "outrigger",
        version,
        description: npm.metadata.component.description,
        licenses: npm.metadata.component.licenses,
        purl: `pkg:generic/outrigger@${version}?file_name=${encodeURIComponent(binary.name)}`,
        hashes: [{ alg: "SHA-256", content: binary.sha256 }],
      },
    },
    components,
    dependencies: [
      { ref: self, dependsOn: directOf(lock, used) },
      ...graph.map(({ ref, dependsOn = [] }) => {
        return { ref, dependsOn: dependsOn.filter((each) => used.includes(each)).sort() };
      }),
    ].sort((a, b) => (a.ref < b.ref ? -1 : 1)),
  };
  return { ...sbom, serialNumber: `urn:uuid:${uuidOf(JSON.stringify(sbom))}` };
}

/** `node_modules/a/node_modules/@b/c` of each file that was bundled from a package. */
export function usedPackages(inputs) {
  const paths = inputs.map((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  return [...new Set(paths.filter((path) => path !== undefined))].sort();
}

function refOf(lock, path) {
  const entry = lock.packages[path];
  if (entry === undefined) throw new Error(`package-lock.json does not list ${path}`);
  return `${path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)}@${entry.version}`;
}

/** What npm leaves out: hashes of packages for other platforms, licences that are not just one. */
function lockedOf(lock, ref) {
  const path = Object.keys(lock.packages).find((each) => each !== "" && refOf(lock, each) === ref);
  const { integrity, license = "" } = lock.packages[path];
  const [, base64] = /^sha512-(.+)$/.exec(integrity) ?? [];
  if (base64 === undefined) throw new Error(`package-lock.json has no SHA-512 of ${ref}`);
  const hashes = [{ alg: "SHA-512", content: Buffer.from(base64, "base64").toString("hex") }];
  return license.includes(" ") ? { hashes, licenses: [{ expression: license }] } : { hashes };
}

function directOf(lock, used) {
  const direct = Object.keys(lock.packages[""].dependencies).map((name) => `node_modules/${name}`);
  const refs = direct.filter((path) => lock.packages[path] !== undefined);
  const own = refs.map((path) => refOf(lock, path)).filter((ref) => used.includes(ref));
  // The runtime is a dependency of a package of ours that is not in the binary itself.
  return [...new Set([...own, used.at(-1)])].sort();
}

/** RFC 9562, 5.8: of our own making, from what is named by it. */
function uuidOf(text) {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
