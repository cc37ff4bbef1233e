/**
 * Two sidecars that speak mutual TLS, with a recorder between them: `caller` before a client, `web`
 * before an application.
 */
import { type Mesh, makeMesh, stopAll } from "./mtls-rig.ts";
import { type Program, startProgram } from "./program.ts";
import { type Recorder, startRecorder } from "./tls-recorder.ts";

export type MtlsPair = {
  readonly mesh: Mesh;
  /** The outbound listener of `caller`, which knows the application as `web`. */
  readonly port: number;
  /** A port of `caller` that carries raw TCP to the application. */
  readonly forward: number;
  readonly recorder: Recorder;
  readonly near: Program;
  readonly far: Program;
  stop(): Promise<void>;
};

export type PairOptions = {
  readonly mesh?: Mesh;
  readonly speaks?: "" | "h1:" | "h2:";
  /** What the near sidecar has to say first: the port of the application, in a transport header. */
  readonly hasHeader?: boolean;
  readonly workers?: number;
};

/** `appPort` is the application's on loopback. */
export async function startMtlsPair(appPort: number, options: PairOptions = {}): Promise<MtlsPair> {
  const mesh = options.mesh ?? (await makeMesh());
  const workers = `--workers=${options.workers ?? 1}`;
  const far = await startProgram([
    workers,
    "--name=web",
    `--identity-dir=${mesh.webDir}`,
    `--app=${options.speaks ?? ""}127.0.0.1:${appPort}`,
    "--require-identity",
  ]);
  const recorder = await startRecorder(far.port("inbound"));
  const who = options.hasHeader === true ? `web:${appPort}` : "web";
  const near = await startProgram([
    workers,
    "--name=caller",
    `--identity-dir=${mesh.callerDir}`,
    `--upstream=web=sidecar:${who}@127.0.0.1:${recorder.port}`,
    "--forward=127.0.0.1:0=web:1",
  ]);
  return {
    mesh,
    port: near.port("outbound"),
    forward: near.port("forward"),
    recorder,
    near,
    far,
    stop: async () => {
      await stopAll(near, far);
      await recorder.close();
    },
  };
}
