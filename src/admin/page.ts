/**
 * The page at `/`. It is the same text for everybody; all that it shows comes from `/endpoints`
 * and is put in with `textContent`, so no name can become markup. No resource from elsewhere.
 */

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1rem; margin: 1.8rem 0 .3rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid #8884 }
th:first-child, td:first-child { text-align: left }
th { font-weight: 500; opacity: .7 }
.muted { opacity: .7 }
`;

const SCRIPT = `
"use strict";
const COLUMNS = ["endpoint", "requests/s", "share", "cost ms", "pending", "failures", "requests"];
const PERIOD_MS = 1000;
let before = new Map(), beforeMs = 0;

function add(parent, name, text) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function show(view, nowMs) {
  const main = document.createElement("main");
  const seconds = (nowMs - beforeMs) / 1000, now = new Map();
  const since = (key, count) => {
    now.set(key, count);
    return before.has(key) ? Math.max(0, count - before.get(key)) : 0;
  };
  let all = 0;
  for (const service of view.services) {
    const total = since(JSON.stringify([service.name]), service.requests);
    all += total;
    const title = add(main, "h2", service.name + " ");
    add(title, "span", (total / seconds).toFixed(1) + " requests/s").className = "muted";
    if (service.failure !== null) add(main, "p", service.failure);
    const table = add(main, "table"), head = add(add(table, "thead"), "tr");
    for (const column of COLUMNS) add(head, "th", column);
    const body = add(table, "tbody");
    for (const endpoint of service.endpoints) {
      const recent = since(JSON.stringify([service.name, endpoint.address]), endpoint.requests);
      const row = add(body, "tr");
      add(row, "td", endpoint.address);
      add(row, "td", (recent / seconds).toFixed(1));
      add(row, "td", (total > 0 ? 100 * recent / total : 100 * endpoint.share).toFixed(1) + " %");
      add(row, "td", endpoint.cost_ms === null ? "-" : endpoint.cost_ms.toFixed(2));
      for (const key of ["pending", "failures", "requests"]) add(row, "td", String(endpoint[key]));
    }
  }
  if (view.services.length === 0) add(main, "p", "No services yet.");
  document.querySelector("main").replaceWith(main);
  document.getElementById("state").textContent = (all / seconds).toFixed(1) + " requests/s";
  before = now;
  beforeMs = nowMs;
}

async function turn() {
  try {
    const response = await fetch("/endpoints", { signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error((await response.text()).trim() || String(response.status));
    show(await response.json(), performance.now());
  } catch (error) {
    document.getElementById("state").textContent = String(error.message);
  }
  setTimeout(turn, PERIOD_MS);
}
turn();
`;

/** `nonce` is what the page's Content-Security-Policy allows. */
export function pageHtml(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>outrigger</title>
<style nonce="${nonce}">${STYLE}</style>
<h1>outrigger</h1>
<div id="state" class="muted" role="status">…</div>
<main></main>
<script nonce="${nonce}">${SCRIPT}</script>
</html>
`;
}

export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
