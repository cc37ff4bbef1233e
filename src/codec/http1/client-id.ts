/**
 * `l5d-client-id`, the field that tells an application which identity its client has proved
 * (linkerd2-proxy, app/inbound/src/http/set_identity_header.rs). Made once per connection, and
 * written as it is.
 */
import { bytesOf } from "./field-names.ts";

const NAME = "l5d-client-id";

export type ClientIdField = {
  /** The whole line, CRLF included. */
  readonly line: Uint8Array;
  /** Where in it the name ends, and the value lies. */
  readonly nameEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
};

/** `name` is a DNS name or a URI: visible ASCII. */
export function clientIdField(name: string): ClientIdField {
  const line = bytesOf(`${NAME}: ${name}\r\n`);
  return {
    line,
    nameEnd: NAME.length,
    valueStart: NAME.length + 2,
    valueEnd: line.length - 2,
  };
}
