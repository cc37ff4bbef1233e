/** The rules by nft: one transaction for both families. */
import { StartError } from "../start-error.ts";
import {
  type Backend,
  explained,
  ipv6Failed,
  isIpv6Off,
  type State,
  stateOfBoth,
} from "./backend.ts";
import { NFT_TABLE, type NftFamily, nftRemoval, nftText } from "./nft-text.ts";
import type { Plan } from "./plan.ts";
import { findProgram, runProgram } from "./program.ts";

/** Null where there is no nft. */
export function findNft(path: string | undefined): Backend | null {
  const program = findProgram("nft", path);
  return program === null ? null : new Nft(program);
}

class Nft implements Backend {
  readonly name = "nft";
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  async apply(plan: Plan): Promise<string | null> {
    const notice = await this.#perform((families) => nftText(plan, families));
    return plan.hasIpv6 ? notice : null;
  }

  async remove(): Promise<string | null> {
    await this.#perform(nftRemoval);
    return null;
  }

  async state(plan: Plan): Promise<State> {
    const ip = await this.#stateOf("ip", plan);
    const ip6 = await this.#stateOf("ip6", plan);
    return stateOfBoth(plan, ip, ip6);
  }

  /** Not by stdin: nft opens /dev/stdin for that, which a bare root folder has not. */
  async #perform(textFor: (families: readonly NftFamily[]) => string): Promise<string | null> {
    const both = await runProgram(this.#program, [textFor(["ip", "ip6"])]);
    if (both.isOk) return null;
    const isForAll = (await runProgram(this.#program, ["-c", textFor(["ip"])])).isOk;
    if (!isForAll) throw new StartError(explained(both.complaint));
    const notice = ipv6Failed(both);
    const ip = await runProgram(this.#program, [textFor(["ip"])]);
    if (!ip.isOk) throw new StartError(explained(ip.complaint));
    return notice;
  }

  async #stateOf(family: NftFamily, { mark, chains }: Plan): Promise<State> {
    const { isOk, output, complaint } = await runProgram(this.#program, [
      `list table ${family} ${NFT_TABLE}`,
    ]);
    if (!isOk) {
      if (/no such file/i.test(complaint)) return "none";
      if (family === "ip6" && isIpv6Off()) return "none";
      throw new StartError(explained(complaint));
    }
    return output.split(`comment "${mark}"`).length - 1 === chains.length ? "same" : "other";
  }
}
