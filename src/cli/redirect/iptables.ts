/** The rules by iptables: one commit for each family. */
import { StartError } from "../start-error.ts";
import {
  type Backend,
  explained,
  ipv6Failed,
  isForbidden,
  type State,
  stateOfBoth,
} from "./backend.ts";
import { type Existing, existingIn, iptablesText, NOTHING } from "./iptables-text.ts";
import type { Plan } from "./plan.ts";
import { type Finished, findProgram, runProgram } from "./program.ts";

/** Seconds. Others who set rules hold the lock for less. */
const LOCK_WAIT_S = "5";

/** Null where there is no iptables. */
export function findIptables(path: string | undefined): Backend | null {
  const ip = familyOf("iptables", path);
  return ip === null ? null : new Iptables(ip, familyOf("ip6tables", path));
}

type Programs = { readonly save: string; readonly restore: string };

function familyOf(name: string, path: string | undefined): Programs | null {
  const save = findProgram(`${name}-save`, path);
  const restore = findProgram(`${name}-restore`, path);
  return save === null || restore === null ? null : { save, restore };
}

const NO_IP6TABLES: Finished = { isOk: false, output: "", complaint: "there is no ip6tables" };

class Iptables implements Backend {
  readonly name = "iptables";
  readonly #ip: Programs;
  readonly #ip6: Programs | null;

  constructor(ip: Programs, ip6: Programs | null) {
    this.#ip = ip;
    this.#ip6 = ip6;
  }

  /** IPv6 first: it is what may be missing, and then nothing was changed. */
  async apply(plan: Plan): Promise<string | null> {
    const ip6 = await restored(this.#ip6, plan.hasIpv6 ? plan : null);
    const notice = ip6.isOk || !plan.hasIpv6 ? null : ipv6Failed(ip6);
    const ip = await restored(this.#ip, plan);
    if (!ip.isOk) throw new StartError(explained(ip.complaint));
    return notice;
  }

  async remove(): Promise<string | null> {
    const ip = await restored(this.#ip, null);
    if (!ip.isOk) throw new StartError(explained(ip.complaint));
    const ip6 = await restored(this.#ip6, null);
    return ip6.isOk || this.#ip6 === null ? null : ipv6Failed(ip6);
  }

  async state(plan: Plan): Promise<State> {
    const ip = stateIn(await existing(this.#ip), plan);
    const ip6 = this.#ip6 === null ? "none" : stateIn(await existing(this.#ip6), plan);
    return stateOfBoth(plan, ip, ip6);
  }
}

/**
 * Who may not look knows nothing, and says so. What else goes wrong (a kernel without the table) means
 * that none of ours is there; when it is to be written, it goes wrong again and is told then.
 */
async function existing({ save }: Programs): Promise<Existing> {
  const { isOk, output, complaint } = await runProgram(save, ["-t", "nat"]);
  if (isOk) return existingIn(output);
  if (isForbidden(complaint)) throw new StartError(explained(complaint));
  return NOTHING;
}

async function restored(programs: Programs | null, plan: Plan | null): Promise<Finished> {
  if (programs === null) return NO_IP6TABLES;
  const there = await existing(programs);
  const isDone = plan === null && there.chains.length === 0;
  // Not to have the table made for nothing.
  if (isDone) return { isOk: true, output: "", complaint: "" };
  const args = ["--wait", LOCK_WAIT_S, "--noflush"];
  return await runProgram(programs.restore, args, iptablesText(plan, there));
}

function stateIn({ chains, jumps }: Existing, { mark, chains: wanted }: Plan): State {
  if (chains.length === 0) return "none";
  const marked = jumps.filter((jump) => jump.includes(mark)).length;
  const isSame = marked === wanted.length && jumps.length === marked;
  return isSame && chains.length === wanted.length ? "same" : "other";
}
