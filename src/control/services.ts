/** The control plane's methods: bytes of gRPC to the authority and back. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type CertifyRequest,
  CertifyRequestSchema,
  CertifyResponseSchema,
} from "../proto/identity_pb.ts";
import type { CallInfo, RpcMethod } from "../rpc/server-handle.ts";
import { RpcError, Status, statusOf } from "../rpc/status.ts";
import type { Authority } from "./authority/authority.ts";
import type { Certifier } from "./authority/certify.ts";
import { Refusal } from "./authority/refusal.ts";
import type { Leaving } from "./feed.ts";
import { announce, withdraw } from "./methods/announce.ts";
import { getDestination } from "./methods/destination.ts";
import type { Mesh } from "./methods/mesh.ts";
import { getOutbound, getPort, watchOutbound, watchPort } from "./methods/policies.ts";
import { getProfile } from "./methods/profile.ts";
import * as names from "./names.ts";
import { TrustFeed } from "./trust-feed.ts";

export type Services = {
  readonly authority: Authority;
  readonly certifier: Certifier;
  /** Time of day, milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly leaving: Leaving;
  readonly mesh: Mesh;
};

type StreamOf = (mesh: Mesh, request: Uint8Array, call: CallInfo) => AsyncIterable<Uint8Array>;
type AnswerOf = (mesh: Mesh, request: Uint8Array, call: CallInfo) => Promise<Uint8Array>;

const STREAMS: readonly (readonly [path: string, stream: StreamOf])[] = [
  [names.GET_DESTINATION, getDestination],
  [names.GET_PROFILE, getProfile],
  [names.WATCH_PORT, watchPort],
  [names.WATCH_OUTBOUND, watchOutbound],
  [names.ANNOUNCE, announce],
];
const ANSWERS: readonly (readonly [path: string, answer: AnswerOf])[] = [
  [names.GET_PORT, getPort],
  [names.GET_OUTBOUND, getOutbound],
  [names.WITHDRAW, withdraw],
];

export function methodsOf(services: Services): RpcMethod[] {
  return [
    {
      kind: "unary",
      path: names.CERTIFY,
      handler: (request, call) => certify(services, request, call),
    },
    {
      kind: "server-streaming",
      path: names.WATCH_TRUST,
      handler: (_request, call) => watchTrust(services, call),
    },
    ...STREAMS.map(([path, stream]): RpcMethod => {
      const handler = (request: Uint8Array, call: CallInfo) => stream(services.mesh, request, call);
      return { kind: "server-streaming", path, handler };
    }),
    ...ANSWERS.map(([path, answer]): RpcMethod => {
      const handler = (request: Uint8Array, call: CallInfo) => answer(services.mesh, request, call);
      return { kind: "unary", path, handler };
    }),
  ];
}

async function certify(
  { certifier, wallMs }: Services,
  request: Uint8Array,
  { peer }: CallInfo,
): Promise<Uint8Array> {
  const { identity, token, certificateSigningRequest } = parse(request);
  const answer = await certifier.certify({
    requested: identity,
    token,
    csr: certificateSigningRequest,
    peerAddress: peer.address,
    peerIdentity: peer.identity,
    nowMs: wallMs(),
  });
  if (answer instanceof Refusal) {
    throw new RpcError(statusOf(answer.status) ?? Status.unknown, answer.reason);
  }
  const response = create(CertifyResponseSchema, {
    leafCertificate: answer.leaf,
    intermediateCertificates: [...answer.intermediates],
    validUntil: timestampFromMs(answer.validUntilMs),
    trustAnchors: [...answer.roots],
    serverTimeMs: BigInt(wallMs()),
  });
  return toBinary(CertifyResponseSchema, response);
}

function parse(request: Uint8Array): CertifyRequest {
  try {
    return fromBinary(CertifyRequestSchema, request);
  } catch {
    throw new RpcError(Status.invalidArgument, "the request is no CertifyRequest");
  }
}

/** What is trusted is no secret, but a stream is held open for those of the mesh alone. */
function watchTrust({ authority, leaving }: Services, { peer }: CallInfo) {
  if (peer.identity === null) {
    throw new RpcError(Status.unauthenticated, "only for who shows a certificate");
  }
  return new TrustFeed(authority, leaving);
}
