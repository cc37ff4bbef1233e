import * as assert from "uvu/assert";
import { clientIdField } from "../../src/codec/http1/client-id.ts";
import { accessLine } from "../../src/proxy/access-log.ts";
import type { ClientOrigin } from "../../src/proxy/client.ts";
import { identityOf } from "../support/certificates.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/access-log");

const REQUEST = { method: "GET", target: '/a"b\\c', authority: "web" };
const PLAIN: ClientOrigin = {
  kind: "inbound",
  series: 1,
  authority: null,
  target: null,
  isRedirected: false,
  speaks: null,
  peer: "10.0.0.9:1234",
  client: null,
  peerIp: null,
  hasWaited: false,
};
const endpoint = {
  row: 0,
  series: 0,
  ip: Uint8Array.of(10, 0, 0, 1),
  port: 80,
  speaks: "any",
  peer: null,
} as const;

test("a line says who, what and what came of it, each in one field", () => {
  const outcome = { series: 1, endpoint, status: 200, latencyUs: 1_500 };
  const rest = 'inbound "GET /a\\"b\\\\c" web 200 1500us 10.0.0.1:80';
  assert.is(accessLine(REQUEST, outcome, PLAIN), `10.0.0.9:1234 - ${rest}`);
  const identity = identityOf("shop");
  const client = { name: identity.dns, identity, field: clientIdField(identity.dns) };
  const line = accessLine(REQUEST, outcome, { ...PLAIN, client });
  assert.is(line, `10.0.0.9:1234 ${identity.dns} ${rest}`);
});

test("without an endpoint there is a dash", () => {
  const outcome = { series: 1, endpoint: null, status: 403, latencyUs: 9 };
  assert.ok(accessLine(REQUEST, outcome, PLAIN).endsWith(" web 403 9us -"));
});

test.run();
