/** nginx in a network namespace: it answers with who called, as the sidecar before it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { ended } from "./command.ts";
import { inside, type Namespace } from "./network.ts";

export const SLOW_BYTES = 60_000;
/** Two seconds for all of it, after the first half, which comes at once. */
const SLOW_RATE = 15_000;

export async function startNginx(
  namespace: Namespace,
  port: number,
  folder: string,
): Promise<ChildProcess> {
  const home = join(folder, namespace.name);
  mkdirSync(home);
  writeFileSync(join(home, "slow"), "x".repeat(SLOW_BYTES));
  writeFileSync(join(home, "nginx.conf"), configOf(port, home));
  const [command = "", ...args] = inside(
    namespace,
    "nginx",
    "-e",
    "stderr",
    "-p",
    home,
    "-c",
    "nginx.conf",
  );
  const child = spawn(command, args, {
    env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const url = `http://127.0.0.1:${port}/`;
  const isUp = async (): Promise<boolean> =>
    child.exitCode !== null || (await ended(inside(namespace, "curl", "-sm1", url))).status === 0;
  await eventually(isUp, { withinMs: 10_000, what: "nginx listens" });
  if (child.exitCode !== null) throw new Error(`nginx did not start: ${complaint}`);
  return child;
}

function configOf(port: number, home: string): string {
  return `
    daemon off;
    master_process off;
    pid nginx.pid;
    error_log stderr error;
    events {}
    http {
      access_log off;
      client_body_temp_path body;
      proxy_temp_path proxy;
      fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi;
      scgi_temp_path scgi;
      server {
        listen ${port};
        location / { return 200 "$request_method $request_uri of $http_host from $http_l5d_client_id\\n"; }
        location /slow { root ${home}; limit_rate ${SLOW_RATE}; limit_rate_after ${SLOW_BYTES / 2}; }
      }
    }`;
}
