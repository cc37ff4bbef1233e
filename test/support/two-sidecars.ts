/**
 * Two sidecars in a row, as between two applications of a mesh: client, outbound side of A, a relay
 * that shows what travels, inbound side of B, origin. A knows the origin as `web`.
 */
import { type Program, startProgram } from "./program.ts";
import { type Relay, startRelay } from "./relay.ts";

export type TwoSidecars = {
  /** Where a client of `web` connects: the outbound listener of A. */
  readonly port: number;
  /** Between A and B. */
  readonly relay: Relay;
  readonly a: Program;
  readonly b: Program;
  /** Ends all three; rejects when a program had ended before or had told of a fault. */
  stop(): Promise<void>;
};

export type Hops = {
  /** How B reaches the application: `HOST:PORT`, with a prefix for its protocol or none. */
  readonly app: string;
  /** Prefix of what A says about B. */
  readonly hint?: string;
  readonly argsOfA?: readonly string[];
};

export async function startTwoSidecars({
  app,
  hint = "sidecar:",
  argsOfA = [],
}: Hops): Promise<TwoSidecars> {
  const b = await startProgram(["--workers=1", `--app=${app}`]);
  const relay = await startRelay(b.port("inbound"));
  const upstream = `--upstream=web=${hint}127.0.0.1:${relay.port}`;
  const a = await startProgram(["--workers=1", upstream, ...argsOfA]);
  return {
    port: a.port("outbound"),
    relay,
    a,
    b,
    stop: async () => {
      const faults = [a, b].flatMap(faultsOf);
      for (const { child } of [a, b]) child.kill("SIGKILL");
      await Promise.all([a.exited, b.exited, relay.close()]);
      if (faults.length > 0) throw new Error(faults.join("\n"));
    },
  };
}

function faultsOf(program: Program): string[] {
  const { exitCode, signalCode } = program.child;
  const isSound = exitCode === null && signalCode === null;
  if (isSound && !/a connection failed/.test(program.log())) return [];
  return [`exit code ${exitCode}, signal ${signalCode}: ${program.log()}`];
}
