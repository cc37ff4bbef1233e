// Which version comes next (https://semver.org/spec/v2.0.0.html), and where it is written. Pure.
import { bumpOf } from "./commits.mjs";

/** Returns [major, minor, patch]; null for what is no release's version. */
export function parseVersion(text) {
  const match = /^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$/.exec(text);
  return match === null ? null : match.slice(1).map(Number);
}

/** Below 0, 0 or above, as `a` is older than `b`, the same or newer. */
export function compareVersions(a, b) {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at === -1 ? 0 : left[at] - right[at];
}

/** While the first number is 0, what breaks raises the second one, and so does what is new. */
export function bumped(version, bump) {
  const [major, minor, patch] = parseVersion(version);
  if (bump === "major" && major > 0) return `${major + 1}.0.0`;
  if (bump !== "patch") return `${major}.${minor + 1}.0`;
  return `${major}.${minor}.${patch + 1}`;
}

/**
 * The next version. `current` is package.json's, `last` the last one released or null, `asked` the one
 * asked for or null. Returns { version } or { problem }.
 */
export function nextVersion({ current, last, asked, commits }) {
  if (parseVersion(current) === null) return { problem: `package.json: ${current} is no X.Y.Z` };
  if (asked !== null) return askedVersion(asked, last);
  // The first release is of what it has been called so far.
  if (last === null) return { version: current };
  if (current !== last) {
    const both = `package.json says ${current}, the last tag v${last}`;
    return { problem: `${both}: they should agree, or say --version X.Y.Z` };
  }
  const bump = bumpOf(commits);
  if (bump !== null) return { version: bumped(last, bump) };
  return { problem: `nothing since v${last} is for those who use it; --version X.Y.Z forces it` };
}

function askedVersion(asked, last) {
  if (parseVersion(asked) === null) return { problem: `--version: ${asked}: expected X.Y.Z` };
  if (last === null || compareVersions(asked, last) > 0) return { version: asked };
  return { problem: `--version: ${asked} is not newer than ${last}` };
}

const NPM_FILES = ["package.json", "package-lock.json"];

/** Whether the version may stand in a file of the repository; elsewhere it is no tag of an image. */
export function mayHoldVersion(path) {
  return NPM_FILES.includes(path) || path.startsWith("packaging/") || path === "Containerfile";
}

/** The new text of a file for which that is so; null if there is nothing to change. */
export function withVersion(path, text, from, to) {
  if (NPM_FILES.includes(path)) {
    const json = JSON.parse(text);
    json.version = to;
    if (json.packages?.[""] !== undefined) json.packages[""].version = to;
    return `${JSON.stringify(json, null, 2)}\n`;
  }
  const tag = new RegExp(`\\boutrigger:${from.replaceAll(".", "\\.")}(?![\\w.-])`, "g");
  const next = text.replace(tag, `outrigger:${to}`);
  return next === text ? null : next;
}
