/**
 * Names to addresses, by the system's resolver: /etc/hosts, search domains and all, as the
 * application beside us would see it.
 */
import { lookup } from "node:dns/promises";
import { parseIp } from "../mesh/address.ts";

/** The resolver's own patience is 10 s and more; what waits for a name gives up after 3 s. */
export const DNS_TIMEOUT_MS = 5_000;
/** Lookups that the system has not answered, timed out or not: they cannot be called back. */
export const LOOKUPS_MAX = 1_024;
/** Addresses of one name. An answer in a DNS message over UDP has room for fewer. */
export const ANSWERS_MAX = 256;

export class DnsTimeout extends Error {
  override readonly name = "DnsTimeout";
}

type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>;

export class Resolver {
  readonly #lookup: Lookup;
  readonly #timeoutMs: number;
  /** What the system works on. A name asked for again after a timeout joins its old lookup. */
  readonly #lookups = new Map<string, Promise<readonly Uint8Array[]>>();

  constructor(lookup: Lookup = lookUpAll, timeoutMs: number = DNS_TIMEOUT_MS) {
    this.#lookup = lookup;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Returns the IPv4 and IPv6 addresses of a name, as they come. Rejects with DnsTimeout when they
   * did not come in time, with the system's error when there are none.
   */
  async resolve(host: string): Promise<readonly Uint8Array[]> {
    const answer = this.#lookups.get(host) ?? this.#begin(host);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const expire = () => reject(new DnsTimeout(`no answer within ${this.#timeoutMs} ms`));
      timer = setTimeout(expire, this.#timeoutMs);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #begin(host: string): Promise<readonly Uint8Array[]> {
    if (this.#lookups.size >= LOOKUPS_MAX) {
      return Promise.reject(new DnsTimeout("too many lookups without an answer"));
    }
    const answer = this.#lookUp(host).finally(() => this.#lookups.delete(host));
    // Its waiters may all have given up by the time it fails.
    answer.catch(() => {});
    this.#lookups.set(host, answer);
    return answer;
  }

  async #lookUp(host: string): Promise<readonly Uint8Array[]> {
    const ips: Uint8Array[] = [];
    for (const { address } of await this.#lookup(host)) {
      // Null for link-local addresses with a zone: they mean nothing without their interface.
      const ip = parseIp(address);
      if (ip !== null) ips.push(ip);
    }
    return ips;
  }
}

const system = new Resolver();

/** Returns the addresses of a name by the system's resolver; see Resolver.resolve. */
export function resolveHost(host: string): Promise<readonly Uint8Array[]> {
  return system.resolve(host);
}

/** Returns the addresses sorted, each once, at most ANSWERS_MAX: equal answers become equal lists. */
export function tidyAnswers(ips: readonly Uint8Array[]): readonly Uint8Array[] {
  const sorted = [...ips].sort(compareIps);
  const distinct = sorted.filter((ip, i) => i === 0 || compareIps(ip, sorted[i - 1] ?? ip) !== 0);
  return distinct.slice(0, ANSWERS_MAX);
}

/** IPv4 before IPv6, then by value. */
export function compareIps(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function lookUpAll(host: string): Promise<readonly { readonly address: string }[]> {
  return lookup(host, { all: true, family: 0 });
}
