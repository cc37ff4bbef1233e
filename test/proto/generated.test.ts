/** The generated code against the .proto files, and those against the field numbers of the wire. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescFile, DescMessage } from "@bufbuild/protobuf";
import * as assert from "uvu/assert";
import * as names from "../../src/control/names.ts";
import { Announcer, file_announce } from "../../src/proto/announce_pb.ts";
import { Destination, file_destination } from "../../src/proto/destination_pb.ts";
import { file_http_route } from "../../src/proto/http_route_pb.ts";
import { file_http_types } from "../../src/proto/http_types_pb.ts";
import { file_identity, Identity } from "../../src/proto/identity_pb.ts";
import { file_inbound, InboundServerPolicies } from "../../src/proto/inbound_pb.ts";
import { file_meta } from "../../src/proto/meta_pb.ts";
import { file_net } from "../../src/proto/net_pb.ts";
import { file_outbound, OutboundPolicies } from "../../src/proto/outbound_pb.ts";
import { file_trust, Trust } from "../../src/proto/trust_pb.ts";
import { ROOT, read, sourcesIn } from "../support/sources.ts";
import { suite } from "../support/test.ts";

const test = suite("proto/generated");

/** Message by message, as linkerd2-proxy-api numbers them: `field=number`. */
const LINKERD: readonly [file: DescFile, message: string, fields: string][] = [
  [file_net, "IPAddress", "ipv4=1 ipv6=2"],
  [file_net, "IPv6", "first=1 last=2"],
  [file_net, "TcpAddress", "ip=1 port=2"],
  [file_net, "IPNetwork", "ip=1 prefix_len=2"],
  [file_meta, "Metadata", "default=1 resource=2"],
  [file_meta, "Resource", "group=1 kind=2 name=3 namespace=4 section=5 port=6"],
  [file_http_types, "HttpMethod", "registered=1 unregistered=2"],
  [file_http_route, "HttpRouteMatch", "path=1 method=4"],
  [file_http_route, "PathMatch", "exact=1 prefix=2 regex=3"],
  [file_http_route, "Timeouts", "response=1 request=2 idle=3"],
  [file_destination, "GetDestination", "scheme=1 path=2 context_token=3"],
  [file_destination, "Update", "add=1 remove=2 no_endpoints=3"],
  [file_destination, "AddrSet", "addrs=1"],
  [file_destination, "WeightedAddrSet", "addrs=1 metric_labels=2"],
  [
    file_destination,
    "WeightedAddr",
    "addr=1 weight=3 metric_labels=4 tls_identity=5 protocol_hint=6",
  ],
  [file_destination, "TlsIdentity", "dns_like_identity=1 uri_like_identity=3 server_name=4"],
  [file_destination, "TlsIdentity.DnsLikeIdentity", "name=1"],
  [file_destination, "TlsIdentity.UriLikeIdentity", "uri=1"],
  [file_destination, "ProtocolHint", "h2=1 opaque=3 opaque_transport=2"],
  [file_destination, "ProtocolHint.OpaqueTransport", "inbound_port=1"],
  [file_destination, "NoEndpoints", "exists=1"],
  [
    file_destination,
    "DestinationProfile",
    "retry_budget=2 dst_overrides=3 opaque_protocol=4 fully_qualified_name=5 endpoint=6",
  ],
  [file_destination, "WeightedDst", "authority=1 weight=2"],
  [file_destination, "RetryBudget", "retry_ratio=1 min_retries_per_second=2 ttl=3"],
  [file_inbound, "PortSpec", "workload=1 port=2"],
  [file_inbound, "Server", "protocol=1 authorizations=3 labels=4"],
  [file_inbound, "ProxyProtocol", "detect=1 opaque=2 tls=3 http1=4 http2=5 grpc=6"],
  [file_inbound, "ProxyProtocol.Detect", "timeout=1"],
  [file_inbound, "Authz", "networks=1 authentication=2 labels=3 metadata=4"],
  [file_inbound, "Network", "net=1 except=2"],
  [file_inbound, "Authn", "unauthenticated=1 mesh_tls=2"],
  [file_inbound, "Authn.PermitMeshTLS", "unauthenticated=1 identities=2"],
  [file_inbound, "Authn.PermitMeshTLS.PermitClients", "identities=1 suffixes=2"],
  [file_inbound, "Identity", "name=1"],
  [file_inbound, "IdentitySuffix", "parts=1"],
  [file_outbound, "TrafficSpec", "source_workload=1 addr=2 authority=3"],
  [file_outbound, "OutboundPolicy", "protocol=1 metadata=2"],
  [file_outbound, "ProxyProtocol", "detect=1 opaque=2 http1=3 http2=4"],
  [file_outbound, "ProxyProtocol.Detect", "timeout=1 opaque=2 http1=3 http2=4"],
  [file_outbound, "HttpRoute", "metadata=1 rules=3"],
  [
    file_outbound,
    "HttpRoute.Rule",
    "matches=1 backends=3 timeouts=5 retry=6 allow_l5d_request_headers=7",
  ],
  [file_outbound, "HttpRoute.Distribution", "empty=1 first_available=2 random_available=3"],
  [file_outbound, "HttpRoute.WeightedRouteBackend", "backend=1 weight=2"],
  [
    file_outbound,
    "HttpRoute.Retry",
    "max_retries=1 max_request_bytes=2 conditions=3 timeout=4 backoff=5",
  ],
  [file_outbound, "HttpRoute.Retry.Conditions.StatusRange", "start=1 end=2"],
  [file_outbound, "OpaqueRoute", "metadata=1 rules=3"],
  [file_outbound, "OpaqueRoute.Rule", "backends=1"],
  [file_outbound, "Backend", "metadata=1 balancer=3 queue=4"],
  [file_outbound, "Backend.Balancer", "discovery=1 peak_ewma=2"],
  [file_outbound, "Backend.Balancer.EndpointDiscovery", "dst=1"],
  [file_outbound, "Backend.Balancer.EndpointDiscovery.DestinationGet", "path=1"],
  [file_outbound, "Queue", "capacity=1 failfast_timeout=2"],
  [file_outbound, "ExponentialBackoff", "min_backoff=1 max_backoff=2 jitter_ratio=3"],
];

/** Of a file and below: `Outer.Inner`. */
function messageNamed(file: DescFile, path: string): DescMessage {
  let found: DescMessage | undefined;
  let among: readonly DescMessage[] = file.messages;
  for (const name of path.split(".")) {
    found = among.find((message) => message.name === name);
    among = found?.nestedMessages ?? [];
  }
  assert.ok(found !== undefined, `${file.name} has no ${path}`);
  return found as DescMessage;
}

test("fields have the numbers of Linkerd's API", () => {
  for (const [file, path, fields] of LINKERD) {
    const message = messageNamed(file, path);
    const own = message.fields.map((field) => `${field.name}=${field.number}`).sort();
    assert.equal(own, fields.split(" ").sort(), `${file.name}: ${path}`);
    assert.is(message.typeName, `io.linkerd.proxy.${file.name}.${path}`);
  }
});

test("an announcement has the fields that sidecars of every version write", () => {
  const fields = messageNamed(file_announce, "Announcement").fields;
  assert.equal(
    fields.map((field) => `${field.name}=${field.number}`),
    [
      "service=1",
      "address=2",
      "inbound_port=3",
      "application_port=4",
      "protocol=5",
      "weight=6",
      "instance=7",
    ],
  );
});

test("the paths that are called are the methods of the files", () => {
  const methods = [
    Identity,
    Destination,
    InboundServerPolicies,
    OutboundPolicies,
    Announcer,
    Trust,
  ].flatMap((service) => service.methods.map((method) => `/${service.typeName}/${method.name}`));
  const paths = Object.values(names).filter((name) => name.startsWith("/"));
  assert.equal(paths.sort(), methods.sort());
});

test("the code is what the .proto says", () => {
  assert.is(file_identity.proto.package, "io.linkerd.proxy.identity");
  assert.is(file_trust.proto.package, "outrigger.control");
  const folder = mkdtempSync(join(tmpdir(), "outrigger-proto-"));
  try {
    const buf = join(ROOT, "node_modules/.bin/buf");
    const path = `${join(ROOT, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`;
    execFileSync("node", [buf, "generate", "--output", folder], {
      cwd: join(ROOT, "src/proto"),
      env: { ...process.env, PATH: path },
    });
    for (const file of sourcesIn("src/proto")) {
      const written = readFileSync(join(folder, file.slice("src/proto/".length)), "utf8");
      assert.is(descriptorIn(read(file)), descriptorIn(written), file);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Names, numbers and types of all that the file declares, serialized. */
function descriptorIn(code: string): string {
  const found = /fileDesc\(\s*"([A-Za-z0-9+/=]+)"/.exec(code)?.[1];
  if (found === undefined) throw new Error("there is no descriptor");
  return found;
}

test.run();
