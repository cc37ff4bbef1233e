/**
 * A short connection of HTTP/1 as it comes from a careless client: requests cut at any byte, several sent
 * ahead, the FIN with the last of them, perhaps reset midway.
 */
import { connect } from "node:net";
import type { Random } from "./random.ts";

const PATIENCE_MS = 10_000;
const REQUESTS_MAX = 3;
const PIECES_MAX = 4;

export type Plan = {
  readonly pieces: readonly Buffer[];
  /** What is to come back, without heads. */
  readonly answers: readonly string[];
  readonly isReset: boolean;
  readonly ends: boolean;
};

/** Each request has a path and content that no other has; the origin sends both back. */
export function planOf(random: Random, number: number): Plan {
  const answers: string[] = [];
  const count = 1 + random.below(REQUESTS_MAX);
  const ends = random.below(4) > 0;
  let text = "";
  for (let i = 0; i < count; i++) {
    const path = `/${number}/${i}`;
    const content = random.below(2) === 0 ? "" : `${path} `.repeat(random.below(300));
    const close = !ends && i === count - 1 ? "Connection: close\r\n" : "";
    const length = `Content-Length: ${content.length}\r\n`;
    text += `POST ${path} HTTP/1.1\r\nHost: web\r\n${close}${length}\r\n${content}`;
    answers.push(`<${path}:${content}>`);
  }
  const bytes = Buffer.from(text, "latin1");
  const cuts = Array.from({ length: random.below(PIECES_MAX) }, () => random.below(bytes.length));
  const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
  const pieces = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
  return { pieces, answers, isReset: random.below(8) === 0, ends };
}

/** Resolves to what is wrong with what came, or to null. */
export function carryOut(
  port: number,
  { pieces, answers, isReset, ends }: Plan,
): Promise<string | null> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const over = (how: string): void => {
      clearTimeout(timer);
      socket.destroy();
      const got = text.match(/<[^>]*>/g) ?? [];
      const isRight = how === "end" && got.join() === answers.join();
      resolve(isReset || isRight ? null : `${how}: ${got.length} of ${answers.length} answers`);
    };
    const timer = setTimeout(() => over("unanswered"), PATIENCE_MS);
    socket.on("error", () => over("reset"));
    socket.on("end", () => over("end"));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    const next = (i: number): void => {
      const piece = pieces[i];
      const isLast = i === pieces.length - 1;
      if (piece === undefined || socket.destroyed) return;
      if (isReset && isLast) {
        socket.resetAndDestroy();
        over("reset");
      } else if (isLast && ends) socket.end(piece);
      else socket.write(piece, () => setImmediate(() => next(i + 1)));
    };
    socket.on("connect", () => next(0));
  });
}
