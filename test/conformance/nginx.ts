/**
 * nginx as the origin behind the sidecar: one process with a listener that speaks HTTP/2 by prior
 * knowledge (RFC 9113 §3.3) and one that speaks HTTP/1.1, both with the same short answer. Its
 * limits are far above what the tests need, so that what fails is not nginx.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";

/** Debian keeps nginx where a user's PATH may not look. */
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

/** Long enough that no test of windows is skipped for want of bytes. */
const ANSWER = "0123456789abcdef".repeat(4);

/** A port found free may be taken by somebody else before nginx has it. */
const STARTS_MAX = 5;

export type Origin = {
  readonly http1Port: number;
  readonly http2Port: number;
  stop(): Promise<void>;
};

/** Starts nginx and waits until both listeners accept; rejects with its complaint if it ends. */
export async function startNginx(): Promise<Origin> {
  let complaint = "";
  for (let start = 0; start < STARTS_MAX; start++) {
    const [http1Port, http2Port] = await freePorts();
    const folder = mkdtempSync(join(tmpdir(), "outrigger-nginx-"));
    writeFileSync(join(folder, "nginx.conf"), configOf(http1Port, http2Port));
    const child = spawn("nginx", ["-e", "stderr", "-p", folder, "-c", "nginx.conf"], {
      env: { ...process.env, PATH },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const kill = (): void => void child.kill("SIGKILL");
    process.on("exit", kill);
    let text = "";
    let isOver = false;
    child.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = new Promise<void>((resolve) => {
      child.on("exit", () => resolve());
      child.on("error", (error) => {
        text += error.message;
        resolve();
      });
    }).then(() => {
      isOver = true;
      process.off("exit", kill);
      rmSync(folder, { recursive: true, force: true });
    });
    const isUp = async (): Promise<boolean> =>
      isOver || ((await accepts(http1Port)) && (await accepts(http2Port)));
    await eventually(isUp, { withinMs: 10_000, what: "nginx listens" });
    if (!isOver) {
      return {
        http1Port,
        http2Port,
        stop: () => {
          kill();
          return ended;
        },
      };
    }
    complaint = text;
  }
  throw new Error(`nginx did not start: ${complaint}`);
}

function configOf(http1Port: number, http2Port: number): string {
  return `
    daemon off;
    master_process off;
    pid nginx.pid;
    error_log stderr error;
    events { worker_connections 8000; }
    http {
      access_log off;
      keepalive_requests 1000000000;
      keepalive_timeout 1h;
      http2_max_concurrent_streams 1000;
      client_body_temp_path body;
      proxy_temp_path proxy;
      fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi;
      scgi_temp_path scgi;
      server {
        listen 127.0.0.1:${http1Port} backlog=4096;
        location / { return 200 "${ANSWER}"; }
      }
      server {
        listen 127.0.0.1:${http2Port} http2 backlog=4096;
        location / { return 200 "${ANSWER}"; }
      }
    }`;
}

/** Two ports that the kernel gave out and took back. */
async function freePorts(): Promise<readonly [number, number]> {
  const first = createServer();
  const second = createServer();
  const ports: [number, number] = [await bind(first), await bind(second)];
  await Promise.all([first, second].map((server) => new Promise((done) => server.close(done))));
  return ports;
}

function bind(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
