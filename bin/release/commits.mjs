// What commit messages say (https://www.conventionalcommits.org/en/v1.0.0/), and the changelog made
// from it. Pure: texts in, texts out.

/** Types that somebody who uses the program wants to know of, in the order of the changelog. */
const GROUPS = [
  ["feat", "New"],
  ["fix", "Fixed"],
  ["perf", "Faster"],
];
const BREAKING = "Breaking";
const OTHER = "Other";

/** Types that change nothing for them. */
const SILENT = ["bench", "build", "chore", "ci", "docs", "refactor", "style", "test"];

const HEAD_OF_CHANGELOG = `# Changelog

What changed for those who use it, newest first. Made by \`npm run release\` from the commits.
`;

/** Reads one commit. A message that is not conventional is of type "". */
export function parseCommit({ id, subject, body }) {
  const [, type = "", scope = "", bang = "", text = subject] =
    /^([a-z]+)(?:\(([^()]+)\))?(!?): +(.+)$/.exec(subject) ?? [];
  const footer = /^BREAKING[ -]CHANGE: +(.+)$/m.exec(body)?.[1];
  return { id, type, scope, text, isBreaking: bang === "!" || footer !== undefined };
}

/** "major", "minor" or "patch"; null when nothing changed for those who use it. */
export function bumpOf(commits) {
  if (commits.some(({ isBreaking }) => isBreaking)) return "major";
  if (commits.some(({ type }) => type === "feat")) return "minor";
  return commits.some(({ type }) => !SILENT.includes(type)) ? "patch" : null;
}

/** The part of the changelog about one version. `date` is YYYY-MM-DD. Ends with a line feed. */
export function changelogSection({ version, date, commits }) {
  const lines = [`## ${version} - ${date}`];
  for (const title of [BREAKING, ...GROUPS.map(([, each]) => each), OTHER]) {
    const own = commits.filter((commit) => titleOf(commit) === title);
    if (own.length > 0) lines.push("", `### ${title}`, "", ...own.map(lineOf));
  }
  if (lines.length === 1) lines.push("", "Nothing for those who use it.");
  return `${lines.join("\n")}\n`;
}

function titleOf({ type, isBreaking }) {
  if (isBreaking) return BREAKING;
  if (SILENT.includes(type)) return null;
  return GROUPS.find(([each]) => each === type)?.[1] ?? OTHER;
}

function lineOf({ id, type, scope, text }) {
  const known = type === "" || GROUPS.some(([each]) => each === type) || SILENT.includes(type);
  const about = known ? scope : [type, scope].filter((each) => each !== "").join(" ");
  const prefix = about === "" ? "" : `**${plain(about)}**: `;
  return `- ${prefix}${plain(text)} (${id.slice(0, 7)})`;
}

/** Nothing in a message is Markdown or HTML. */
function plain(text) {
  return text.replace(/[\\*_[\]<>`#&]/g, "\\$&");
}

/** A changelog with one more section, before the older ones. Returns null if it has that version. */
export function withSection(changelog, section) {
  const title = section.slice(0, section.indexOf(" - "));
  const before = changelog ?? HEAD_OF_CHANGELOG;
  if (before.split("\n").some((line) => line === title || line.startsWith(`${title} `)))
    return null;
  const at = before.search(/^## /m);
  if (at === -1) return `${before.trimEnd()}\n\n${section}`;
  return `${before.slice(0, at)}${section}\n${before.slice(at)}`;
}
