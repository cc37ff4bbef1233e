/** A tap on a running program, read as its lines come. */
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { StatsView } from "../../src/admin/stats-view.ts";
import type { TapEvent } from "../../src/mesh/tap.ts";
import type { Program } from "./program.ts";

export type Tapping = {
  readonly events: readonly TapEvent[];
  dropped(): number;
  close(): void;
};

/** `query` without `?`. Resolves when the program taps. */
export function openTap(program: Program, query = ""): Promise<Tapping> {
  const events: TapEvent[] = [];
  let [dropped, rest] = [0, ""];
  return new Promise((resolve, reject) => {
    const url = `http://127.0.0.1:${program.port("admin")}/tap?${query}`;
    const onResponse = (response: IncomingMessage): void => {
      if (response.statusCode !== 200) return reject(new Error(`HTTP ${response.statusCode}`));
      response.on("error", () => {});
      response.on("data", (chunk: Buffer) => {
        const lines = `${rest}${chunk.toString()}`.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          // It says that it lives.
          if (line === "") continue;
          const value = JSON.parse(line) as TapEvent | { dropped: number };
          if ("dropped" in value) dropped += value.dropped;
          else events.push(value);
        }
        resolve({
          events,
          dropped: () => dropped,
          close: () => request.destroy(),
        });
      });
    };
    const request = get(url, { agent: false }, onResponse);
    request.on("error", reject);
  });
}

export async function statsOf(program: Program): Promise<StatsView> {
  return (await (await program.admin("/stats")).json()) as StatsView;
}

/** Sends `count` requests over one connection, pipelined, and waits for all answers. */
export function flood(port: number, path: string, count: number): Promise<void> {
  const answer = "HTTP/1.1 200 OK";
  const piece = `GET ${path} HTTP/1.1\r\nHost: web\r\n\r\n`.repeat(100);
  return new Promise((resolve, reject) => {
    let [sent, seen, tail] = [0, 0, ""];
    const socket = connect({ port, host: "127.0.0.1" });
    const more = (): void => {
      while (sent < count && sent - seen < 400) {
        socket.write(piece);
        sent += 100;
      }
    };
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`closed after ${seen} answers`)));
    socket.on("connect", more);
    socket.on("data", (chunk: Buffer) => {
      const text = `${tail}${chunk.toString("latin1")}`;
      seen += text.split(answer).length - 1;
      // Too short to be an answer by itself.
      tail = text.slice(1 - answer.length);
      if (seen >= count) {
        socket.removeAllListeners("close");
        socket.destroy();
        resolve();
      } else more();
    });
  });
}
