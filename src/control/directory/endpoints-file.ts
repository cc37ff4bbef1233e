/**
 * The directory on disk, so that our own restart shrinks nobody's list: a line for each service that
 * is remembered and one for each endpoint. It is soft state: what cannot be read is left out, and a
 * write that fails is tried again with the next change.
 */
import { readFileSync, statSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatIp, parseIp, parsePort, unmapIp } from "../../mesh/address.ts";
import { parseServiceName } from "../../mesh/service-name.ts";
import { codeOf } from "../authority/folder.ts";
import type { Directory } from "./directory.ts";
import { addressFault, ENDPOINT_PROTOCOLS, type Endpoint, numberFault } from "./endpoint.ts";
import * as limits from "./limits.ts";

const NAME = "endpoints";
const MODE_FILE = 0o600;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);

export type EndpointsFileOptions = {
  readonly dir: string;
  readonly directory: Directory;
  readonly trustDomain: string;
  readonly wallMs: () => number;
  /** A write that failed. */
  readonly failed: (reason: string) => void;
};

export class EndpointsFile {
  readonly #options: EndpointsFileOptions;
  #savedVersion = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: EndpointsFileOptions) {
    this.#options = options;
  }

  /** Enters what the file has into the directory. Returns lines that were left out, or why none was read. */
  load(): { readonly damaged: number } | { readonly refused: string } {
    const { dir, directory, wallMs } = this.#options;
    const text = readText(join(dir, NAME));
    if (typeof text !== "string") return text;
    let damaged = 0;
    for (const block of text.split("\n\n")) {
      const [head = "", ...lines] = block.split("\n").filter((line) => line !== "");
      if (head === "") continue;
      const [name = "", seenText = ""] = head.split(" ");
      const defaults = { namespace: "", trustDomain: this.#options.trustDomain };
      const service = parseServiceName(name, defaults);
      const seenMs = Date.parse(seenText);
      if (service === null || Number.isNaN(seenMs)) {
        damaged += block.split("\n").length;
        continue;
      }
      const endpoints = lines.map(parseLine);
      damaged += endpoints.filter((endpoint) => endpoint === null).length;
      const good = endpoints.filter((endpoint) => endpoint !== null);
      directory.restore(service, Math.min(seenMs, wallMs()), good);
    }
    return { damaged };
  }

  /** Writes whatever changes from now on. */
  start(): void {
    this.#timer = setInterval(() => void this.save(), limits.SAVE_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.save();
  }

  /** Never rejects. */
  save(): Promise<void> {
    const { directory, failed } = this.#options;
    const { version } = directory;
    if (version === this.#savedVersion) return this.#writing;
    this.#savedVersion = version;
    // A disk that hangs is asked once.
    this.#writing = this.#writing.then(async () => {
      try {
        await this.#write();
      } catch (error) {
        this.#savedVersion = -1;
        failed(codeOf(error));
      }
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const { dir } = this.#options;
    // Not as the authority names its own, which whoever holds the folder's lock removes.
    const temporary = join(dir, `${NAME}.new`);
    await writeFile(temporary, this.#text(), { mode: MODE_FILE });
    await rename(temporary, join(dir, NAME));
  }

  #text(): string {
    const { directory, wallMs } = this.#options;
    const blocks: string[] = [];
    for (const { entries, name, seenMs } of directory.services) {
      const seen = new Date(entries.size > 0 ? wallMs() : seenMs).toISOString();
      const lines = [...entries.values()].map(({ endpoint }) => lineOf(endpoint));
      blocks.push([`${name.canonical} ${seen}`, ...lines, ""].join("\n"));
    }
    return blocks.join("\n");
  }
}

const lineCache = new WeakMap<Endpoint, string>();

function lineOf(endpoint: Endpoint): string {
  const known = lineCache.get(endpoint);
  if (known !== undefined) return known;
  const { applicationPort, identity, inboundPort, ip, protocol, weight } = endpoint;
  const fields = [formatIp(ip), inboundPort, applicationPort, protocol, weight, identity];
  const line = fields.join(" ");
  lineCache.set(endpoint, line);
  return line;
}

function parseLine(line: string): Endpoint | null {
  const [ipText = "", inbound = "", application = "", how = "", weightText = "", identity = ""] =
    line.split(" ");
  const ip = parseIp(ipText);
  const protocol = ENDPOINT_PROTOCOLS.find((each) => each === how);
  const weight = /^[1-9][0-9]{0,8}$/.test(weightText) ? Number(weightText) : 0;
  const [inboundPort, applicationPort] = [parsePort(inbound) ?? 0, parsePort(application) ?? 0];
  if (ip === null || unmapIp(ip) !== ip || protocol === undefined || identity === "") return null;
  if (addressFault(ip, LOOPBACK) !== null) return null;
  if (numberFault({ inboundPort, applicationPort, weight }) !== null) return null;
  return { ip, inboundPort, applicationPort, protocol, weight, identity };
}

function readText(path: string): string | { readonly refused: string } {
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > limits.FILE_BYTES_MAX)
      return { refused: "too long, or no file" };
    return readFileSync(path, "utf8");
  } catch (error) {
    return codeOf(error) === "ENOENT" ? "" : { refused: codeOf(error) };
  }
}
