/** `outrigger demo`: three backends of different speed, an echo, a sidecar, traffic, a live view. */
import { Logger } from "../lib/log.ts";
import { type DemoConfig, runConfig } from "./config.ts";
import { SPEEDS_MS, startEcho, startHttpBackend } from "./demo-backends.ts";
import { Traffic } from "./demo-traffic.ts";
import { drawLines, drawPlain, type EndpointFigures, type Figures } from "./demo-view.ts";
import { startSidecar } from "./run.ts";

const DRAW_MS = 1_000;

/** Runs the demo for its duration, or until Ctrl-C. Returns the exit code. */
export async function demo(config: DemoConfig): Promise<number> {
  const backends = await Promise.all(SPEEDS_MS.map(startHttpBackend));
  const echo = await startEcho();
  const upstream = backends.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const parsed = runConfig(
    [
      "--inbound=127.0.0.1:0",
      "--outbound=127.0.0.1:0",
      "--admin=127.0.0.1:0",
      `--upstream=web=${upstream}`,
      `--upstream=echo=127.0.0.1:${echo.port}`,
      "--forward=127.0.0.1:0=echo:7",
      "--workers=2",
      "--log-level=warn",
      "--shutdown-grace=2s",
    ],
    {},
  );
  if (!parsed.ok) throw new Error(parsed.message);
  const sidecar = await startSidecar(parsed.config, new Logger({ level: "warn", format: "text" }));
  const ports = {
    outbound: portOf(sidecar.bound, "outbound"),
    echo: portOf(sidecar.bound, "forward"),
  };
  const traffic = new Traffic(ports, config.rate);
  const labels = new Map(backends.map(({ port, label }) => [`127.0.0.1:${port}`, label]));
  process.stdout.write(
    `outrigger demo: http://127.0.0.1:${ports.outbound}/ (Host: web) to ${backends.length} backends, ` +
      `admin http://127.0.0.1:${sidecar.adminPort}/\n`,
  );
  traffic.start();
  const isPlain = config.plain || !process.stdout.isTTY;
  await untilOver(config.durationMs, async (secondsPast) => {
    const figures = await collect(traffic, sidecar.adminPort, labels, secondsPast);
    process.stdout.write(isPlain ? drawPlain(figures) : drawLines(figures));
  });
  await traffic.stop();
  await sidecar.stop();
  for (const backend of [...backends, echo]) backend.close();
  const { succeeded, failed, echoes } = traffic;
  process.stdout.write(
    `demo over: ${succeeded} requests succeeded, ${failed} failed, ${echoes} echoes\n`,
  );
  return succeeded > 0 && failed === 0 && echoes > 0 ? 0 : 1;
}

/** Draws once a second until the duration is over or a signal comes. */
async function untilOver(
  durationMs: number | null,
  draw: (seconds: number) => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  let isOver = false;
  let wake: () => void = () => {};
  const onSignal = (): void => {
    if (isOver) process.exit(130);
    isOver = true;
    wake();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  while (!isOver) {
    const leftMs = (durationMs ?? Number.POSITIVE_INFINITY) - (performance.now() - startedMs);
    if (leftMs <= 0) break;
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, Math.min(DRAW_MS, leftMs));
    });
    await draw((performance.now() - startedMs) / 1e3);
  }
  isOver = true;
}

async function collect(
  traffic: Traffic,
  adminPort: number,
  labels: ReadonlyMap<string, string>,
  seconds: number,
): Promise<Figures> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/endpoints`);
  const view = (await response.json()) as {
    services: { name: string; endpoints: EndpointFigures[] }[];
  };
  const web = view.services.find(({ name }) => name === "web");
  const endpoints = (web?.endpoints ?? []).map((endpoint) => ({
    ...endpoint,
    label: labels.get(endpoint.address) ?? "",
  }));
  const { succeeded, failed, echoes } = traffic;
  return { seconds, latenciesMs: traffic.takeLatencies(), succeeded, failed, echoes, endpoints };
}

function portOf(bound: readonly string[], kind: string): number {
  const line = bound.find((text) => text.startsWith(`${kind} `)) ?? "";
  return Number(line.slice(line.lastIndexOf(":") + 1));
}
