/** Where a request goes and whether it may: with each request, and once for each new snapshot. */
import { clientIdField } from "../../src/codec/http1/client-id.ts";
import { RequestHead } from "../../src/codec/http1/request-head.ts";
import type { Authorization } from "../../src/mesh/policy.ts";
import { denialOf } from "../../src/proxy/admit.ts";
import type { ClientOrigin } from "../../src/proxy/client.ts";
import type { Context } from "../../src/proxy/context.ts";
import { Directory } from "../../src/proxy/directory.ts";
import { Router } from "../../src/proxy/router.ts";
import { measure } from "./measure.ts";

const BATCH = 200_000;
const APP = { ip: Uint8Array.of(127, 0, 0, 1), port: 3_000 };
const NAME = "web.default.serviceaccount.identity.outrigger.cluster.local";
const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: web\r\n\r\n");

const origin: ClientOrigin = {
  kind: "inbound",
  series: 0,
  authority: "127.0.0.1:3000",
  target: APP,
  isRedirected: false,
  speaks: null,
  peer: "10.1.2.3:4",
  peerIp: Uint8Array.of(10, 1, 2, 3),
  client: { name: NAME, identity: { dns: NAME, uri: null }, field: clientIdField(NAME) },
  hasWaited: false,
};

function named(name: string): Authorization {
  const net = { ip: Uint8Array.of(10, 0, 0, 0), prefixLength: 8 };
  const clients = { kind: "named", identities: [name], suffixes: [] } as const;
  return { networks: [{ net, except: [] }], clients };
}

/** A policy that lets `others` in, and at last, perhaps, this client. */
function worldOf(others: number, isAllowed: boolean): Context {
  const ask = (): void => {};
  const directory = new Directory(ask, ask, ask);
  const authorizations = Array.from({ length: others }, (_, i) => named(`${i}${NAME}`));
  if (isAllowed) authorizations.push(named(NAME));
  const service = { name: "127.0.0.1:3000", series: 0, endpoints: [], failure: null, routes: [] };
  const snapshot = {
    version: 1,
    services: [service],
    aliases: [],
    inbound: [{ port: APP.port, isOpaque: false, authorizations }],
    clients: [{ name: NAME, series: 1 }],
  };
  directory.replace(snapshot, 0);
  const policy = { requiresIdentity: true, allowFrom: null };
  // The router asks nothing else of it.
  return { directory, policy, isOwn: () => false } as unknown as Context;
}

const head = new RequestHead();
head.parse(REQUEST, 0, REQUEST.length);
for (const isAllowed of [true, false]) {
  const router = new Router(worldOf(10, isAllowed), origin);
  const what = isAllowed ? "let in" : "refused";
  measure(`route of a request, ${what}`, BATCH, () => router.route(REQUEST, 0, head));
}
for (const others of [0, 10, 100]) {
  const world = worldOf(others, true);
  measure(`judging a client by ${others + 1} authorizations`, BATCH / (others + 1), () =>
    denialOf(world, origin),
  );
}
