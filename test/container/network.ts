/**
 * Network namespaces that stand for machines, or for the network of a pod each: all on one bridge,
 * which has a namespace of its own and is as far as anything gets.
 */
import { spawnSync } from "node:child_process";
import { output } from "./command.ts";

const SUBNET = "10.79.0";

export type Namespace = { readonly name: string; readonly ip: string };

export class Network {
  readonly #names: string[] = [];
  readonly #prefix = `outrigger-${process.pid}`;

  /** The bridge's own, where what is no pod runs. */
  readonly hub: Namespace = { name: `${this.#prefix}-hub`, ip: `${SUBNET}.1` };

  async start(): Promise<void> {
    await this.#add(this.hub.name);
    await this.#ip("-n", this.hub.name, "link", "add", "bridge", "type", "bridge");
    await this.#up(this.hub, "bridge");
  }

  async add(label: string): Promise<Namespace> {
    const namespace = {
      name: `${this.#prefix}-${label}`,
      ip: `${SUBNET}.${this.#names.length + 1}`,
    };
    await this.#add(namespace.name);
    const wire = ["type", "veth", "peer", label, "netns", this.hub.name];
    await this.#ip("link", "add", "eth0", "netns", namespace.name, ...wire);
    await this.#ip("-n", this.hub.name, "link", "set", label, "master", "bridge", "up");
    await this.#up(namespace, "eth0");
    return namespace;
  }

  /** Ends what runs in the namespaces, and them. */
  remove(): void {
    for (const name of this.#names.splice(0)) {
      const pids = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" }).stdout ?? "";
      for (const pid of pids.split("\n").filter((line) => line !== "")) {
        spawnSync("kill", ["-KILL", pid]);
      }
      spawnSync("ip", ["netns", "del", name]);
    }
  }

  async #add(name: string): Promise<void> {
    await this.#ip("netns", "add", name);
    this.#names.push(name);
    await this.#ip("-n", name, "link", "set", "lo", "up");
  }

  async #up({ name, ip }: Namespace, link: string): Promise<void> {
    await this.#ip("-n", name, "addr", "add", `${ip}/24`, "dev", link);
    await this.#ip("-n", name, "link", "set", link, "up");
  }

  async #ip(...args: readonly string[]): Promise<void> {
    await output(["ip", ...args]);
  }
}

/** The command line that runs something in a namespace. */
export function inside({ name }: Namespace, ...line: readonly string[]): readonly string[] {
  return ["ip", "netns", "exec", name, ...line];
}
