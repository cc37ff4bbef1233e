/** Draws the article's plot: latency by quantile, which is spread by how many requests are above it. */
import { BALANCERS, type BalancerName } from "../../src/balancer/tuning.ts";
import { QUANTILES } from "../sim/figures.ts";
import { PUBLISHED } from "./published.ts";
import type { Run } from "./report.ts";

const WIDTH = 780;
const HEIGHT = 420;
const LEFT = 60;
const RIGHT = 40;
const TOP = 56;
const BOTTOM = 50;
const MS_MAX = 2_200;
const COLOURS: Readonly<Record<BalancerName, string>> = {
  "round-robin": "#c0392b",
  "least-loaded": "#d68910",
  "peak-ewma": "#2e86c1",
  ewma: "#1e8449",
};

/** Returns an SVG of the runs of the article's experiment; what was published is dashed. */
export function plot(runs: readonly Run[], subtitle: string): string {
  const some = runs.filter(({ world }) => world === "slow");
  const curves = some.map(({ balancer, figures }) => curve(balancer, figures.quantilesMs, false));
  const known = BALANCERS.filter((name) => some.some(({ balancer }) => balancer === name)).flatMap(
    (name) => {
      const published = PUBLISHED[name];
      return published === undefined ? [] : [curve(name, published.quantilesMs, true)];
    },
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="20" font-size="15">Latency by quantile, one of 11 backends ten times slower for half of the time</text>`,
    `<text x="${LEFT}" y="38" fill="#666">${escaped(subtitle)}</text>`,
    ...axes(),
    ...known,
    ...curves,
    ...legend([...new Set(some.map(({ balancer }) => balancer))]),
    "</svg>\n",
  ].join("\n");
}

/** 1 in 2 at the left, 1 in 100,000 at the right. */
function x(percent: number): number {
  const place = Math.log10(50 / (100 - percent)) / Math.log10(50 / 0.001);
  return LEFT + place * (WIDTH - LEFT - RIGHT);
}

function y(ms: number): number {
  return HEIGHT - BOTTOM - (Math.min(ms, MS_MAX) / MS_MAX) * (HEIGHT - TOP - BOTTOM);
}

function curve(
  name: BalancerName,
  quantilesMs: Readonly<Record<string, number>>,
  isPublished: boolean,
): string {
  const points = QUANTILES.map(
    (q) => `${x(q).toFixed(1)},${y(quantilesMs[`p${q}`] ?? 0).toFixed(1)}`,
  );
  const look = isPublished
    ? 'stroke-width="1" stroke-dasharray="4 3" opacity="0.7"'
    : 'stroke-width="2"';
  return `<polyline fill="none" stroke="${COLOURS[name]}" ${look} points="${points.join(" ")}"/>`;
}

function axes(): string[] {
  const lines: string[] = [];
  for (let ms = 0; ms <= 2_000; ms += 500) {
    const at = y(ms).toFixed(1);
    lines.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="#ddd"/>`);
    lines.push(`<text x="${LEFT - 6}" y="${at}" dy="4" text-anchor="end">${ms}</text>`);
  }
  for (const q of [50, 90, 95, 99, 99.9, 99.99, 99.999]) {
    const at = x(q).toFixed(1);
    lines.push(`<line x1="${at}" x2="${at}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#eee"/>`);
    lines.push(`<text x="${at}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">p${q}</text>`);
  }
  lines.push(`<text x="14" y="${TOP - 6}">ms</text>`);
  return lines;
}

function legend(names: readonly BalancerName[]): string[] {
  return names.map((name, i) => {
    const at = TOP + 146 + i * 18;
    const line = `<line x1="${LEFT + 14}" x2="${LEFT + 40}" y1="${at - 4}" y2="${at - 4}" stroke="${COLOURS[name]}" stroke-width="2"/>`;
    const dashed = PUBLISHED[name] === undefined ? "" : " (published: dashed)";
    return `${line}<text x="${LEFT + 48}" y="${at}">${name}${dashed}</text>`;
  });
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
