/**
 * All that the control plane keeps of the mesh, put together: the directory and its file, the policy,
 * the streams that tell of both, and the clocks that drive them.
 */
import { join } from "node:path";
import type { Logger } from "../lib/log.ts";
import { NAMESPACE_DEFAULT } from "../mesh/identity.ts";
import { Directory } from "./directory/directory.ts";
import { EndpointsFile } from "./directory/endpoints-file.ts";
import * as limits from "./directory/limits.ts";
import { type Leaving, Topics } from "./feed.ts";
import type { Mesh } from "./methods/mesh.ts";
import { Watches } from "./methods/watches.ts";
import { identityIn } from "./policy/names.ts";
import { MeshPolicy } from "./policy/policy.ts";
import { PolicySource } from "./policy/policy-source.ts";

export type MeshServiceOptions = {
  readonly dir: string;
  /** null: `policy.yaml` in the folder, if there is one. */
  readonly policyFile: string | null;
  readonly trustDomain: string;
  readonly log: Logger;
  readonly wallMs: () => number;
  readonly leaving: Leaving;
};

/** In the control plane's folder. */
export const POLICY_NAME = "policy.yaml";

export class MeshService {
  readonly mesh: Mesh;
  readonly policySource: PolicySource;
  readonly #file: EndpointsFile;
  readonly #timers: ReturnType<typeof setInterval>[] = [];

  private constructor(mesh: Mesh, policySource: PolicySource, file: EndpointsFile) {
    this.mesh = mesh;
    this.policySource = policySource;
    this.#file = file;
  }

  /** Returns what runs until `stop`, or in one line why it cannot. */
  static async start(
    options: MeshServiceOptions,
  ): Promise<MeshService | { readonly refused: string }> {
    const { dir, leaving, log, trustDomain, wallMs } = options;
    const defaults = { namespace: NAMESPACE_DEFAULT, trustDomain };
    const topics = new Topics();
    const path = options.policyFile ?? join(dir, POLICY_NAME);
    const onFault = (reason: string | null): void => {
      if (reason === null) log.info("the policy file is in order again", { path });
      else log.error("the policy file is refused, the policy before it stays", { reason });
    };
    const onChange = (policy: MeshPolicy): void => {
      log.info("the policy is in force", { path, services: policy.services.size });
      directory.applyPolicy(policy);
      topics.allChanged();
    };
    const isOptional = options.policyFile === null;
    const source = await PolicySource.start(
      { path, isOptional, defaults, onChange, onFault },
      new MeshPolicy([], identityIn(trustDomain)),
    );
    if ("refused" in source) return source;
    const nowMs = () => performance.now();
    const directory = new Directory({ topics, nowMs, wallMs }, source.policy);
    const failed = (reason: string): void =>
      log.error("the endpoints' file was not written", { dir, reason });
    const file = new EndpointsFile({ dir, directory, trustDomain, wallMs, failed });
    const loaded = file.load();
    if ("refused" in loaded) log.warn("the endpoints' file was not read", loaded);
    else if (loaded.damaged > 0) log.warn("the endpoints' file is damaged", loaded);
    const watches = new Watches();
    const policy = () => source.policy;
    const mesh = { directory, topics, watches, policy, trustDomain, nowMs, leaving };
    const service = new MeshService(mesh, source, file);
    service.#run();
    return service;
  }

  #run(): void {
    const { directory } = this.mesh;
    this.#timers.push(
      setInterval(() => directory.expire(), limits.EXPIRE_MS),
      setInterval(() => directory.forget(), limits.FORGET_MS),
    );
    this.#file.start();
  }

  /** Nothing expires any more, and no other policy comes into force. */
  freeze(): void {
    this.policySource.stop();
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** What there is now is what the next start finds. */
  async stop(): Promise<void> {
    this.freeze();
    await this.#file.stop();
  }
}
