/** Destination.GetProfile: what is known of a service as a whole, or of who is at an address. */
import { create, toBinary } from "@bufbuild/protobuf";
import { formatHostPort, formatIp, parseHostPort, parseIp, unmapIp } from "../../mesh/address.ts";
import { DEFAULT_PORT } from "../../mesh/authority.ts";
import type { ServiceName } from "../../mesh/service-name.ts";
import { DestinationProfileSchema, GetDestinationSchema } from "../../proto/destination_pb.ts";
import type { CallInfo } from "../../rpc/server-handle.ts";
import { addressTopic } from "../directory/directory.ts";
import { follow } from "../feed.ts";
import { type Caller, callerOf } from "./caller.ts";
import { weightedAddr } from "./destination-messages.ts";
import { endsOf, exists, type Mesh, parse, serviceIn } from "./mesh.ts";
import { POLICY_TOPIC } from "./policies.ts";

/** What is asked for, and the topics of what it may hang on. */
type Asked = { readonly topic: string; readonly make: () => Uint8Array };

export function getProfile(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): AsyncIterable<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  const { path } = parse(GetDestinationSchema, request);
  const { make, topic } = asked(path, caller, mesh);
  let told: Uint8Array | null = null;
  let isStale = true;
  const next = (): Uint8Array | null => {
    if (!isStale) return null;
    isStale = false;
    const message = make();
    if (told !== null && Buffer.from(message).equals(told)) return null;
    told = message;
    return message;
  };
  const subscribe = (wake: () => void) => {
    const onNews = (): void => {
      isStale = true;
      wake();
    };
    const ends = [topic, POLICY_TOPIC].map((each) => mesh.topics.subscribe(each, onNews));
    return () => {
      for (const end of ends) end();
    };
  };
  return mesh.watches.count("profile", caller, follow(next, subscribe, endsOf(mesh, call)));
}

function asked(path: string, caller: Caller, mesh: Mesh): Asked {
  const split = parseHostPort(path);
  const ip = split === null ? null : parseIp(split.host);
  if (split !== null && ip !== null) {
    const address = formatHostPort(formatIp(unmapIp(ip)), split.port);
    return { topic: addressTopic(address), make: () => addressProfile(mesh, address) };
  }
  const { port, service } = serviceIn(path, caller, mesh);
  const make = () => serviceProfile(mesh, service, port ?? DEFAULT_PORT);
  return { topic: service.canonical, make };
}

function addressProfile({ directory }: Mesh, address: string): Uint8Array {
  const [first] = directory.at(address);
  const told = first?.service.log.get(address) ?? null;
  const profile =
    told === null ? {} : { endpoint: weightedAddr(told), opaqueProtocol: told.isOpaque };
  return toBinary(DestinationProfileSchema, create(DestinationProfileSchema, profile));
}

function serviceProfile(mesh: Mesh, service: ServiceName, port: number): Uint8Array {
  const { canonical } = service;
  if (!exists(mesh, canonical)) {
    return toBinary(DestinationProfileSchema, create(DestinationProfileSchema));
  }
  const policy = mesh.policy();
  const split = policy.services.get(canonical)?.split ?? [];
  const profile = create(DestinationProfileSchema, {
    fullyQualifiedName: canonical,
    opaqueProtocol: policy.isOpaque(canonical, port),
    dstOverrides: split.map((each) => {
      return { authority: formatHostPort(each.service, port), weight: each.weight };
    }),
  });
  return toBinary(DestinationProfileSchema, profile);
}
