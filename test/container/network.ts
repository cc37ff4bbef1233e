/**
 * Network namespaces that stand for machines, or for the network of a pod each: all on one bridge,
 * which has a namespace of its own and is as far as anything gets.
 */
import { output } from "./command.ts";

const SUBNET = "10.79.0";

export type Namespace = { readonly name: string; readonly ip: string };

export class Network {
  readonly #label: string;
  #count = 1;
  /** The bridge's own, where what is no pod runs. */
  readonly hub: Namespace;

  constructor(label: string) {
    this.#label = label;
    this.hub = { name: `${label}-hub`, ip: `${SUBNET}.1` };
  }

  async start(): Promise<void> {
    await this.#add(this.hub.name);
    await this.#ip("-n", this.hub.name, "link", "add", "bridge", "type", "bridge");
    await this.#up(this.hub, "bridge");
  }

  async add(label: string): Promise<Namespace> {
    this.#count += 1;
    const namespace = { name: `${this.#label}-${label}`, ip: `${SUBNET}.${this.#count}` };
    await this.#add(namespace.name);
    const wire = ["type", "veth", "peer", label, "netns", this.hub.name];
    await this.#ip("link", "add", "eth0", "netns", namespace.name, ...wire);
    await this.#ip("-n", this.hub.name, "link", "set", label, "master", "bridge", "up");
    await this.#up(namespace, "eth0");
    return namespace;
  }

  async #add(name: string): Promise<void> {
    await this.#ip("netns", "add", name);
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
