/** The gRPC server and client of test/grpc/fixtures as processes on Node, and the way between them. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";
import { startTwoSidecars, type TwoSidecars } from "../support/two-sidecars.ts";

const START_WITHIN_MS = 15_000;
/** The longest case moves 64 MiB through five processes on a machine that may be busy. */
const CLIENT_WITHIN_MS = 60_000;

/** One JSON line that a fixture printed. */
export type Fact = Readonly<Record<string, unknown>>;

export type Peer = {
  readonly child: ChildProcess;
  /** The lines it printed so far. */
  readonly facts: readonly Fact[];
  /** Waits for the first line that matches. */
  find(what: string, matches: (fact: Fact) => boolean): Promise<Fact>;
  readonly exited: Promise<void>;
};

function start(file: string, args: readonly string[]): Peer {
  const path = fileURLToPath(new URL(`fixtures/${file}`, import.meta.url));
  const child = spawn("node", [path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const kill = (): void => void child.kill("SIGKILL");
  process.on("exit", kill);
  const facts: Fact[] = [];
  let isOver = false;
  createInterface({ input: child.stdout }).on("line", (line) => facts.push(JSON.parse(line)));
  const exited = new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => {
      isOver = true;
      process.off("exit", kill);
      resolve();
    });
  });
  return {
    child,
    facts,
    exited,
    find: (what, matches) =>
      eventually(
        () => {
          const fact = facts.find(matches);
          if (fact === undefined && isOver) throw new Error(`${file} ended before`);
          return fact ?? null;
        },
        { withinMs: CLIENT_WITHIN_MS, what },
      ),
  };
}

export type GrpcServer = Peer & { readonly port: number };

/** Starts the server and waits for its port. */
export async function startServer(): Promise<GrpcServer> {
  const peer = start("server.mjs", []);
  const withinMs = START_WITHIN_MS;
  const port = await eventually(() => peer.facts[0]?.["port"] ?? null, { withinMs });
  return { ...peer, port: Number(port) };
}

/** Starts the client on some of the cases. */
export function startClient(port: number, authority: string, ...cases: readonly string[]): Peer {
  return start("client.mjs", [String(port), authority, ...cases]);
}

/** Runs one case to its end and returns the facts it printed. */
export async function runCase(port: number, name: string, authority = "web"): Promise<Fact> {
  const client = startClient(port, authority, name);
  const facts = await client.find(`case ${name}`, (fact) => fact["case"] === name);
  if (facts["threw"] !== undefined) throw new Error(`case ${name}: ${facts["threw"]}`);
  await client.exited;
  return facts;
}

export type Way = {
  readonly server: GrpcServer;
  /** Null when the client connects to the server itself. */
  readonly sidecars: TwoSidecars | null;
  /** Where the client connects. */
  readonly port: number;
  stop(): Promise<void>;
};

/** Client to server without anything between: shows that the peers themselves do what is asked. */
export async function direct(): Promise<Way> {
  const server = await startServer();
  return { server, sidecars: null, port: server.port, stop: () => end(server) };
}

/** Client, sidecar, sidecar, server, all of them HTTP/2. */
export async function throughSidecars(): Promise<Way> {
  const server = await startServer();
  const sidecars = await startTwoSidecars({ app: `h2:127.0.0.1:${server.port}` });
  return {
    server,
    sidecars,
    port: sidecars.port,
    stop: async () => {
      await end(server);
      await sidecars.stop();
    },
  };
}

async function end({ child, exited }: Peer): Promise<void> {
  child.kill("SIGKILL");
  await exited;
}
