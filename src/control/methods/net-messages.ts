/** Addresses and durations as messages. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DurationSchema } from "@bufbuild/protobuf/wkt";
import type { Network } from "../../mesh/policy.ts";
import type { IPAddressSchema, IPNetworkSchema } from "../../proto/net_pb.ts";

/** `ip` has 4 or 16 bytes. */
export function ipMessage(ip: Uint8Array): MessageInitShape<typeof IPAddressSchema> {
  const view = new DataView(ip.buffer, ip.byteOffset, ip.length);
  if (ip.length === 4) return { ip: { case: "ipv4", value: view.getUint32(0) } };
  const value = { first: view.getBigUint64(0), last: view.getBigUint64(8) };
  return { ip: { case: "ipv6", value } };
}

export function networkMessage(network: Network): MessageInitShape<typeof IPNetworkSchema> {
  return { ip: ipMessage(network.ip), prefixLen: network.prefixLength };
}

/** Whole milliseconds. */
export function durationMessage(ms: number): MessageInitShape<typeof DurationSchema> {
  return { seconds: BigInt(Math.floor(ms / 1e3)), nanos: (ms % 1e3) * 1e6 };
}
