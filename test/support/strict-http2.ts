/**
 * The rules of RFC 9113 §8 for what the proxy writes, as strings and regular expressions and with
 * nothing from the codec: what is refused here must never reach a peer. Stricter than the RFC where
 * the proxy promises more: one :authority and no Host, no identity that came over the wire.
 */

export type ReceivedField = {
  readonly name: string;
  /** One character per byte. */
  readonly value: string;
  /** It came in the form that no intermediary may put into a table (RFC 7541 §6.2.3). */
  readonly isNeverIndexed: boolean;
};

export type ReceivedFields = readonly ReceivedField[];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const PATH = /^\/[\x21\x22\x24-\x7e]*$/;
const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]+\]|[-._~!$&'()*+;=%0-9A-Za-z]+)(?::[0-9]*)?$/;
/** RFC 9113 §8.2.2. */
const CONNECTION_SPECIFIC =
  /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|http2-settings)$/;
/** What is not believed from the wire; how a sidecar carried a request is no identity. */
const IDENTITY = /^(?:l5d-(?!orig-).+|x-forwarded-client-cert)$/;
/** What a trailer may not change any more (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS =
  /^(?:content-length|host|te|trailer|expect|authorization|set-cookie|cookie)$/;
const REQUEST_PSEUDO: readonly string[] = [":method", ":scheme", ":authority", ":path"];

/** Throws with the reason why these are not the fields of a request to an endpoint. */
export function strictRequestFields(fields: ReceivedFields): void {
  checkFields(fields, REQUEST_PSEUDO);
  for (const name of REQUEST_PSEUDO) one(fields, name);
  const method = one(fields, ":method");
  const path = one(fields, ":path");
  check(TOKEN.test(method), `:method ${method}`);
  check(method !== "CONNECT", "CONNECT");
  check(/^https?$/.test(one(fields, ":scheme")), `:scheme ${one(fields, ":scheme")}`);
  check(AUTHORITY.test(one(fields, ":authority")), `:authority ${one(fields, ":authority")}`);
  check(PATH.test(path) || (path === "*" && method === "OPTIONS"), `:path ${path}`);
  for (const { name, value } of fields) {
    check(name !== "host", "Host beside :authority");
    check(!IDENTITY.test(name), `an identity from the wire: ${name}`);
    check(name !== "te" || value === "trailers", `te: ${value}`);
  }
}

/** Throws with the reason why these are not the fields of a response, interim or final. */
export function strictResponseFields(fields: ReceivedFields): void {
  checkFields(fields, [":status"]);
  const status = one(fields, ":status");
  check(/^(?:1(?!01)|[2-5])[0-9][0-9]$/.test(status), `:status ${status}`);
  for (const { name } of fields) check(name !== "te", "te in a response");
}

/** Throws with the reason why these are not trailers. */
export function strictTrailerFields(fields: ReceivedFields): void {
  checkFields(fields, []);
  for (const { name } of fields) check(!NOT_IN_TRAILERS.test(name), `${name} in trailers`);
}

/** The values of all fields with this name, in order. */
export function valuesOf(fields: ReceivedFields, name: string): string[] {
  return fields.filter((field) => field.name === name).map(({ value }) => value);
}

function checkFields(fields: ReceivedFields, pseudo: readonly string[]): void {
  let isBehindPseudo = false;
  for (const { name, value } of fields) {
    check(NAME.test(name), `name ${JSON.stringify(name)}`);
    check(VALUE.test(value), `${name}: ${JSON.stringify(value)}`);
    check(!CONNECTION_SPECIFIC.test(name), name);
    if (!name.startsWith(":")) {
      isBehindPseudo = true;
      continue;
    }
    check(pseudo.includes(name), `${name} does not belong here`);
    check(!isBehindPseudo, `${name} behind other fields`);
  }
  const lengths = valuesOf(fields, "content-length");
  check(lengths.length <= 1, "content-length twice");
  check(/^(?:0|[1-9][0-9]{0,14})$/.test(lengths[0] ?? "0"), `content-length: ${lengths[0]}`);
}

function one(fields: ReceivedFields, name: string): string {
  const [value, ...more] = valuesOf(fields, name);
  check(value !== undefined && more.length === 0, `not exactly one ${name}`);
  return value ?? "";
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`not strict HTTP/2: ${what}`);
}
