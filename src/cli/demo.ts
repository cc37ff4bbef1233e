/**
 * `outrigger demo`: a mesh of a control plane, three replicas of one service and a client, each with
 * a sidecar of its own; traffic at a fixed rate, and a live view of what comes of it.
 */
import type { DemoConfig } from "./config.ts";
import { type Backend, SPEEDS_MS, startEcho, startHttpBackend } from "./demo-backends.ts";
import { collect } from "./demo-figures.ts";
import { Killer } from "./demo-killer.ts";
import { DemoMesh } from "./demo-mesh.ts";
import { Traffic } from "./demo-traffic.ts";
import { drawLines, drawPlain } from "./demo-view.ts";

const DRAW_MS = 1_000;

/** Runs the demo for its duration, or until Ctrl-C. Returns the exit code. */
export async function demo(config: DemoConfig): Promise<number> {
  const backends = await Promise.all(SPEEDS_MS.map(startHttpBackend));
  const echo = await startEcho();
  process.stdout.write("outrigger demo: a control plane and four sidecars start …\n");
  const mesh = await DemoMesh.start(
    backends.map(({ port }) => port),
    [`--upstream=echo=127.0.0.1:${echo.port}`, "--forward=127.0.0.1:0=echo:7"],
  );
  try {
    return await show(config, mesh, backends);
  } finally {
    await mesh.stop();
    for (const backend of [...backends, echo]) backend.close();
  }
}

async function show(
  config: DemoConfig,
  mesh: DemoMesh,
  backends: readonly Backend[],
): Promise<number> {
  const ports = { outbound: mesh.outboundPort, echo: mesh.shop.port("forward") };
  const traffic = new Traffic(ports, config.rate);
  const killer = new Killer(mesh);
  process.stdout.write(
    `curl -H 'Host: web' http://127.0.0.1:${ports.outbound}/   ` +
      `outrigger tap --admin 127.0.0.1:${mesh.shop.port("admin")}\n`,
  );
  traffic.start();
  const isPlain = config.plain || !process.stdout.isTTY;
  const isKeyed = !isPlain && process.stdin.isTTY;
  if (config.killMs !== null) killer.every(config.killMs);
  await untilOver(config.durationMs, isKeyed ? killer : null, async (seconds) => {
    const figures = await collect({ traffic, mesh, backends, seconds });
    process.stdout.write(isPlain ? drawPlain(figures) : drawLines(figures, isKeyed));
  });
  await killer.stop();
  await traffic.stop();
  const { succeeded, failed, echoes } = traffic;
  process.stdout.write(
    `demo over: ${succeeded} requests succeeded, ${failed} failed, ${echoes} echoes` +
      `${killer.killed > 0 ? `, ${killer.killed} replicas killed` : ""}\n`,
  );
  return succeeded > 0 && failed === 0 && echoes > 0 ? 0 : 1;
}

/** Draws once a second until the duration is over, a signal comes, or `q` or Ctrl-C is typed. */
async function untilOver(
  durationMs: number | null,
  keyed: Killer | null,
  draw: (seconds: number) => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  let isOver = false;
  let wake: () => void = () => {};
  const end = (): void => {
    if (isOver) process.exit(130);
    isOver = true;
    wake();
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  const stopKeys = keyed === null ? () => {} : onKeys((key) => keyed.onKey(key), end);
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
  stopKeys();
}

/** Reads keys one by one. A terminal in raw mode makes no signal of Ctrl-C. */
function onKeys(onKey: (key: string) => void, end: () => void): () => void {
  const { stdin } = process;
  const onData = (data: Buffer): void => {
    for (const key of data.toString("latin1")) {
      if (key === "q" || key === "\x03") end();
      else onKey(key);
    }
  };
  stdin.setRawMode(true);
  stdin.on("data", onData).resume();
  return () => {
    stdin.off("data", onData).pause();
    stdin.setRawMode(false);
  };
}
