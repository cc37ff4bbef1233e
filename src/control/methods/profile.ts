/** Destination.GetProfile: what is known of a service as a whole, or of who is at an address. */
import { create, toBinary } from "@bufbuild/protobuf";
import { formatHostPort, formatIp, parseHostPort, parseIp, unmapIp } from "../../mesh/address.ts";
import { DEFAULT_PORT } from "../../mesh/authority.ts";
import type { ServiceName } from "../../mesh/service-name.ts";
import { DestinationProfileSchema, GetDestinationSchema } from "../../proto/destination_pb.ts";
import type { CallInfo } from "../../rpc/server-handle.ts";
import { addressTopic } from "../directory/directory.ts";
import { type Caller, callerOf } from "./caller.ts";
import { weightedAddr } from "./destination-messages.ts";
import { exists, type Mesh, parse, serviceIn } from "./mesh.ts";
import { Watch } from "./watch.ts";

/** What is asked for, and the topics of what it may hang on. */
type Asked = { readonly topic: string; readonly make: () => Uint8Array };

export function getProfile(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): AsyncIterable<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  const { path } = parse(GetDestinationSchema, request);
  return new ProfileWatch(mesh, caller, asked(path, caller, mesh));
}

class ProfileWatch extends Watch {
  readonly #make: () => Uint8Array;
  #told: Uint8Array | null = null;
  #isStale = true;

  constructor(mesh: Mesh, caller: Caller, { make, topic }: Asked) {
    super(mesh, caller, "profile", topic);
    this.#make = make;
  }

  override wake(): void {
    this.#isStale = true;
    super.wake();
  }

  protected take(): Uint8Array | null {
    if (!this.#isStale) return null;
    this.#isStale = false;
    const message = this.#make();
    if (this.#told !== null && Buffer.from(message).equals(this.#told)) return null;
    this.#told = message;
    return message;
  }
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
  // Whoever was there first: nobody takes an address away from another service by announcing it.
  const first = directory.at(address).at(-1);
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
