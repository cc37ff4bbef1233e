/**
 * What a request itself asks for, where its route allows that: Linkerd's fields `l5d-timeout` and its
 * kin, which are taken off every request in any case. A value that is not understood is as if it were
 * not there. And gRPC's own deadline, for which nobody is asked: after it the client waits no more.
 */
import { grpcTimeoutMs } from "../codec/grpc/metadata.ts";
import { bytesOf, Field } from "../codec/http1/field-names.ts";
import { indexOfField } from "../codec/http1/find-field.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import { parseDuration } from "../lib/duration.ts";
import { GRPC_STATUS, type RetryPolicy, type Route } from "../mesh/policy.ts";
import { latin1 } from "./access-log.ts";
import {
  ASKED_MS_MAX,
  REPEAT_BACKOFF_MAX_MS,
  REPEAT_BACKOFF_MIN_MS,
  RETRIES_MAX,
} from "./limits.ts";

/** Of one field; longer ones mean nothing. */
const VALUE_BYTES_MAX = 256;
const PREFIX = "l5d-";
const GRPC_TIMEOUT = bytesOf("grpc-timeout");

type Statuses = RetryPolicy["statuses"];

const GRPC_CODES = new Map([
  ["cancelled", 1],
  ["deadline-exceeded", 4],
  ["resource-exhausted", 8],
  ["internal", 13],
  ["unavailable", 14],
]);

/** Milliseconds until the deadline that a call of gRPC has; null: none. */
export function grpcLimitMs(bytes: Uint8Array, base: number, head: RequestHead): number | null {
  const index = indexOfField(bytes, base, head.fields, GRPC_TIMEOUT);
  if (index === -1) return null;
  const { fields } = head;
  return grpcTimeoutMs(bytes, base + fields.valueStart(index), base + fields.valueEnd(index));
}

/** Returns the route as the request wants it, the same object if it wants nothing. */
export function withAsked(route: Route, bytes: Uint8Array, base: number, head: RequestHead): Route {
  const asked = readFields(bytes, base, head);
  if (asked.size === 0) return route;
  const request = durationOf(asked.get("timeout") ?? asked.get("request-timeout"));
  const response = durationOf(asked.get("response-timeout"));
  return {
    ...route,
    requestTimeoutMs: request ?? route.requestTimeoutMs,
    responseTimeoutMs: response ?? route.responseTimeoutMs,
    retry: retryOf(route.retry, asked),
  };
}

/** Names without their prefix. */
function readFields(bytes: Uint8Array, base: number, head: RequestHead): Map<string, string> {
  const asked = new Map<string, string>();
  const { fields } = head;
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) !== Field.identity) continue;
    const name = latin1(bytes, base + fields.nameStart(i), base + fields.nameEnd(i)).toLowerCase();
    const [start, end] = [base + fields.valueStart(i), base + fields.valueEnd(i)];
    if (!name.startsWith(PREFIX) || end - start > VALUE_BYTES_MAX) continue;
    asked.set(name.slice(PREFIX.length), latin1(bytes, start, end));
  }
  return asked;
}

function retryOf(policy: RetryPolicy | null, asked: Map<string, string>): RetryPolicy | null {
  const limit = limitOf(asked.get("retry-limit"));
  const tryTimeoutMs = durationOf(asked.get("retry-timeout"));
  const http = statusesOf(asked.get("retry-http"), httpStatuses);
  const grpc = statusesOf(asked.get("retry-grpc"), grpcStatuses);
  if (limit === null && tryTimeoutMs === null && http === null && grpc === null) return policy;
  const statuses = http === null && grpc === null ? null : [...(http ?? []), ...(grpc ?? [])];
  return {
    limit: limit ?? policy?.limit ?? 1,
    statuses: statuses ?? policy?.statuses ?? [],
    tryTimeoutMs: tryTimeoutMs ?? policy?.tryTimeoutMs ?? 0,
    backoffMinMs: policy?.backoffMinMs ?? REPEAT_BACKOFF_MIN_MS,
    backoffMaxMs: policy?.backoffMaxMs ?? REPEAT_BACKOFF_MAX_MS,
  };
}

function limitOf(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]{1,3}$/.test(text)
    ? Math.min(Number(text), RETRIES_MAX)
    : null;
}

function durationOf(text: string | undefined): number | null {
  const ms = text === undefined ? null : parseDuration(text);
  return ms === null ? null : Math.min(ms, ASKED_MS_MAX);
}

/** A list is understood as a whole or not at all. */
function statusesOf(
  text: string | undefined,
  parse: (item: string) => Statuses[number] | null,
): Statuses | null {
  const statuses: Statuses[number][] = [];
  for (const item of text?.split(",") ?? []) {
    const status = parse(item.trim());
    if (status === null) return null;
    statuses.push(status);
  }
  return text === undefined ? null : statuses;
}

/** `5xx`, `gateway-error`, `503` or `500-503`. */
function httpStatuses(item: string): Statuses[number] | null {
  if (item === "5xx") return { from: 500, to: 599 };
  if (item === "gateway-error") return { from: 502, to: 504 };
  const [, from, to = from] = /^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(item) ?? [];
  return from === undefined || to === undefined ? null : { from: Number(from), to: Number(to) };
}

function grpcStatuses(item: string): Statuses[number] | null {
  const code = GRPC_CODES.get(item);
  return code === undefined ? null : { from: GRPC_STATUS + code, to: GRPC_STATUS + code };
}
