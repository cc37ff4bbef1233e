/** Address blocks as text (CIDR, RFC 4632). Pure. */
import { formatIp, parseIp, unmapIp } from "./address.ts";
import type { Network } from "./policy.ts";

/** Returns an address block, or one address as a block; null if bits after the prefix are set. */
export function parseNetwork(text: string): Network | null {
  const [ipText = "", lengthText, ...rest] = text.split("/");
  const ip = parseIp(ipText);
  if (ip === null || rest.length > 0 || unmapIp(ip) !== ip) return null;
  const bits = ip.length * 8;
  if (lengthText !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(lengthText)) return null;
  const prefixLength = lengthText === undefined ? bits : Number(lengthText);
  if (prefixLength > bits) return null;
  const isClean = ip.every((byte, index) => {
    const kept = Math.min(Math.max(prefixLength - index * 8, 0), 8);
    return (byte & (0xff >> kept)) === 0;
  });
  return isClean ? { ip, prefixLength } : null;
}

/** Returns `IP/LENGTH`, without brackets. */
export function formatNetwork({ ip, prefixLength }: Network): string {
  return `${formatIp(ip)}/${prefixLength}`;
}
