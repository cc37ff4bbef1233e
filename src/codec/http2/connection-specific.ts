/**
 * Fields that speak of an HTTP/1 connection (RFC 9113 §8.2.2): in HTTP/2 they make a message
 * malformed, for after translation they would frame or hijack another one. TE is looked at apart.
 */
import { Field } from "../http1/field-names.ts";

export function isForbiddenInHttp2(id: number): boolean {
  switch (id) {
    case Field.connection:
    case Field.transferEncoding:
    case Field.keepAlive:
    case Field.proxyConnection:
    case Field.upgrade:
      return true;
    default:
      return false;
  }
}
