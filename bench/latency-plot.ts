/** Draws latency by percentile as HdrHistogram does: each nine has the same width, latencies are on a
 * logarithmic scale, and there is a panel for each rate. On a white page and on a black one alike: there
 * is no background, and every colour has a contrast of at least 3 to both. */
import { CONTENDERS } from "./contenders.ts";
import type { Sample, ScenarioResult } from "./interleave.ts";
import type { Distribution } from "./percentiles.ts";
import { median } from "./stats.ts";

const WIDTH = 980;
const COLUMNS = 2;
const PANEL_WIDTH = WIDTH / COLUMNS;
const PANEL_HEIGHT = 300;
const LEFT = 64; // of a panel, around what is plotted
const RIGHT = 14;
const TOP = 34;
const BOTTOM = 48;
const HEAD = 56; // above the legend: title and subtitle
const LEGEND_COLUMNS = 5;
const LEGEND_STEP = 190;
const LEGEND_HEIGHT = 20; // of a row
const NINES_MIN = 2;

const INK = "#767676"; // 4.5 to white, 4.6 to black
const GRID = 'stroke="#767676" stroke-opacity="0.3"';
const COLOURS = ["#8a7d00", "#d9480f", "#1c7ed6", "#2b8a3e", "#ae3ec9", "#0c8599", "#c2255c"];
const DASHES = ["", "6 3", "2 3"]; // for the second and third round of the colours

/** Returns an SVG of all results that have distributions, or null if there are none. */
export function plotLatencies(results: readonly ScenarioResult[], subtitle: string): string | null {
  const panels = results.flatMap(({ scenario, samples }) => {
    const curves = curvesOf(samples);
    return curves.length === 0 ? [] : [{ title: titleOf(scenario.name, samples), curves }];
  });
  if (panels.length === 0) return null;
  const names = [...new Set(panels.flatMap(({ curves }) => curves.map(({ name }) => name)))];
  const top = HEAD + LEGEND_HEIGHT * Math.ceil(names.length / LEGEND_COLUMNS);
  const height = top + PANEL_HEIGHT * Math.ceil(panels.length / COLUMNS);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="${INK}">`,
    "<title>Latency by percentile</title>",
    text(12, 22, "Latency by percentile, HTTP/1 at fixed rates, open loop", 'font-size="16"'),
    text(12, 42, subtitle),
    ...names.flatMap((name, at) => legend(name, look(name, names), at)),
    ...panels.flatMap((panel, at) => {
      const x = (at % COLUMNS) * PANEL_WIDTH;
      const y = top + Math.floor(at / COLUMNS) * PANEL_HEIGHT;
      return [`<g transform="translate(${x} ${y})">`, ...drawn(panel, names), "</g>"];
    }),
    "</svg>\n",
  ].join("\n");
}

interface Curve {
  readonly name: string;
  /** The share above each point as a number of nines, 3 for p99.9, and ms. */
  readonly points: readonly (readonly [nines: number, ms: number])[];
}

interface Panel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

/** One curve for each contender: at each percentile the median of its repeats. */
function curvesOf(samples: readonly Sample[]): Curve[] {
  const names = [...new Set(samples.map(({ contender }) => contender))];
  return names.flatMap((name) => {
    const own = samples.filter(({ contender }) => contender === name);
    const points = pointsOf(own);
    return points.length === 0 ? [] : [{ name, points }];
  });
}

function pointsOf(repeats: readonly Sample[]): [number, number][] {
  const told = repeats.flatMap(({ latenciesMs }) => (latenciesMs ? [latenciesMs] : []));
  const percents = [...new Set(told.flatMap((each) => each.map(([percent]) => percent)))].sort(
    (a, b) => a - b,
  );
  const requests = median(repeats.map(({ figures }) => figures["requests"] ?? 1));
  return percents.map((percent) => {
    const ms = median(told.flatMap((each) => valuesAt(each, percent)));
    // The maximum of so many requests has the share of one of them.
    return [percent === 100 ? Math.log10(Math.max(requests, 1)) : nines(percent), ms];
  });
}

function valuesAt(distribution: Distribution, percent: number): number[] {
  return distribution.filter(([each]) => each === percent).map(([, ms]) => ms);
}

function nines(percent: number): number {
  return -Math.log10(1 - percent / 100);
}

function titleOf(name: string, samples: readonly Sample[]): string {
  const rate = samples[0]?.figures["ratePerSecond"] ?? 0;
  return `${rate} requests/s${name.endsWith("half") ? ", half of HAProxy's maximum" : ""}`;
}

interface Scale {
  x(nines: number): number;
  y(ms: number): number;
  readonly ninesMax: number;
  readonly decades: readonly number[];
}

/** Whole decades of ms, and nines as far as there is a point. */
function scaleOf(curves: readonly Curve[]): Scale {
  const points = curves.flatMap((curve) => curve.points);
  const ninesMax = Math.max(NINES_MIN, ...points.map(([each]) => each));
  const logs = points.map(([, ms]) => Math.log10(Math.max(ms, 1e-3)));
  const low = Math.floor(Math.min(...logs));
  const high = Math.max(low + 1, Math.ceil(Math.max(...logs)));
  return {
    x: (value) => LEFT + (value / ninesMax) * (PANEL_WIDTH - LEFT - RIGHT),
    y: (ms) => {
      const place = (Math.log10(Math.max(ms, 1e-3)) - low) / (high - low);
      return PANEL_HEIGHT - BOTTOM - place * (PANEL_HEIGHT - TOP - BOTTOM);
    },
    ninesMax,
    decades: Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at)),
  };
}

function drawn({ title, curves }: Panel, names: readonly string[]): string[] {
  const scale = scaleOf(curves);
  return [
    text(LEFT, TOP - 12, title, 'font-size="14"'),
    ...axes(scale),
    ...curves.map(({ name, points }) => {
      const places = points.map(([x, ms]) => `${fixed(scale.x(x))},${fixed(scale.y(ms))}`);
      return `<polyline fill="none" stroke-width="2" stroke-linejoin="round" ${look(name, names)} points="${places.join(" ")}"><title>${escaped(name)}</title></polyline>`;
    }),
  ];
}

function axes({ x, y, ninesMax, decades }: Scale): string[] {
  const [right, bottom] = [PANEL_WIDTH - RIGHT, PANEL_HEIGHT - BOTTOM];
  const lines: string[] = [];
  for (const decade of decades) {
    const at = fixed(y(decade));
    lines.push(`<line x1="${LEFT}" x2="${right}" y1="${at}" y2="${at}" ${GRID}/>`);
    lines.push(text(LEFT - 6, Number(at) + 4, plainNumber(decade), 'text-anchor="end"'));
  }
  for (const percent of [0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999]) {
    if (nines(percent) > ninesMax) break;
    const at = fixed(x(nines(percent)));
    lines.push(`<line x1="${at}" x2="${at}" y1="${TOP}" y2="${bottom}" ${GRID}/>`);
    lines.push(text(Number(at), bottom + 16, String(percent), 'text-anchor="middle"'));
  }
  const middle = (TOP + bottom) / 2;
  lines.push(
    text(
      (LEFT + right) / 2,
      bottom + 36,
      "percentile; a line ends with its maximum",
      'text-anchor="middle"',
    ),
  );
  lines.push(
    text(16, middle, "latency, ms", `text-anchor="middle" transform="rotate(-90 16 ${middle})"`),
  );
  return lines;
}

function legend(name: string, style: string, at: number): string[] {
  const x = 12 + (at % LEGEND_COLUMNS) * LEGEND_STEP;
  const y = HEAD + 4 + Math.floor(at / LEGEND_COLUMNS) * LEGEND_HEIGHT;
  return [
    `<line x1="${x}" x2="${x + 26}" y1="${y}" y2="${y}" stroke-width="3" ${style}/>`,
    text(x + 32, y + 4, name),
  ];
}

/** The usual contenders look the same in every drawing, whoever else is in it. */
function look(name: string, names: readonly string[]): string {
  const usual = CONTENDERS.map((each) => each.name);
  const index = [...usual, ...names.filter((each) => !usual.includes(each))].indexOf(name);
  const dash = DASHES[Math.floor(index / COLOURS.length) % DASHES.length] ?? "";
  const colour = COLOURS[index % COLOURS.length] ?? INK;
  return `stroke="${colour}"${dash === "" ? "" : ` stroke-dasharray="${dash}"`}`;
}

function text(x: number, y: number, words: string, more = ""): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}"${more === "" ? "" : ` ${more}`}>${escaped(words)}</text>`;
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** 0.01, 1, 1000: powers of ten without their rounding errors. */
function plainNumber(value: number): string {
  return String(Number(value.toPrecision(1)));
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
