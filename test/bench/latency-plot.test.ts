import * as assert from "uvu/assert";
import { plotLatencies } from "../../bench/latency-plot.ts";
import { suite } from "../support/test.ts";
import { evenLatencies, resultOf, sampleOf, scenarioOf } from "./samples.ts";

const test = suite("bench/latency-plot");

function latencySample(name: string, repeat: number, samples: number, maxMs: number) {
  const figures = { ratePerSecond: 20, requests: samples };
  return sampleOf(name, repeat, figures, evenLatencies(samples, maxMs));
}

function plotted(...names: readonly string[]): string {
  const samples = names.flatMap((name, at) => [
    latencySample(name, 1, 1_000, 1 + at),
    latencySample(name, 2, 1_000, 3 + at),
  ]);
  const results = [
    resultOf(scenarioOf("latency-20"), samples),
    resultOf(scenarioOf("latency-half"), [latencySample(names[0] ?? "", 1, 100_000, 50)]),
    resultOf(scenarioOf("keepalive"), [sampleOf("haproxy", 1, { cpu: 1 })]),
  ];
  const svg = plotLatencies(results, 'a & b < "c"');
  assert.ok(svg !== null);
  return svg;
}

/** Every tag closed, in order, attributes quoted, nothing in the text that must be escaped. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  const tag = /<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<&]*")*)(\/?)>|[^<]+|</g;
  for (const [token, closing, name, , empty] of svg.matchAll(tag)) {
    if (name === undefined) {
      assert.not.match(token, /^<|>|&(?!amp;|lt;|gt;)/);
    } else if (closing === "/") {
      assert.is(open.pop(), name);
    } else if (empty !== "/") {
      open.push(name);
    }
  }
  assert.equal(open, []);
}

function linesOf(svg: string): number[][][] {
  return [...svg.matchAll(/<polyline[^>]* points="([^"]*)"/g)].map(([, points = ""]) =>
    points.split(" ").map((point) => point.split(",").map(Number)),
  );
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test("a panel for each rate, a line for each contender, well-formed whatever they are called", () => {
  const svg = plotted("a<b>&c", "haproxy", "nginx");
  assertWellFormed(svg);
  assert.is(svg.match(/<g /g)?.length, 2);
  assert.is(linesOf(svg).length, 4);
  for (const words of ["20 requests/s", "half of HAProxy", "percentile", "latency, ms", "99.99"]) {
    assert.ok(svg.includes(words), words);
  }
});

test("lines go to the right and never down, inside of their panel", () => {
  for (const line of linesOf(plotted("direct", "haproxy"))) {
    for (const [at, [x = Number.NaN, y = Number.NaN]] of line.entries()) {
      const [xBefore = 0, yBefore = 1e9] = line[at - 1] ?? [];
      assert.ok(x >= xBefore && y <= yBefore, `${x},${y} after ${xBefore},${yBefore}`);
      assert.ok(x >= 0 && x <= 490 && y >= 0 && y <= 300, `${x},${y}`);
    }
  }
});

test("each nine is as wide as the next, and a line is the median of the repeats", () => {
  const [line = []] = linesOf(plotted("haproxy"));
  // Of 1,000 samples: 0, … 90, … 99 and the maximum, which is one of 1,000.
  const xs = [line[0], line[7], line.at(-2), line.at(-1)].map((point) => point?.[0] ?? Number.NaN);
  const [zero = 0, ninety = 0, ninetyNine = 0, max = 0] = xs;
  assert.ok(Math.abs(ninety - zero - (ninetyNine - ninety)) <= 0.2, xs.join());
  assert.ok(Math.abs(ninety - zero - (max - ninetyNine)) <= 0.2, xs.join());
  // From 0.001 to 2 ms in decades: 2 is the middle of 1 and 3.
  const [, top = 0] = line.at(-1) ?? [];
  const [low, high] = [252, 34];
  assert.ok(Math.abs(top - (low - ((Math.log10(2) + 3) / 4) * (low - high))) <= 0.1, `${top}`);
});

test("it is readable on white and on black, without a font from elsewhere", () => {
  const many = Array.from({ length: 9 }, (_, at) => `proxy-${at}`);
  const svg = plotted(...many);
  const colours = new Set(svg.match(/#[0-9a-f]{6}/g));
  assert.ok(colours.size >= 8);
  for (const colour of colours) {
    const own = luminance(colour);
    assert.ok(1.05 / (own + 0.05) >= 3 && (own + 0.05) / 0.05 >= 3, colour);
  }
  assert.not.match(svg, /@import|font-face|url\(|href|<rect/);
  const looks = svg.match(/<polyline[^>]*points/g)?.map((each) => each.replace(/^.*?stroke=/, ""));
  assert.is(new Set(looks?.slice(0, 9)).size, 9, "no two look alike");
});

test("results without distributions are not drawn", () => {
  assert.is(plotLatencies([], ""), null);
  const other = resultOf(scenarioOf("keepalive"), [sampleOf("haproxy", 1, { cpu: 1 })]);
  assert.is(plotLatencies([other], ""), null);
});

test.run();
