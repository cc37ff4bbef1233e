/**
 * A strict reader of Prometheus' text format 0.0.4. It throws at the first line that breaks a rule,
 * those of the format and those that a server keeps by custom: one HELP and TYPE per family and
 * before it, families in one piece, no sample twice, histograms that add up.
 */

export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};
export type Family = { readonly type: string; readonly help: string; readonly samples: Sample[] };

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP_LINE = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\[\\\\n])*)$`);
const TYPE_LINE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE_LINE = new RegExp(`^(${NAME})(?:\\{(.+)\\})? (\\S+)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|$)/y;
const VALUE = /^(?:[+-]?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|\+Inf|-Inf|NaN)$/;

/** Returns the families by name. */
export function parseMetrics(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  if (!text.isWellFormed()) throw new Error("not Unicode");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: { name: string; text: string } | null = null;
  let current: { name: string; family: Family } | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    if (/[\u0000-\u001f\u007f]/.test(line)) throw new Error(`control character: ${line}`);
    const helpLine = HELP_LINE.exec(line);
    if (helpLine !== null) {
      help = { name: helpLine[1] ?? "", text: helpLine[2] ?? "" };
      continue;
    }
    const typeLine = TYPE_LINE.exec(line);
    if (typeLine !== null) {
      const [, name = "", type = ""] = typeLine;
      if (help?.name !== name) throw new Error(`TYPE without its HELP: ${line}`);
      if (families.has(name)) throw new Error(`family in two pieces: ${name}`);
      current = { name, family: { type, help: help.text, samples: [] } };
      families.set(name, current.family);
      continue;
    }
    const sample = parseSample(line);
    if (current === null || !belongs(sample.name, current.name, current.family.type)) {
      throw new Error(`outside of its family: ${line}`);
    }
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(key)) throw new Error(`sample twice: ${line}`);
    seen.add(key);
    current.family.samples.push(sample);
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

/** Returns the value of the one sample with exactly these labels; throws if there is none. */
export function sampleOf(
  families: Map<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const want = JSON.stringify(Object.entries(labels).sort());
  for (const { samples } of families.values()) {
    for (const sample of samples) {
      if (sample.name !== name) continue;
      if (JSON.stringify(Object.entries(sample.labels).sort()) === want) return sample.value;
    }
  }
  throw new Error(`no sample ${name}${want}`);
}

function parseSample(line: string): Sample {
  const match = SAMPLE_LINE.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name = "", labelText = "", value = ""] = match;
  if (!VALUE.test(value)) throw new Error(`not a value: ${line}`);
  return { name, labels: parseLabels(labelText), value: toNumber(value) };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex;
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`not a label at ${at}: ${text}`);
    const [whole, name = "", value = "", comma] = match;
    if (comma === "," && at + whole.length === text.length) throw new Error(`comma last: ${text}`);
    if (name in labels) throw new Error(`label twice: ${text}`);
    labels[name] = value.replace(/\\(.)/g, (_, char) => (char === "n" ? "\n" : String(char)));
  }
  return labels;
}

function toNumber(value: string): number {
  return value.endsWith("Inf") ? Number(value.replace("Inf", "Infinity")) : Number(value);
}

function belongs(sample: string, family: string, type: string): boolean {
  if (type !== "histogram") return sample === family;
  return ["_bucket", "_sum", "_count"].some((suffix) => sample === family + suffix);
}

function checkFamily(name: string, { type, samples }: Family): void {
  if (type === "counter") {
    if (!name.endsWith("_total")) throw new Error(`counter without _total: ${name}`);
    for (const { value } of samples) {
      if (!(value >= 0 && Number.isFinite(value))) throw new Error(`${name}: ${value}`);
    }
  }
  if (type === "histogram") checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const [sum, ...sums] = group.filter((sample) => sample.name === `${name}_sum`);
    const [count, ...counts] = group.filter((sample) => sample.name === `${name}_count`);
    if (!sum || !count || sums.length > 0 || counts.length > 0) {
      throw new Error(`${name}${key}: not one sum and one count`);
    }
    let [bound, below] = [Number.NEGATIVE_INFINITY, 0];
    for (const { labels, value } of buckets) {
      const le = toNumber(labels["le"] ?? "NaN");
      if (!(le > bound && value >= below)) throw new Error(`${name}${key}: order at le=${le}`);
      [bound, below] = [le, value];
    }
    if (bound !== Number.POSITIVE_INFINITY || below !== count.value) {
      throw new Error(`${name}${key}: +Inf is not the count`);
    }
  }
}
