/**
 * What a control plane was started with and others must know who only have its folder: where
 * sidecars reach it and for which trust domain it signs. Written at each start.
 */
import type { HostPort } from "../mesh/address.ts";
import { parseHostPort } from "../mesh/address.ts";
import { parseDnsName } from "../mesh/identity.ts";
import { Fault } from "./authority/fault.ts";
import { commit, readText } from "./authority/folder.ts";
import { locked } from "./authority/rotation.ts";

export type Settings = {
  /** Where sidecars reach the control plane. */
  readonly address: HostPort;
  readonly trustDomain: string;
};

/** Returns null in a folder that no control plane was started with. */
export function readSettings(dir: string): Settings | null | Fault {
  const text = readText(dir, "settings");
  if (text === null || text instanceof Fault) return text;
  const [addressText = "", domainText = ""] = text.trimEnd().split("\n");
  const address = parseHostPort(addressText);
  const trustDomain = parseDnsName(domainText);
  if (address === null || trustDomain === null) return new Fault(`${dir}/settings is damaged`);
  return { address, trustDomain };
}

/** Says that the folder is of another trust domain: all its certificates would be; else null. */
export function trustDomainFault(dir: string, trustDomain: string): Fault | null {
  const before = readSettings(dir);
  if (before === null || before instanceof Fault) return before;
  if (before.trustDomain === trustDomain) return null;
  return new Fault(`${dir} is of the trust domain ${before.trustDomain}, not ${trustDomain}`);
}

/** Refuses another trust domain than before. */
export async function writeSettings(
  dir: string,
  trustDomain: string,
  address: string,
): Promise<null | Fault> {
  return locked(dir, async (assertHeld) => {
    const fault = trustDomainFault(dir, trustDomain);
    if (fault !== null) return fault;
    assertHeld();
    commit(dir, new Map([["settings", `${address}\n${trustDomain}\n`]]));
    return null;
  });
}
