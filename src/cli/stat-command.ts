/** `outrigger stat` and `outrigger top`: what running sidecars carry, read from their admin APIs. */
import { isStatsView, type StatsView } from "../admin/stats-view.ts";
import { ask } from "./identity-command.ts";
import type { StatConfig, TopConfig } from "./look-config.ts";
import { printed } from "./printed.ts";
import { statLines } from "./stat-figures.ts";
import { type SidecarStat, statText } from "./stat-view.ts";

const EXIT_FAILURE = 1;

type Reading = { readonly view: StatsView } | { readonly error: string };

/** Looks twice, `windowMs` apart, and prints what happened. Returns the exit status. */
export async function stat({ adminUrls, isJson, windowMs }: StatConfig): Promise<number> {
  const before = await readAll(adminUrls);
  // What does not answer at all is told at once.
  if (before.some((reading) => "view" in reading)) await after(windowMs);
  const sidecars = compare(adminUrls, before, await readAll(adminUrls));
  await printed(isJson ? `${JSON.stringify({ sidecars }, null, 2)}\n` : statText(sidecars));
  return sidecars.some(({ error }) => error !== null) ? EXIT_FAILURE : 0;
}

/** Prints the same again and again, over itself on a terminal, until a signal. */
export async function top({ adminUrls, windowMs }: TopConfig): Promise<number> {
  let isOver = false;
  let wake: () => void = () => {};
  const onSignal = (): void => {
    isOver = true;
    wake();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const clear = process.stdout.isTTY ? "\x1b[H\x1b[2J" : "";
  let before = await readAll(adminUrls);
  while (!isOver) {
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, windowMs);
    });
    if (isOver) break;
    const now = await readAll(adminUrls);
    const text = statText(compare(adminUrls, before, now));
    if (!(await printed(`${clear}${text}${clear === "" ? "\n" : ""}`))) break;
    before = now;
  }
  return 0;
}

function compare(
  adminUrls: readonly string[],
  before: readonly Reading[],
  now: readonly Reading[],
): readonly SidecarStat[] {
  return adminUrls.map((admin, index) => {
    const [former, reading] = [before[index], now[index]];
    if (reading === undefined || "error" in reading) {
      return { admin, name: null, error: reading?.error ?? "not asked", lines: [] };
    }
    const { view } = reading;
    // It has come back in between: then all there is has happened since.
    const start = former === undefined || "error" in former ? view : former.view;
    return { admin, name: view.name, error: null, lines: statLines(start, view) };
  });
}

function readAll(adminUrls: readonly string[]): Promise<readonly Reading[]> {
  return Promise.all(adminUrls.map(read));
}

async function read(adminUrl: string): Promise<Reading> {
  const answer = await ask(adminUrl, "/stats");
  if ("error" in answer) return answer;
  if (answer.status === 403) return { error: `${adminUrl}: /stats is for its own host only` };
  if (answer.status !== 200) return { error: `${adminUrl}: /stats: HTTP ${answer.status}` };
  try {
    const view: unknown = JSON.parse(answer.text);
    if (isStatsView(view)) return { view };
  } catch {
    // No JSON.
  }
  return { error: `${adminUrl}: what answers is not an outrigger, or of another version` };
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
