/** Routes as the control plane says them, and what workers are given. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import * as assert from "uvu/assert";
import { ROUTES_MAX, routesOf } from "../../src/discovery/outbound-policy.ts";
import type { Route } from "../../src/mesh/policy.ts";
import { HttpRouteMatchSchema } from "../../src/proto/http_route_pb.ts";
import {
  type HttpRoute_RuleSchema,
  type OpaqueRoute_RuleSchema,
  OutboundPolicySchema,
} from "../../src/proto/outbound_pb.ts";
import { suite } from "../support/test.ts";
import { policy, whole } from "./mesh-fixture.ts";

const test = suite("discovery/outbound-policy");

type Rule = MessageInitShape<typeof HttpRoute_RuleSchema>;

const WEB = whole("web");

function read(...rules: readonly Rule[]) {
  const routes = [{ rules: [...rules] }];
  const kind = { case: "detect" as const, value: { http1: { routes } } };
  return routesOf(WEB, create(OutboundPolicySchema, { protocol: { kind } }));
}

test("to its own endpoints, or split by weight", () => {
  const plain: Route = {
    matches: [],
    backends: [],
    requestTimeoutMs: 0,
    responseTimeoutMs: 0,
    retry: null,
  };
  assert.equal(routesOf(WEB, policy("web", {})), { routes: [plain], problem: null });
  const split = routesOf(WEB, policy("web", { web: 90, canary: 10 })).routes[0]?.backends;
  assert.equal(split, [
    { service: WEB, weight: 90 },
    { service: whole("canary"), weight: 10 },
  ]);
});

test("times, retries and matches are as they were said", () => {
  const { routes, problem } = read({
    matches: [
      {
        path: { kind: { case: "prefix", value: "/api" } },
        method: { type: { case: "registered", value: 4 } },
      },
      { method: { type: { case: "unregistered", value: "PURGE" } } },
    ],
    backends: { kind: { case: "empty", value: {} } },
    timeouts: {
      request: { seconds: 2n, nanos: 1 },
      response: { seconds: -1n, nanos: 0 },
      idle: { seconds: 1n, nanos: 0 },
    },
    allowL5dRequestHeaders: true,
    retry: {
      maxRetries: 1_000_000,
      conditions: { statusRanges: [{ start: 500, end: 599 }] },
      timeout: { seconds: 0n, nanos: 250_000_000 },
      backoff: { minBackoff: { seconds: 3n, nanos: 0 } },
    },
  });
  assert.is(problem, null);
  assert.equal(routes, [
    {
      matches: [
        { path: { kind: "prefix", path: "/api" }, method: "PATCH" },
        { path: null, method: "PURGE" },
      ],
      backends: [{ service: "", weight: 1 }],
      requestTimeoutMs: 2_001,
      responseTimeoutMs: 0,
      idleTimeoutMs: 1_000,
      allowsFields: true,
      retry: {
        limit: 100,
        statuses: [{ from: 500, to: 599 }],
        tryTimeoutMs: 250,
        backoffMinMs: 3_000,
        backoffMaxMs: 3_000,
      },
    },
  ]);
});

test("all paths are no condition, so that connections and OPTIONS * have a route", () => {
  const prefix = (value: string) => ({ path: { kind: { case: "prefix" as const, value } } });
  const { routes } = read({ matches: [prefix("/")] }, { matches: [prefix("")] });
  const all = [{ path: null, method: null }];
  assert.equal(
    routes.map(({ matches }) => matches),
    [all, all],
  );
});

test("connections to an opaque service are split; among no backends is none", () => {
  const { protocol } = policy("web", { web: 90, canary: 10 });
  const rule =
    protocol?.kind.case === "detect" ? protocol.kind.value.http1?.routes[0]?.rules[0] : null;
  const backends = rule?.backends?.kind;
  assert.ok(backends?.case === "randomAvailable");
  const weighted = backends.value.backends.map(({ backend, weight }) => {
    return { backend: { backend: backend?.backend }, weight };
  });
  const opaque = (kind: MessageInitShape<typeof OpaqueRoute_RuleSchema>["backends"]) => {
    const value = { routes: [{ rules: [{ backends: kind }] }] };
    const message = { protocol: { kind: { case: "opaque" as const, value } } };
    return routesOf(WEB, create(OutboundPolicySchema, message)).routes;
  };
  const random = (of: typeof weighted) => {
    return opaque({ kind: { case: "randomAvailable", value: { backends: of } } });
  };
  assert.equal(
    random(weighted).map(({ backends, matches }) => [backends, matches]),
    [
      [
        [
          { service: WEB, weight: 90 },
          { service: whole("canary"), weight: 10 },
        ],
        [],
      ],
    ],
  );
  const none = [{ service: "", weight: 1 }];
  assert.equal(random([])[0]?.backends, none);
  const empty = read({ backends: { kind: { case: "randomAvailable", value: { backends: [] } } } });
  assert.equal(empty.routes[0]?.backends, none);
});

test("what is not supported keeps its place and matches nothing", () => {
  const regex: Rule = { matches: [{ path: { kind: { case: "regex", value: ".*" } } }] };
  const { routes, problem } = read(regex, {});
  assert.is(problem, "regular expressions");
  assert.equal(
    routes.map(({ matches }) => matches),
    [[{ path: null, method: "" }], []],
  );
  // Field 2 of a match: a header.
  const header = fromBinary(HttpRouteMatchSchema, Uint8Array.of(0x12, 0x02, 0x0a, 0x00));
  assert.is(read({ matches: [header] }).problem, "matches of fields or queries");
  // Field 2 of an HttpRoute: a host.
  const bytes = toBinary(OutboundPolicySchema, policy("web", {}));
  assert.is(routesOf(WEB, fromBinary(OutboundPolicySchema, bytes)).problem, null);
  const http1 = Uint8Array.of(0x1a, 0x06, 0x0a, 0x04, 0x12, 0x00, 0x1a, 0x00);
  const hosts = Uint8Array.of(0x0a, http1.length, ...http1);
  const strange = routesOf(WEB, fromBinary(OutboundPolicySchema, hosts));
  assert.equal([strange.problem, strange.routes.length], ["hosts", 1]);
});

test("nonsense is no route, and there are never too many", () => {
  assert.equal(routesOf(WEB, create(OutboundPolicySchema, {})).routes, []);
  const many = read(...Array.from({ length: ROUTES_MAX + 1 }, () => ({})));
  assert.equal([many.routes.length, many.problem], [ROUTES_MAX, "too many routes"]);
  const opaque = { protocol: { kind: { case: "opaque" as const, value: {} } } };
  assert.equal(routesOf(WEB, create(OutboundPolicySchema, opaque)), { routes: [], problem: null });
});

test.run();
