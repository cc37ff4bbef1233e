/** InboundServerPolicies and OutboundPolicies: what the policy in force means for who asks. */
import { DEFAULT_PORT } from "../../mesh/authority.ts";
import { type ServiceName, serviceName } from "../../mesh/service-name.ts";
import { PortSpecSchema } from "../../proto/inbound_pb.ts";
import { TrafficSpecSchema } from "../../proto/outbound_pb.ts";
import type { CallInfo } from "../../rpc/server-handle.ts";
import { RpcError, Status } from "../../rpc/status.ts";
import type { MeshPolicy } from "../policy/policy.ts";
import { type Caller, callerOf } from "./caller.ts";
import { serverMessage } from "./inbound-message.ts";
import { exists, invalid, type Mesh, parse, serviceIn } from "./mesh.ts";
import { outboundPolicy } from "./outbound-message.ts";
import { Watch } from "./watch.ts";
import type { WatchKind } from "./watches.ts";

/** The topic of all that hangs on the policy. */
export const POLICY_TOPIC = "policy";

const PORT_MAX = 65_535;
/** `{"ns":…,"pod":…}` with two labels and whatever else there is. */
const WORKLOAD_CHARS_MAX = 1_024;

/** A policy's messages, for all who ask for the same. */
const encoded = new WeakMap<MeshPolicy, Map<string, Uint8Array>>();
/** Of one policy; names that were asked for once need not be kept. */
const ENCODED_MAX = 1_024;

function shared(policy: MeshPolicy, key: string, make: () => Uint8Array): Uint8Array {
  const messages = encoded.get(policy) ?? new Map<string, Uint8Array>();
  encoded.set(policy, messages);
  const known = messages.get(key);
  if (known !== undefined) return known;
  if (messages.size >= ENCODED_MAX) messages.clear();
  const message = make();
  messages.set(key, message);
  return message;
}

export async function getPort(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): Promise<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  return inbound(mesh, caller, portIn(request, caller, mesh));
}

export function watchPort(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): AsyncIterable<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  const port = portIn(request, caller, mesh);
  return new PolicyWatch(mesh, caller, "inbound", () => inbound(mesh, caller, port));
}

export async function getOutbound(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): Promise<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  return outbound(mesh, targetIn(request, caller, mesh));
}

export function watchOutbound(
  mesh: Mesh,
  request: Uint8Array,
  call: CallInfo,
): AsyncIterable<Uint8Array> {
  const caller = callerOf(call, mesh.trustDomain);
  const target = targetIn(request, caller, mesh);
  return new PolicyWatch(mesh, caller, "outbound", () => outbound(mesh, target));
}

/** Tells what `make` returns, and again when another policy makes something else of it. */
class PolicyWatch extends Watch {
  readonly #make: () => Uint8Array;
  #seen: MeshPolicy | null = null;
  #told: Uint8Array | null = null;

  constructor(mesh: Mesh, caller: Caller, kind: WatchKind, make: () => Uint8Array) {
    super(mesh, caller, kind, POLICY_TOPIC);
    this.#make = make;
  }

  protected take(): Uint8Array | null {
    const policy = this.mesh.policy();
    if (policy === this.#seen) return null;
    this.#seen = policy;
    const message = this.#make();
    if (this.#told !== null && Buffer.from(message).equals(this.#told)) return null;
    this.#told = message;
    return message;
  }
}

function inbound(mesh: Mesh, { own }: Caller, port: number): Uint8Array {
  const policy = mesh.policy();
  return shared(policy, `in ${own.canonical} ${port}`, () =>
    serverMessage(policy.ruleFor(own, port), own),
  );
}

type Target = { readonly service: ServiceName; readonly port: number };

function outbound(mesh: Mesh, { port, service }: Target): Uint8Array {
  const policy = mesh.policy();
  return shared(policy, `out ${service.canonical} ${port}`, () =>
    outboundPolicy(policy, service, port),
  );
}

/** Throws NOT_FOUND for what is no service of the mesh: it is reached as if there were no mesh. */
function targetIn(request: Uint8Array, caller: Caller, mesh: Mesh): Target {
  const { target } = parse(TrafficSpecSchema, request);
  if (target.case === undefined) throw invalid("", "names no target");
  // No service has an address of its own here; who is at one is told by its profile.
  if (target.case === "addr") throw new RpcError(Status.notFound, "no service has this address");
  const { port, service } = serviceIn(target.value, caller, mesh);
  if (exists(mesh, service.canonical)) return { service, port: port ?? DEFAULT_PORT };
  throw new RpcError(Status.notFound, `there is no service ${service.canonical}`);
}

/** Throws PERMISSION_DENIED when somebody asks for another workload than itself. */
function portIn(request: Uint8Array, caller: Caller, mesh: Mesh): number {
  const { port, workload } = parse(PortSpecSchema, request);
  if (port < 1 || port > PORT_MAX) throw invalid(String(port), "is no port");
  const [namespace, name] = workloadParts(workload);
  const asked = serviceName(name, namespace, mesh.trustDomain);
  if (asked === null) throw invalid(workload, "is no workload such as NAMESPACE:NAME");
  if (asked.canonical === caller.own.canonical) return port;
  throw new RpcError(Status.permissionDenied, `${caller.identity} is another workload`);
}

/** `NAMESPACE:NAME`, or the JSON that Linkerd's proxy sends. */
function workloadParts(text: string): readonly [namespace: string, name: string] {
  if (text.length > WORKLOAD_CHARS_MAX) return ["", ""];
  if (!text.startsWith("{")) {
    const [namespace = "", name = "", ...rest] = text.split(":");
    return rest.length === 0 ? [namespace, name] : ["", ""];
  }
  try {
    const json: unknown = JSON.parse(text);
    const fields = new Map(Object.entries(json as object));
    const name = fields.get("pod") ?? fields.get("name");
    const namespace = fields.get("ns");
    return typeof name === "string" && typeof namespace === "string" ? [namespace, name] : ["", ""];
  } catch {
    return ["", ""];
  }
}
