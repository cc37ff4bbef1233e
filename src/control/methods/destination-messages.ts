/**
 * The messages of Destination.Get. An endpoint is encoded once, however many messages it is in: bytes
 * of messages put after each other are one message with the fields of all (protobuf's encoding,
 * "Last One Wins" and repeated fields).
 */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ServiceName } from "../../mesh/service-name.ts";
import {
  AddrSetSchema,
  NoEndpointsSchema,
  UpdateSchema,
  type WeightedAddrSchema,
  WeightedAddrSetSchema,
} from "../../proto/destination_pb.ts";
import type { Endpoint } from "../directory/endpoint.ts";
import type { Batch, ServiceLog, Told } from "../directory/service-log.ts";
import { ipMessage } from "./net-messages.ts";

type WeightedAddrInit = MessageInitShape<typeof WeightedAddrSchema>;

const SPIFFE_SCHEME = "spiffe://";

/** Tags of Update's fields (number and wire type 2); a length follows. */
const ADD_TAG = 0x0a;
const REMOVE_TAG = 0x12;

/** Bytes of a WeightedAddrSet with this endpoint only. */
const encoded = new WeakMap<Told, Uint8Array>();

/** Messages of one service that watchers who are equally far have in common. */
type Shared = { last: number; readonly messages: Map<string, Uint8Array> };
const shared = new WeakMap<ServiceLog, Shared>();
/** Of one service; watchers that are behind at different places need not share. */
const SHARED_MAX = 64;

/** Returns the message that tells a batch to those who were told as much before it. */
export function updateFor(
  log: ServiceLog,
  batch: Batch,
  from: string,
  service: ServiceName,
): Uint8Array {
  const known = shared.get(log) ?? { last: 0, messages: new Map<string, Uint8Array>() };
  shared.set(log, known);
  if (known.last !== log.last || known.messages.size >= SHARED_MAX) known.messages.clear();
  known.last = log.last;
  const before = known.messages.get(from);
  if (before !== undefined) return before;
  const message = encode(batch, service);
  known.messages.set(from, message);
  return message;
}

/** Says that there are none. */
export function noEndpoints(exists: boolean): Uint8Array {
  const value = create(NoEndpointsSchema, { exists });
  return toBinary(UpdateSchema, create(UpdateSchema, { update: { case: "noEndpoints", value } }));
}

/** An endpoint as clients of it need it. */
export function weightedAddr({ endpoint, isOpaque }: Told): WeightedAddrInit {
  const { applicationPort, identity, inboundPort, ip, weight } = endpoint;
  return {
    addr: { ip: ipMessage(ip), port: applicationPort },
    weight,
    tlsIdentity: tlsIdentity(identity),
    protocolHint: {
      protocol: isOpaque ? { case: "opaque", value: {} } : { case: "h2", value: {} },
      opaqueTransport: { inboundPort },
    },
  };
}

function tlsIdentity(identity: string): NonNullable<WeightedAddrInit["tlsIdentity"]> {
  if (identity.startsWith(SPIFFE_SCHEME)) {
    return { strategy: { case: "uriLikeIdentity", value: { uri: identity } } };
  }
  return {
    strategy: { case: "dnsLikeIdentity", value: { name: identity } },
    serverName: { name: identity },
  };
}

function encode({ changes, kind }: Batch, { name, namespace }: ServiceName): Uint8Array {
  if (kind === "remove") {
    const addrs = changes.map(({ endpoint }) => addressMessage(endpoint));
    return wrap(REMOVE_TAG, [toBinary(AddrSetSchema, create(AddrSetSchema, { addrs }))]);
  }
  const metricLabels = { dst_service: name, dst_namespace: namespace };
  const labels = create(WeightedAddrSetSchema, { metricLabels });
  const parts = changes.flatMap(({ told }) => (told === null ? [] : [encodedOf(told)]));
  return wrap(ADD_TAG, [...parts, toBinary(WeightedAddrSetSchema, labels)]);
}

function addressMessage({ applicationPort, ip }: Endpoint) {
  return { ip: ipMessage(ip), port: applicationPort };
}

function encodedOf(told: Told): Uint8Array {
  const known = encoded.get(told);
  if (known !== undefined) return known;
  const set = create(WeightedAddrSetSchema, { addrs: [weightedAddr(told)] });
  const bytes = toBinary(WeightedAddrSetSchema, set);
  encoded.set(told, bytes);
  return bytes;
}

/** A field of a message: its tag, its length, and the parts that it is made of. */
function wrap(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag];
  let rest = length;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let to = head.length;
  for (const part of parts) {
    bytes.set(part, to);
    to += part.length;
  }
  return bytes;
}
