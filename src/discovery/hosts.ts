/** The host names that services are made of, each looked up once however many services share it. */
import { compareIps, DnsTimeout, tidyAnswers } from "./dns.ts";

/** Lookups of a refresh at a time. First lookups do not wait for them: somebody waits for those. */
export const REFRESHES_MAX = 16;

/** What discovery uses of the logger. */
export type Log = {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
};

export type DnsFailure = "dns-failed" | "dns-timeout";

/** What is known of a host. The last good answer stays when a later lookup fails. */
export type Host = {
  readonly name: string;
  /** Sorted, without duplicates; empty until a lookup succeeded. */
  answers: readonly Uint8Array[];
  /** Of the last lookup. */
  failure: DnsFailure | null;
};

const FAILED = "dns: lookup failed";
const KEPT = "dns: lookup failed; the last addresses stay in use";

type Entry = Host & { isAsking: boolean };

type Options = {
  readonly resolveHost: (name: string) => Promise<readonly Uint8Array[]>;
  /** Called when a first lookup ended and when addresses changed. */
  readonly changed: (name: string) => void;
  readonly log: Log;
};

export class Hosts {
  readonly #options: Options;
  readonly #entries = new Map<string, Entry>();
  readonly #due = new Set<Entry>();
  #refreshes = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Returns what is known of a host. The first call for a host begins its first lookup. */
  get(name: string): Host {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const entry: Entry = { name, answers: [], failure: null, isAsking: false };
    this.#entries.set(name, entry);
    this.#ask(entry, () => {});
    return entry;
  }

  /** Forgets all hosts but these. */
  retain(names: ReadonlySet<string>): void {
    for (const [name, entry] of this.#entries) {
      if (names.has(name)) continue;
      this.#entries.delete(name);
      this.#due.delete(entry);
    }
  }

  /** Looks every host up again, but those whose lookup has not ended. */
  refresh(): void {
    for (const entry of this.#entries.values()) {
      if (!entry.isAsking) this.#due.add(entry);
    }
    this.#refreshDue();
  }

  #refreshDue(): void {
    for (const entry of this.#due) {
      if (this.#refreshes >= REFRESHES_MAX) return;
      this.#due.delete(entry);
      this.#refreshes++;
      this.#ask(entry, () => {
        this.#refreshes--;
        this.#refreshDue();
      });
    }
  }

  #ask(entry: Entry, ended: () => void): void {
    entry.isAsking = true;
    const settle = (answers: readonly Uint8Array[], failure: DnsFailure | null, why: string) => {
      entry.isAsking = false;
      // Forgotten meanwhile, and perhaps wanted again since: then another lookup is on its way.
      if (this.#entries.get(entry.name) === entry) this.#learn(entry, answers, failure, why);
      ended();
    };
    this.#options.resolveHost(entry.name).then(
      (ips) => settle(tidyAnswers(ips), ips.length === 0 ? "dns-failed" : null, "no addresses"),
      (error: unknown) => {
        const failure = error instanceof DnsTimeout ? "dns-timeout" : "dns-failed";
        settle([], failure, error instanceof Error ? error.message : String(error));
      },
    );
  }

  #learn(
    entry: Entry,
    answers: readonly Uint8Array[],
    failure: DnsFailure | null,
    why: string,
  ): void {
    const former = entry.failure;
    entry.failure = failure;
    const { log } = this.#options;
    const fields = { host: entry.name, addresses: answers.length };
    if (failure !== null && former === null) {
      const message = entry.answers.length > 0 ? KEPT : FAILED;
      log.warn(message, { ...fields, addresses: entry.answers.length, why });
    }
    if (failure === null && former !== null) log.info("dns: resolved again", fields);
    const isChanged =
      failure === null
        ? !sameIps(entry.answers, answers)
        : entry.answers.length === 0 && failure !== former;
    if (failure === null) entry.answers = answers;
    if (isChanged) this.#options.changed(entry.name);
  }
}

function sameIps(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((ip, i) => compareIps(ip, b[i] ?? ip) === 0);
}
