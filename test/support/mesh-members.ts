/**
 * A mesh that is told nothing but names: a control plane, and sidecars that announce what is behind
 * them and find each other by it. A member can be of the other runtime, and can be started again with
 * what it kept.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { ControlProcess } from "./mesh-rig.ts";
import { type Program, type RuntimeName, startProgram, thisRuntime } from "./program.ts";

export type Member = {
  readonly name: string;
  readonly runtime: RuntimeName;
  program: Program;
  /** Ends it by SIGTERM and starts it again with the same token and folder. */
  restart(): Promise<void>;
};

export class MemberMesh {
  readonly control: ControlProcess;
  readonly #state = mkdtempSync(join(tmpdir(), "outrigger-members-"));
  readonly #members: Member[] = [];
  #count = 0;

  constructor(lifetime: string, controlArgs: readonly string[] = []) {
    this.control = new ControlProcess(lifetime, controlArgs);
  }

  /** Starts a sidecar that joins as `name`; resolves when it is ready. */
  async add(name: string, args: readonly string[], runtime = thisRuntime): Promise<Member> {
    const token = await this.control.do("token", "create", `--name=${name}`);
    const state = join(this.#state, `${this.#count++}`);
    const flags = [`--name=${name}`, "--workers=1", `--state-dir=${state}`, ...args];
    const start = async (ports: readonly string[]): Promise<Program> => {
      const env = { OUTRIGGER_TOKEN: token };
      const rest = flags.filter((flag) => !ports.some((port) => isSameFlag(flag, port)));
      const program = await startProgram([...rest, ...ports], env, [], runtime);
      await eventually(async () => (await program.admin("/ready")).status === 200, {
        withinMs: 10_000,
        what: `${name} is ready: ${program.log()}`,
      });
      return program;
    };
    const member: Member = {
      name,
      runtime,
      program: await start([]),
      restart: async () => {
        const { program } = member;
        // Where clients and other sidecars know it, as it would be on a machine of its own.
        const ports = (["inbound", "outbound", "admin"] as const).map(
          (kind) => `--${kind}=${program.host(kind)}:${program.port(kind)}`,
        );
        await program.stop();
        member.program = await start(ports);
      },
    };
    this.#members.push(member);
    return member;
  }

  /** Stops all; throws when one did not end well. */
  async stop(): Promise<void> {
    const codes = await Promise.all(this.#members.map(({ program }) => program.stop()));
    await this.control.remove();
    rmSync(this.#state, { recursive: true, force: true });
    if (codes.some((code) => code !== 0)) throw new Error(`exit codes ${codes.join()}`);
  }
}

function isSameFlag(a: string, b: string): boolean {
  return a.slice(0, a.indexOf("=")) === b.slice(0, b.indexOf("="));
}
