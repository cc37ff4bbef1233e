// timeout: 60s
/** The manifests and the compose file: by the published schemas, with commands and an image of ours. */
import { basename } from "node:path";
import * as assert from "uvu/assert";
import { read } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import type { Finished } from "../support/tool.ts";
import {
  commandFaults,
  filesOf,
  objectsIn,
  packaged,
  runChecker,
  toldCommands,
  withFiles,
} from "./files.ts";

const test = suite("packaging/manifests");
test.timeout(30_000);

/** The first with native sidecars unless they are switched off, and the newest that is published. */
const KUBERNETES = ["1.29", "1.37"];
const IMAGE = "ghcr.io/outrigger/outrigger";

const manifests = packaged("kubernetes", ".yaml");
const compose = packaged("compose", ".yaml");

const strings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];

function kubernetes(version: string, paths: readonly string[]): Promise<Finished> {
  return runChecker("kubernetes_validate", ["-k", version, "--strict", ...paths]);
}

function composeSpec(paths: readonly string[]): Promise<Finished> {
  return runChecker("check_jsonschema", ["--builtin-schema", "vendor.compose-spec", ...paths]);
}

/** Copies in which a field that each of them has is misspelt. */
function misspelt(paths: readonly string[], from: string, to: string): Record<string, string> {
  return Object.fromEntries(
    paths.map((path) => {
      const text = read(path);
      assert.ok(text.includes(from), `${path} has no ${from}`);
      return [basename(path), text.replace(from, to)];
    }),
  );
}

test("the manifests are what Kubernetes takes", async () => {
  for (const version of KUBERNETES) {
    const { status, output } = await kubernetes(version, manifests);
    assert.is(status, 0, output);
    for (const path of manifests) assert.match(output, `${path} passed`);
  }
});

test("a misspelt field of a manifest is found", async () => {
  const wrong = misspelt(manifests, " startupProbe:", " startUpProbe:");
  const { status, output } = await withFiles(wrong, (paths) => kubernetes("1.29", paths));
  assert.is.not(status, 0);
  assert.match(output, "startUpProbe");
});

test("the compose file is one, and a misspelt field of it is found", async () => {
  const { status, output } = await composeSpec(compose);
  assert.is(status, 0, output);
  const wrong = misspelt(compose, " healthcheck:", " healthchek:");
  const refused = await withFiles(wrong, composeSpec);
  assert.is.not(refused.status, 0);
  assert.match(refused.output, "healthchek");
});

test("commands, probes and what people are told to run are ours", () => {
  let count = 0;
  const faults = [...manifests, ...compose].flatMap((path) => {
    const found: string[] = [];
    const look = (argv: readonly string[]): void => {
      count += 1;
      found.push(...commandFaults(path, argv));
    };
    for (const object of objectsIn(path)) {
      const isOurs = String(object["image"] ?? "").startsWith(IMAGE);
      if (isOurs) look(strings(object["args"] ?? object["command"]));
      const [first, ...words] = strings(object["test"] ?? object["command"]).filter(
        (word) => word !== "CMD",
      );
      if (first === "/outrigger") look(words);
    }
    for (const argv of toldCommands(path)) look(argv);
    return found;
  });
  assert.equal(faults, []);
  assert.ok(count >= 14, `${count} commands`);
});

test("what a container keeps and reads lies in a volume of its own", () => {
  const table = [...manifests, ...compose].flatMap((path) =>
    [...objectsIn(path)].flatMap((object) => {
      if (!String(object["image"] ?? "").startsWith(IMAGE)) return [];
      const files = filesOf(strings(object["args"] ?? object["command"]));
      const mounts = (object["volumeMounts"] ?? []) as readonly { readonly mountPath: string }[];
      const folders = [
        ...mounts.map(({ mountPath }) => mountPath),
        ...strings(object["volumes"]).map((volume) => volume.split(":")[1]),
        ...strings(object["secrets"]).map((secret) => `/run/secrets/${secret}`),
      ];
      return files.map((file) => ({ path, file, folders }));
    }),
  );
  const isKept = (file: string, folder = ""): boolean => `${file}/`.startsWith(`${folder}/`);
  assert.equal(
    table.filter(({ file, folders }) => !folders.some((folder) => isKept(file, folder))),
    [],
  );
  assert.is(table.length, 8);
});

test("so are those of the units' comments and of the readme", () => {
  const paths = ["packaging/README.md", ...packaged("systemd", ".service")];
  const told = paths.flatMap((path) => toldCommands(path).map((argv) => ({ path, argv })));
  assert.equal(
    told.flatMap(({ path, argv }) => commandFaults(path, argv)),
    [],
  );
  assert.ok(told.length >= 5, `${told.length} commands`);
});

test("one image everywhere, of the version that this is", () => {
  const { version } = JSON.parse(read("package.json")) as { version: string };
  const images = [...manifests, ...compose].flatMap((path) =>
    [...objectsIn(path)].map((object) => String(object["image"] ?? "")),
  );
  const ours = images.filter((image) => image !== "" && !image.startsWith("example.org/"));
  assert.equal(new Set(ours), new Set([`${IMAGE}:${version}`]));
});

test("every container of ours has as few privileges as it can", () => {
  for (const path of manifests) {
    for (const object of objectsIn(path)) {
      if (!String(object["image"] ?? "").startsWith(IMAGE)) continue;
      const context = object["securityContext"] as Record<string, unknown>;
      const isRedirect = object["name"] === "outrigger-redirect";
      assert.is(context["allowPrivilegeEscalation"], false, path);
      assert.is(context["readOnlyRootFilesystem"], true, path);
      const add = isRedirect ? { add: ["NET_ADMIN"] } : {};
      assert.equal(context["capabilities"], { drop: ["ALL"], ...add }, path);
    }
  }
});

test("the mesh's keys are not opened to the volume's group when a pod starts again", () => {
  const groups = manifests.flatMap((path) =>
    [...objectsIn(path)].flatMap(({ fsGroup, fsGroupChangePolicy: policy }) =>
      fsGroup === undefined ? [] : [policy],
    ),
  );
  assert.equal(groups, ["OnRootMismatch"]);
});

test.run();
