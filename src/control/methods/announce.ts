/** The Announcer: a sidecar's endpoint is there for as long as its stream. */
import { create, toBinary } from "@bufbuild/protobuf";
import { assert } from "../../lib/assert.ts";
import { formatIp, parseIp, unmapIp } from "../../mesh/address.ts";
import { parseServiceName, type ServiceName } from "../../mesh/service-name.ts";
import {
  type Announcement,
  AnnouncementSchema,
  AnnounceStateSchema,
  WithdrawRequestSchema,
  WithdrawResponseSchema,
} from "../../proto/announce_pb.ts";
import type { CallInfo } from "../../rpc/server-handle.ts";
import { RpcError, Status } from "../../rpc/status.ts";
import {
  addressFault,
  ENDPOINT_PROTOCOLS,
  type Endpoint,
  numberFault,
  WEIGHT_DEFAULT,
} from "../directory/endpoint.ts";
import type { Announced, Entry, LeaseHolder } from "../directory/entry.ts";
import { OVER } from "../feed.ts";
import { addressOfCaller, type Caller, callerOf } from "./caller.ts";
import { defaultsOf, invalid, type Mesh, parse } from "./mesh.ts";
import { Watch } from "./watch.ts";

const INSTANCE_BYTES = 16;

export function announce(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): AsyncIterable<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  const message = parse(AnnouncementSchema, request);
  const service = announcedService(message.service, caller, mesh);
  const endpoint = endpointOf(message, caller);
  const instance = instanceOf(message.instance);
  return new LeaseStream(mesh, caller, { service, endpoint, instance });
}

export async function withdraw(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): Promise<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  const message = parse(WithdrawRequestSchema, request);
  const service = serviceNamed(message.service, caller, mesh);
  const instance = instanceOf(message.instance);
  mesh.directory.withdraw(service.canonical, caller.identity, instance);
  return toBinary(WithdrawResponseSchema, create(WithdrawResponseSchema));
}

/** Holds the lease until the stream ends, or something else ends it. */
class LeaseStream extends Watch implements LeaseHolder {
  /** Until it is entered. */
  #announced: Announced | null;
  #entry: Entry | null = null;
  #ended: RpcError | null = null;
  #isTold = false;

  constructor(mesh: Mesh, caller: Caller, announced: Announced) {
    super(mesh, caller, "lease", null);
    this.#announced = announced;
  }

  protected override begin(): void {
    super.begin();
    assert(this.#announced !== null, "announced once");
    const entry = this.mesh.directory.announce(this.#announced, this);
    this.#announced = null;
    if (entry instanceof RpcError) {
      super.end();
      throw entry;
    }
    this.#entry = entry;
  }

  protected override end(): void {
    super.end();
    if (this.#entry !== null) this.mesh.directory.release(this.#entry, this);
  }

  onLeaseEnd(error: RpcError): void {
    this.#ended = error;
    this.wake();
  }

  protected take(): Uint8Array | null | typeof OVER {
    if (this.#ended?.status === Status.ok) return OVER;
    if (this.#ended !== null) throw this.#ended;
    if (this.#isTold || this.#entry === null) return null;
    this.#isTold = true;
    const { endpoint, service } = this.#entry;
    const address = formatIp(endpoint.ip);
    const state = { accepted: true, service: service.name.canonical, address };
    return toBinary(AnnounceStateSchema, create(AnnounceStateSchema, state));
  }
}

function announcedService(text: string, caller: Caller, mesh: Mesh): ServiceName {
  const service = serviceNamed(text, caller, mesh);
  if (mesh.policy().mayAnnounce(caller.identity, service)) return service;
  mesh.directory.counts.refused += 1;
  throw new RpcError(
    Status.permissionDenied,
    `${caller.identity} may not announce ${service.canonical}: the policy does not list it`,
  );
}

function serviceNamed(text: string, caller: Caller, mesh: Mesh): ServiceName {
  if (text === "") return caller.own;
  const service = parseServiceName(text, defaultsOf(caller, mesh));
  if (service === null) throw invalid(text, "is no name of a service");
  return service;
}

function endpointOf(message: Announcement, caller: Caller): Endpoint {
  const from = addressOfCaller(caller);
  const ip = message.address === "" ? from : parseIp(message.address);
  if (ip === null) throw invalid(message.address, "is no IP address");
  const plain = unmapIp(ip);
  const { applicationPort, inboundPort } = message;
  const weight = message.weight === 0 ? WEIGHT_DEFAULT : message.weight;
  const fault = addressFault(plain, from);
  if (fault !== null) throw invalid(formatIp(plain), fault);
  const wrong = numberFault({ inboundPort, applicationPort, weight });
  if (wrong !== null) throw new RpcError(Status.invalidArgument, wrong);
  const protocol = ENDPOINT_PROTOCOLS[message.protocol];
  if (protocol === undefined) throw invalid(String(message.protocol), "is no protocol");
  // A copy: the message's bytes would be kept with it.
  const own = Uint8Array.from(plain);
  return { ip: own, inboundPort, applicationPort, protocol, weight, identity: caller.identity };
}

function instanceOf(bytes: Uint8Array): string {
  if (bytes.length === INSTANCE_BYTES) return Buffer.from(bytes).toString("hex");
  throw new RpcError(Status.invalidArgument, `instance: expected ${INSTANCE_BYTES} bytes`);
}
