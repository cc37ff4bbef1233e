/**
 * The hand-off's stress: connections that send a random secret and expect exactly its echo, or are
 * closed or reset at random moments around accept, peek, hand-off and adopt, while detection
 * deadlines fire. Whoever gets a byte that is not his has seen two owners of one descriptor.
 */
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { type Program, startProgram } from "./program.ts";
import { type Random, seeded } from "./random.ts";
import { openDescriptors } from "./tool.ts";

const CONCURRENCY = 200;
const SECRET_BYTES = 32;
/** A connection that got neither its echo nor an end by then is lost. */
const PATIENCE_MS = 20_000;

export type StressFigures = {
  readonly connections: number;
  readonly echoed: number;
  /** Connections that got bytes which were not theirs. Must be 0. */
  readonly crossed: number;
  /** Connections that should have got their echo and did not. Must be 0. */
  readonly missing: number;
  /** Closes of descriptors that were not the closer's. Must be 0. */
  readonly violations: number;
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  readonly seconds: number;
};

/** Descriptors that the runtime may open for itself meanwhile (Bun: an epoll, late). */
export const KEPT_MAX = 2;

type Kind = "echo" | "halves" | "silent" | "close" | "reset" | "send-reset" | "part-close";
const KINDS: readonly Kind[] = [
  "echo",
  "echo",
  "echo",
  "halves",
  "silent",
  "close",
  "reset",
  "send-reset",
  "part-close",
];

/** Runs `connections` connections through the real program and returns what was seen. */
export async function handOffStress(connections: number): Promise<StressFigures> {
  const echo = spawn("node", [fileURLToPath(new URL("echo.mjs", import.meta.url))], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<number>((resolve) => {
    echo.stdout.on("data", (chunk: Buffer) => resolve(Number(chunk.toString())));
  });
  const args = [`--app=127.0.0.1:${port}`, "--workers=2", "--detect-timeout=60ms"];
  const program = await startProgram(args);
  try {
    return await drive(program, connections);
  } finally {
    program.child.kill("SIGKILL");
    echo.kill("SIGKILL");
    await program.exited;
  }
}

async function drive(program: Program, connections: number): Promise<StressFigures> {
  const random = seeded("hand-off");
  const startedMs = performance.now();
  // What the program opens once and keeps (its admin connection to us) is not counted.
  await (await program.admin("/metrics")).text();
  await one(program.port("inbound"), random);
  const before = openDescriptors(program);
  const seen = { echoed: 0, crossed: 0, missing: 0 };
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < connections) {
      begun++;
      const outcome = await one(program.port("inbound"), random);
      if (outcome !== "ended") seen[outcome]++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  const seconds = (performance.now() - startedMs) / 1e3;
  await eventually(() => openDescriptors(program) <= before + KEPT_MAX, { withinMs: 15_000 });
  const metrics = await (await program.admin("/metrics")).text();
  const violations = Number(/^outrigger_descriptor_violations_total (\d+)$/m.exec(metrics)?.[1]);
  const after = openDescriptors(program);
  return {
    connections,
    ...seen,
    violations,
    descriptorsBefore: before,
    descriptorsAfter: after,
    seconds,
  };
}

function one(port: number, random: Random): Promise<"echoed" | "crossed" | "missing" | "ended"> {
  const kind = KINDS[random.below(KINDS.length)] ?? "echo";
  const secret = Array.from({ length: SECRET_BYTES }, () =>
    random.below(256).toString(16).padStart(2, "0"),
  ).join("");
  const delayMs = random.below(4) === 0 ? random.below(120) : random.below(3);
  const wantsEcho = kind === "echo" || kind === "halves" || kind === "silent";
  return new Promise((resolve) => {
    let text = "";
    let isOver = false;
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.destroy();
      if (!secret.startsWith(text)) resolve("crossed");
      else if (text === secret) resolve("echoed");
      else resolve(wantsEcho ? "missing" : "ended");
    };
    const timer = setTimeout(over, PATIENCE_MS);
    socket.on("error", over);
    socket.on("close", over);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.length >= secret.length || !secret.startsWith(text)) over();
    });
    const reset = (): void => {
      socket.resetAndDestroy();
      over();
    };
    socket.on("connect", () => {
      if (kind === "echo") socket.write(secret);
      else if (kind === "silent") setTimeout(() => socket.write(secret), delayMs);
      else if (kind === "close") setTimeout(over, delayMs);
      else if (kind === "reset") setTimeout(reset, delayMs);
      else {
        socket.write(kind === "send-reset" ? secret : secret.slice(0, 20));
        if (kind === "halves") setTimeout(() => socket.write(secret.slice(20)), delayMs);
        else setTimeout(kind === "send-reset" ? reset : over, delayMs);
      }
    });
  });
}
